"""Every command in the documentation could be run: the shell understands it, and its program knows its options."""

from __future__ import annotations

import argparse
import importlib.util
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from django.core.management import CommandError, get_commands, load_command_class
from django.core.management.base import BaseCommand

from emulator.__main__ import make_parser
from portal.environment import BASE
from tests.world.aws_cli import parse
from tests.world.aws_queries import WrongCommand
from tests.world.doc_commands import PAGES, blocks, note_calls

WITH_COMMANDS = [page for page in PAGES if blocks(page)]
_MENTIONED = re.compile(r"`(?:[A-Z_]+=\S+ )*(?:\.venv/bin/python )?manage\.py ([^`]+)`")
_MENTIONED_AWS = re.compile(r"`aws ([a-z][^`]+)`")
_TARGETS = set(re.findall(r"^([a-z]+):", (BASE / "Makefile").read_text(), re.MULTILINE))


def command_named(name: str) -> BaseCommand:
    commands = get_commands()
    if name not in commands:
        raise WrongCommand(f"there is no manage.py {name}")
    app = commands[name]
    return app if isinstance(app, BaseCommand) else load_command_class(app, name)


def check_manage(words: Sequence[str]) -> None:
    parser = command_named(words[0]).create_parser("manage.py", words[0])
    try:
        parser.parse_args(list(words[1:]))
    except (CommandError, SystemExit) as refused:
        raise WrongCommand(f"manage.py {' '.join(words)}: {refused}") from refused


def check_python(words: Sequence[str]) -> None:
    match words:
        case ["manage.py", *rest]:
            check_manage(rest)
        case ["-m", module, *_]:
            if importlib.util.find_spec(module) is None:
                raise WrongCommand(f"there is no module {module}")
        case ["-", *_]:
            return
        case ["-c", code, *_]:
            compile(code, "a command", "exec")
        case _:
            raise WrongCommand(f"python {' '.join(words)}")


def check_make(words: Sequence[str]) -> None:
    targets = [word for word in words if "=" not in word]
    if unknown := set(targets) - _TARGETS:
        raise WrongCommand(f"there is no make {', '.join(unknown)}")


def check_local_aws(words: Sequence[str]) -> None:
    try:
        make_parser().parse_args(list(words))
    except SystemExit as refused:
        raise WrongCommand(f"local-aws {' '.join(words)}: {refused}") from refused


def problem_of(call: Sequence[str], folder: Path) -> str:
    program, *words = call
    try:
        if program == "aws":
            parse(words, folder=folder)
        elif program in ("python", "python3"):
            check_python(words)
        elif program == "local-aws":
            check_local_aws(words)
        elif program == "make":
            check_make(words)
    except WrongCommand as wrong:
        return f"{' '.join(call)}\n    {wrong}"
    return ""


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=lambda page: page.name)
def test_every_command_of_a_page_can_be_copied_and_run(page: Path, tmp_path: Path) -> None:
    run = note_calls(page, tmp_path)
    assert run.problem == ""
    assert [problem for call in run.calls if (problem := problem_of(call, run.folder))] == []


def test_a_command_that_nobody_has_is_found(tmp_path: Path) -> None:
    wrong = (
        "aws dynamodb describe-tables",
        ".venv/bin/python manage.py provision --forever",
        ".venv/bin/python manage.py tenants",
        ".venv/bin/python -m portal.serve",
        "make deploy",
    )
    for number, line in enumerate(wrong):
        page = tmp_path / "page.md"
        page.write_text(f"```sh\n{line}\n```\n")
        run = note_calls(page, tmp_path / str(number))
        assert [problem_of(call, run.folder) for call in run.calls] != [""], line


@pytest.mark.parametrize(
    ("line", "says"), [('echo "$NOBODY"', "NOBODY"), ("kubectl get pods", "kubectl"), ("(", "syntax error")]
)
def test_what_the_shell_cannot_run_is_found(line: str, says: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"```sh\n{line}\n```\n")
    assert says in note_calls(page, tmp_path / "run").problem


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from parsers(inner)


def check_mention(text: str) -> str:
    """The command exists, and so do its step and each of its options. The rest may be shortened."""
    words = re.findall(r"[^\s…|]+", text)
    if words[:1] == ["help"]:
        # Django's own, and no command with a parser. It describes another one.
        words = words[1:]
    if not words:
        return ""
    try:
        parser = command_named(words[0]).create_parser("manage.py", words[0])
    except WrongCommand as wrong:
        return str(wrong)
    steps = {
        step for action in parser._actions if isinstance(action, argparse._SubParsersAction) for step in action.choices
    }
    options = {option for one in parsers(parser) for action in one._actions for option in action.option_strings}
    named = re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)
    if unknown := set(named) - options:
        return f"manage.py {words[0]} has no {', '.join(sorted(unknown))}"
    if steps and len(words) > 1 and re.fullmatch(r"[a-z-]+", words[1]) and words[1] not in steps | set(named):
        return f"manage.py {words[0]} has no step {words[1]}"
    return ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_a_page_mentions_exists(page: Path) -> None:
    text = page.read_text()
    assert [wrong for mention in _MENTIONED.findall(text) if (wrong := check_mention(mention))] == []


def test_a_mention_of_what_nobody_has_is_found() -> None:
    assert check_mention("reconcile --repair --recreate 12") == ""
    assert check_mention("tenant suspend acme … --wait") == ""
    assert "has no --repairs" in check_mention("reconcile --repairs")
    assert "no step suspended" in check_mention("tenant suspended acme")
    assert "no manage.py" in check_mention("reconciles")
    assert check_mention("help") == check_mention("help tenant") == ""
    assert "no manage.py" in check_mention("help tenants")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_call_of_aws_that_a_page_mentions_exists(page: Path) -> None:
    for mention in _MENTIONED_AWS.findall(page.read_text()):
        parse(shlex.split(mention.replace("…", "")), folder=BASE, is_whole=False)
