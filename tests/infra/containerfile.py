"""Runs a Containerfile without an engine, in an empty folder that stands for `/`. Refuses what it does not know.

Two steps are not run as they are written. Users of the machine are not added, and packages are linked from this
environment instead of downloaded: those of requirements.txt in exactly their versions, and no others.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from fnmatch import fnmatch
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

# The folders of an image that become folders below the root. Programs of the machine are in the others.
_OWN = re.compile(r"(?<![\w./-])/(?=(?:venv|portal|etc/ssl)(?![\w-]))")
_KNOWN = {"FROM", "ENV", "WORKDIR", "ADD", "COPY", "RUN", "VOLUME", "USER", "EXPOSE", "HEALTHCHECK", "CMD"}
_INSTALL = ["/venv/bin/python", "-m", "pip", "install"]


@dataclass
class Image:
    """What a stage makes. `run` has the commands as they are written, `added` the addresses that need a network."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    folder: str = "/"
    user: str = ""
    volumes: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)
    run: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)

    def place(self, path: str) -> Path:
        inside = path if path.startswith("/") else f"{self.folder}/{path}"
        return self.root / inside.strip("/")

    def inside(self, text: str) -> str:
        return _OWN.sub(f"{self.root}/", text)

    def start(self, command: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
        given = {name: self.inside(value) for name, value in self.environment.items()}
        program = shutil.which(command[0], path=given["PATH"])
        assert program, f"{command[0]} is not in the image"
        return subprocess.Popen(
            [program, *command[1:]], cwd=self.place("."), env={**given, **environment}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip


def instructions(text: str) -> list[tuple[str, str]]:
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    assert not any(line.endswith("\\") for line in lines), "continued lines are not read"
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


def build(context: Path, folder: Path) -> tuple[Image, dict[str, Image]]:
    """The last stage, and those with a name. Raises AssertionError for an instruction that is not known."""
    stages: dict[str, Image] = {}
    image = None
    for number, (word, rest) in enumerate(instructions((context / "Containerfile").read_text())):
        assert word in _KNOWN, f"{word} is not known"
        if word == "FROM":
            _, _, name = rest.partition(" AS ")
            image = stages.setdefault(name, Image(folder / (name or f"stage-{number}")))
            _base(image.root)
        else:
            assert image is not None
            _STEPS[word](image, rest, context, stages)
    assert image is not None
    return image, stages


def _base(root: Path) -> None:
    """An image of Python: the program, at the same place for each stage, and nothing of ours."""
    root.mkdir(parents=True)
    python = root.parent / "base" / "python"
    if not python.parent.exists():
        python.parent.mkdir()
        python.symlink_to(Path(sys._base_executable).resolve())  # type: ignore[attr-defined]


def _env(image: Image, rest: str, *_: object) -> None:
    image.environment |= dict(part.split("=", 1) for part in shlex.split(rest))


def _workdir(image: Image, rest: str, *_: object) -> None:
    image.folder = rest
    image.place(rest).mkdir(parents=True, exist_ok=True)


def _add(image: Image, rest: str, *_: object) -> None:
    address, target = [part for part in rest.split() if not part.startswith("--")]
    image.added.append(address)
    image.place(target).parent.mkdir(parents=True, exist_ok=True)
    image.place(target).write_text(f"stands for {address}\n")


def _copy(image: Image, rest: str, context: Path, stages: dict[str, Image]) -> None:
    *flags, source, target = rest.split()
    place = image.place(target)
    place.parent.mkdir(parents=True, exist_ok=True)
    if flags:
        ((_, _, name),) = [flag.partition("--from=") for flag in flags]
        origin, left_out = stages[name].place(source), list[str]()
    else:
        origin, left_out = context / source, _ignored(context, source)
    if origin.is_dir():
        shutil.copytree(origin, place, symlinks=True, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*left_out))
    else:
        shutil.copy(origin, place / origin.name if place.is_dir() else place)


def _ignored(context: Path, source: str) -> list[str]:
    """Names that .containerignore leaves out below the source. Fails if it leaves out the source itself."""
    lines = [line for line in (context / ".containerignore").read_text().splitlines() if line and line[0] != "#"]
    assert lines[0] == "*", "only what is named may go to the builder"
    assert f"!{source}" in lines, f"{source} is not in the context"
    rest = [line for line in lines[1:] if not line.startswith("!")]
    assert all(fnmatch(line, "**/*") for line in rest)
    return [line.removeprefix("**/") for line in rest]


def _run(image: Image, rest: str, *_: object) -> None:
    image.run.append(rest)
    words = shlex.split(rest)
    if words[0] in {"groupadd", "useradd"}:
        return
    if words[:4] == _INSTALL:
        _link_packages(image, image.place(words[words.index("-r") + 1]))
        return
    path = f"{image.root.parent}/base:{os.defpath}"
    environment = {"PATH": path, **{name: image.inside(value) for name, value in image.environment.items()}}
    without_pip = " --without-pip" if words[1:3] == ["-m", "venv"] else ""
    done = subprocess.run(
        ["/bin/sh", "-ec", image.inside(rest) + without_pip], cwd=image.place("."), env=environment, text=True,
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{rest}: {done.stderr[-1000:]}"


def _link_packages(image: Image, lock: Path) -> None:
    (site,) = image.place("/venv/lib").glob("python*/site-packages")
    for line in lock.read_text().splitlines():
        if not line[:1].isalnum():
            continue
        wanted = Requirement(line.rstrip("\\ "))
        if wanted.marker and not wanted.marker.evaluate():
            continue
        found = metadata.distribution(wanted.name)
        assert found.version in wanted.specifier, f"{wanted.name} is {found.version} here"
        for top in {file.parts[0] for file in found.files or []} - {"..", "__pycache__"}:
            link = site / top
            if not link.exists():
                link.symlink_to(Path(str(found.locate_file(top))))


def _volume(image: Image, rest: str, *_: object) -> None:
    image.volumes += json.loads(rest)


def _user(image: Image, rest: str, *_: object) -> None:
    image.user = rest


def _health(image: Image, rest: str, *_: object) -> None:
    image.health = json.loads(rest.partition("CMD ")[2])


def _cmd(image: Image, rest: str, *_: object) -> None:
    image.command = json.loads(rest)


_STEPS = {
    "ENV": _env, "WORKDIR": _workdir, "ADD": _add, "COPY": _copy, "RUN": _run, "VOLUME": _volume, "USER": _user,
    "EXPOSE": lambda *_: None, "HEALTHCHECK": _health, "CMD": _cmd,
}  # fmt: skip
