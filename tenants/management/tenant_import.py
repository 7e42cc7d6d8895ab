"""`manage.py tenant import`: checks a whole file, then imports it batch by batch, and reports every line.

Nothing is changed where a line is wrong. A run that was killed is simply repeated: what is there stays as it is.
"""

from __future__ import annotations

import csv
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from django.core.management import BaseCommand, CommandError

from tenants.domain.actor import at_the_terminal
from tenants.lifecycle.imports import Imported, ImportResult, TenantToImport, import_tenants
from tenants.management.errors import in_one_line
from tenants.management.import_file import MOST_LINES, Problem, Row, check_row, read_rows
from tenants.management.progress import Progress, progress_line
from tenants.management.step_commands import Argument, Options, argument

_AT_ONCE = 200
_MOST_PROBLEMS = 1_000
_COLUMNS = ("line", "external_id", "result", "org_id", "slug", "why")
_FORMATS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
# A spreadsheet takes what begins like this for a formula.
_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
ARGUMENTS: tuple[Argument, ...] = (
    argument("file", metavar="FILE", help="CSV with a header, or JSON Lines; - for standard input"),
    argument("--format", choices=sorted(set(_FORMATS.values())), help="instead of the one that FILE’s ending says"),
    argument("--dry-run", action="store_true", help="check everything, say what would happen, and change nothing"),
    argument("--no-mail", action="store_true", help="Cognito mails no invitations"),
    argument("--report", metavar="FILE", help="write the result of every line: CSV, or JSON Lines for .jsonl"),
    argument("--json", action="store_true", help="print one JSON object"),
)
Report = Callable[[int, Imported], object]


@dataclass(slots=True)
class _Checked:
    """A file without a wrong line. `lines` has a JSON array a line: the number, and the tenant."""

    lines: TextIO
    count: int = 0
    slugs: set[str] = field(default_factory=set)


def import_file(options: Options, *, command: BaseCommand) -> None:
    """Raises CommandError. Ends with SystemExit 3 if a line could not be imported, or differs from what is there."""
    with in_one_line(), ExitStack() as stack:
        as_csv = _format(options) == "csv"
        report = stack.enter_context(_report(options["report"]))
        file = stack.enter_context(_opened(options["file"]))
        checked = _Checked(stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8")))
        with progress_line(command.stderr, "lines checked") as show:
            problems = _check(read_rows(file, as_csv=as_csv), checked, show)
        if problems:
            _refuse(problems, options, command)
        with progress_line(command.stderr, "lines", total=checked.count) as show, _stoppable():
            counted = _import(checked, options, report, show)
    _print_summary(counted, checked.count, options, command)
    if counted[ImportResult.FAILED] or counted[ImportResult.DIFFERS]:
        sys.exit(3)


@contextmanager
def _stoppable() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        raise CommandError("Stopped. What was imported stays. Run the command again to go on.") from None


def _format(options: Options) -> str:
    found = options["format"] or _FORMATS.get(Path(options["file"]).suffix.lower())
    if not found:
        raise CommandError("Say with --format whether this is csv or jsonl.")
    return str(found)


@contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    if name == "-":
        yield sys.stdin.buffer
        return
    with Path(name).open("rb") as file:
        yield file


class _Repeats:
    """What has to be there once in a file, by its column: each value with its line."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[str, int]] = {"external_id": {}, "slug": {}, "owner_email": {}}

    def problems(self, line: int, tenant: TenantToImport) -> list[Problem]:
        found = []
        for column, seen in self._seen.items():
            value = getattr(tenant, column)
            if value and seen.setdefault(value, line) != line:
                found.append(Problem(line, column, f"Line {seen[value]} has “{value}” too. Each may be there once."))
        return found


def _check(rows: Iterable[Row | Problem], checked: _Checked, show: Progress) -> list[Problem]:
    """All problems of the file. Keeps the lines that have none in `checked`."""
    problems: list[Problem] = []
    repeats = _Repeats()
    for number, row in enumerate(rows, start=1):
        if number > MOST_LINES:
            return [*problems, Problem(number, "", f"A file has at most {MOST_LINES:,} organisations. Split it.")]
        read = [row] if isinstance(row, Problem) else check_row(row)
        if isinstance(row, Row) and isinstance(read, TenantToImport):
            read = repeats.problems(row.line, read) or _keep(row.line, read, checked)
        problems.extend(read if isinstance(read, list) else [])
        show(number)
    checked.lines.seek(0)
    return problems


def _keep(line: int, tenant: TenantToImport, checked: _Checked) -> list[Problem]:
    checked.lines.write(json.dumps([line, asdict(tenant)]) + "\n")
    checked.count += 1
    if tenant.slug:
        checked.slugs.add(tenant.slug)
    return []


def _refuse(problems: list[Problem], options: Options, command: BaseCommand) -> None:
    shown = problems[:_MOST_PROBLEMS]
    if options["json"]:
        command.stdout.write(json.dumps({"problems": [asdict(problem) for problem in shown], "count": len(problems)}))
    else:
        for problem in shown:
            command.stderr.write(str(problem), style_func=str)
    counted = "1 problem" if len(problems) == 1 else f"{len(problems):,} problems"
    raise CommandError(f"The file has {counted}. Nothing was changed.")


def _import(checked: _Checked, options: Options, report: Report, show: Progress) -> Counter[str]:
    counted: Counter[str] = Counter()
    lines = (json.loads(line) for line in checked.lines)
    by, done = at_the_terminal(), 0
    while batch := list(islice(lines, _AT_ONCE)):
        answers = import_tenants(
            [TenantToImport(**tenant) for _, tenant in batch],
            by=by,
            keep_free=checked.slugs,
            mail_invitation=not options["no_mail"],
            dry_run=options["dry_run"],
        )
        for (line, _), answer in zip(batch, answers, strict=True):
            counted[answer.result] += 1
            report(line, answer)
        if options["dry_run"]:
            # Short names that the batches after this one cannot have.
            checked.slugs.update(answer.slug for answer in answers)
        done += len(batch)
        show(done)
    return counted


@contextmanager
def _report(name: str | None) -> Iterator[Report]:
    """Writes a line of the report. The file gets its name when all of them are written."""
    if not name:
        yield lambda _line, _answer: None
        return
    path = Path(name)
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            yield _json_report(file) if _FORMATS.get(path.suffix.lower()) == "jsonl" else _csv_report(file)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _facts(line: int, answer: Imported) -> dict[str, Any]:
    facts = {**asdict(answer), "line": line, "org_id": str(answer.org_id) if answer.org_id else ""}
    return {column: facts[column] for column in _COLUMNS}


def _json_report(file: TextIO) -> Report:
    return lambda line, answer: print(json.dumps(_facts(line, answer), ensure_ascii=False), file=file)


def _csv_report(file: TextIO) -> Report:
    writer = csv.writer(file)
    writer.writerow(_COLUMNS)
    return lambda line, answer: writer.writerow(map(_cell, _facts(line, answer).values()))


def _cell(value: object) -> str:
    text = str(value)
    return f"'{text}" if text.startswith(_STARTS_A_FORMULA) else text


def _print_summary(counted: Counter[str], total: int, options: Options, command: BaseCommand) -> None:
    facts = {str(result): counted[result] for result in ImportResult}
    if options["json"]:
        command.stdout.write(json.dumps({"dry_run": options["dry_run"], "lines": total, **facts}))
        return
    said = ", ".join(f"{count:,} {name}" for name, count in facts.items() if count) or "no organisation in the file"
    command.stdout.write(f"Nothing is done. This would happen: {said}." if options["dry_run"] else f"Done: {said}.")
    if options["report"]:
        command.stdout.write(f"Every line is in {options['report']}.")
