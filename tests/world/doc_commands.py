"""The commands of a page of the documentation, as a shell understands them.

The page's blocks are run by bash, in order, in one shell and a folder of their own. Every program that they call is
replaced by one that only notes how it was called, so variables, substitutions, pipes and redirections are the shell's.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import textwrap
from dataclasses import dataclass
from pathlib import Path

from portal.environment import BASE
from tests.world.aws_cli import ANYTHING

PAGES = [BASE / "README.md", *sorted((BASE / "docs").rglob("*.md"))]
# Also in an item of a list, where each line is indented.
_BLOCK = re.compile(r"^( *)```sh\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
# What a page may call, besides programs of its environment. They are noted, and print one line.
NOTED = (
    "aws", "curl", "docker", "git", "grep", "jq", "local-aws", "make", "openssl", "pg_dump", "pg_restore", "pip",
    "psql", "python3", "rm", "sha256sum", "sleep", "tee",
)  # fmt: skip
# Harmless, and needed for what comes after them.
_REAL = ("cat", "chmod", "cp", "date", "mkdir", "printenv", "seq", "tr")
# Written by the demo, which other pages read settings from.
_MADE_BY_THE_DEMO = ("demo.env", "deployer.env", "closing.env")
_RECORDER = f"""#!/bin/sh
# One write: programs of a pipe are noted at the same moment.
printf '%s\\0' "${{0##*/}}" "$@" '
' >> "$RECORD"
cat > /dev/null
for argument; do
  case $argument in
    *\\[*,*,*\\]*) echo {ANYTHING} {ANYTHING} {ANYTHING}; exit ;;
  esac
done
echo {ANYTHING}
"""


@dataclass(frozen=True, slots=True)
class PageRun:
    """`calls` are the programs' names with their arguments. `problem` is what the shell said, or ""."""

    calls: list[list[str]]
    problem: str
    folder: Path


def blocks(page: Path) -> list[str]:
    return [textwrap.dedent(block) for _, block in _BLOCK.findall(page.read_text())]


def note_calls(page: Path, folder: Path) -> PageRun:
    """`folder` is empty, and afterwards has what the page's commands have written."""
    project, record = folder / "project", folder / "record"
    _lay_out(project, folder / "bin")
    record.touch()
    script = "\n".join(blocks(page))
    environment = {"PATH": str(folder / "bin"), "HOME": str(folder), "RECORD": str(record), "USER": "nobody"}
    shell = subprocess.run(
        [str(shutil.which("bash")), "-eu", "-o", "pipefail", "-c", script],
        cwd=project, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=180,
        check=False,
    )  # fmt: skip
    problem = "" if shell.returncode == 0 else shell.stderr.strip() or f"code {shell.returncode}"
    return PageRun(_calls(record), problem, project)


def _lay_out(project: Path, programs: Path) -> None:
    (project / "var").mkdir(parents=True)
    programs.mkdir()
    for entry in BASE.iterdir():
        if entry.name not in ("var", ".env", ".venv", ".git"):
            (project / entry.name).symlink_to(entry)
    for name in _MADE_BY_THE_DEMO:
        (project / "var" / name).touch()
    # What docs/deploy.md has its reader write before any other page is read.
    (project / "var" / "deployment.sh").write_text(deployment_settings())
    (project / ".env").write_text((BASE / ".ci" / "deploy.env").read_text())
    own = project / ".venv" / "bin"
    own.mkdir(parents=True)
    for program in (*(programs / name for name in NOTED), own / "python", own / "uv"):
        program.write_text(_RECORDER)
        program.chmod(0o755)
    for name in _REAL:
        (programs / name).symlink_to(str(shutil.which(name)))


def _calls(record: Path) -> list[list[str]]:
    lines = record.read_text().split("\n\0")
    return [line.rstrip("\0").split("\0") for line in lines if line]


def deployment_settings() -> str:
    """The file with the names of an environment that docs/deploy.md lets its reader write."""
    text = (BASE / "docs" / "deploy.md").read_text()
    found = re.search(r"^cat > var/deployment\.sh <<'END'\n(.*?)^END$", text, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]
