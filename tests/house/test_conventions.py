"""Conventions of the code that a reader would otherwise have to remember."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.core.management import get_commands
from django.urls import URLPattern, URLResolver, get_resolver

from portal.environment import BASE, SETTINGS
from tenants.sign_in.access import Access


def views() -> Iterator[tuple[str, object]]:
    def walk(patterns: list[URLPattern | URLResolver], prefix: str) -> Iterator[tuple[str, object]]:
        for pattern in patterns:
            if isinstance(pattern, URLResolver):
                yield from walk(pattern.url_patterns, prefix + str(pattern.pattern))
            else:
                yield prefix + str(pattern.pattern), pattern.callback

    return walk(get_resolver().url_patterns, "/")


@pytest.mark.parametrize(("address", "view"), list(views()), ids=lambda value: value if isinstance(value, str) else "")
def test_every_view_declares_who_may_open_it(address: str, view: object) -> None:
    assert isinstance(getattr(view, "access", None), Access), f"{address} does not declare who may open it"


ROOMS = ("portal", "tenants", "iam", "emulator", "infra", "templates", "benchmarks", "tests")


def files(ending: str) -> list[str]:
    return [str(path.relative_to(BASE)) for room in ROOMS for path in sorted((BASE / room).rglob(f"*.{ending}"))]


# Turns of speech that engineers who read English as a second language stumble over.
HARD_TO_READ = ("whoever", "of_before", "past_the_portal", "to_be_had", "is_none_of", "goes_by_it", "what_came_of")


def test_a_tests_name_is_one_plain_behaviour() -> None:
    names = {name for path in files("py") for name in re.findall(r"def (test_\w+)", (BASE / path).read_text())}
    assert len(names) > 1000
    assert {name for name in names if len(name) > 70} == set()
    assert {name for name in names if any(words in name for words in HARD_TO_READ)} == set()


def test_every_setting_is_documented_and_nothing_else() -> None:
    documented = set(re.findall(r"^\| `([A-Z_]+)` \|", (BASE / "docs" / "settings.md").read_text(), re.MULTILINE))
    assert documented == set(SETTINGS)


def test_every_command_is_documented() -> None:
    ours = {name for name, app in get_commands().items() if app in {"portal", "tenants"}}
    text = (BASE / "docs" / "commands.md").read_text()
    assert {name for name in ours if f"manage.py {name}`" not in text} == set()


def test_every_direct_dependency_is_explained() -> None:
    text = (BASE / "docs" / "decisions" / "0001-dependencies.md").read_text()
    for file in ("requirements.in", "requirements-dev.in"):
        for line in (BASE / file).read_text().splitlines():
            name = re.match(r"[A-Za-z0-9_-]+", line)
            if name and not line.startswith("-"):
                assert f"`{name[0]}`" in text, f"{name[0]} of {file} is not explained"


def test_boto3_is_imported_only_where_aws_is_called() -> None:
    allowed = ("tenants/aws/", "emulator/", "infra/", "tests/", "benchmarks/")
    for path in files("py"):
        if path.startswith(allowed):
            continue
        for node in ast.walk(ast.parse((BASE / path).read_text())):
            names = (
                [alias.name for alias in node.names] if isinstance(node, ast.Import)
                else [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            )  # fmt: skip
            assert not {name.split(".")[0] for name in names} & {"boto3", "botocore"}, path


def test_absolute_addresses_begin_with_the_portals_own() -> None:
    """A request's host and scheme are what the client, or somebody between, says they are."""
    for path in [path for path in files("py") if path.startswith(("portal/", "tenants/"))]:
        found = re.search(r"build_absolute_uri|get_host\(|absolutify|is_secure\(", (BASE / path).read_text())
        assert not found, f"{path}: {found[0]}"
    assert urlsplit(settings.PORTAL_URL).netloc == settings.SECURE_SSL_HOST


def test_plain_http_calls_are_bounded() -> None:
    """In total time and in size, by two modules. The demo and a container's health check call their own server only."""
    bounded = {"tenants/aws/bounded_http.py", "tenants/aws/kept_connections.py"}
    own_server = {"portal/demo/processes.py", "portal/health_check.py"}
    calls = r"requests\.(get|post|put|request|Session)\(|urlopen|http\.client|urllib3\.(request|PoolManager)"
    for path in [path for path in files("py") if path.startswith(("portal/", "tenants/"))]:
        found = re.search(calls, (BASE / path).read_text())
        assert not found or path in bounded | own_server, path


def test_templates_have_no_inline_script_or_style() -> None:
    for path in files("html"):
        text = (BASE / path).read_text()
        if path.startswith("templates/mail/"):
            # A mail has no stylesheet to link to.
            text = re.sub(r"\sstyle=", " ", text)
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:|hx-on|<script(?![^>]*\bsrc=)", text), path


def test_scripts_make_no_markup_from_text_and_evaluate_none() -> None:
    for path in sorted((BASE / "portal" / "assets").glob("*.js")):
        text = path.read_text()
        banned = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function"
        assert not re.search(banned, text), path
        assert not re.search(r"""(?:from|import\()\s*["'](?!\./)""", text), path


def test_handlers_of_the_template_can_be_imported() -> None:
    """Every module that a `Handler:` of the template names must be in the folder that the functions are made of."""
    text = (BASE / "infra" / "template.yaml").read_text()
    modules, folders = re.findall(r"Handler: (\w+)\.\w+", text), re.findall(r"Code: (\S+)", text)
    assert len(modules) == len(folders) == 3
    for module, folder in zip(modules, folders, strict=True):
        assert (BASE / "infra" / folder / f"{module}.py").exists()


def test_the_functions_are_packaged_without_the_template() -> None:
    folder = BASE / "infra" / "functions"
    assert [path.name for path in folder.iterdir() if path.name != "__pycache__"] == ["handlers.py"]
