"""However the demo ends, none of its processes is left."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from portal.demo import guard
from portal.demo.running import signals_as_ctrl_c
from tests.demo.conftest import environment
from tests.world.portal_process import free_port

SLEEPER = "import signal, time; signal.signal(signal.SIGTERM, {handler}); print(flush=True); time.sleep(60)"


def processes_in(folder: Path) -> dict[int, str]:
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cwd").resolve() == folder and (command := (process / "cmdline").read_text()):
                found[int(process.name)] = command.replace("\0", " ")
    return found


def holds_within(seconds: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


@pytest.fixture
def sleeper(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-S", "-c", SLEEPER.format(handler=request.param)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as popen:
        assert popen.stdout
        popen.stdout.readline()
        yield popen
        popen.kill()


@pytest.mark.parametrize("sleeper", ["signal.SIG_DFL"], indirect=True)
def test_the_guard_ends_what_is_left_when_its_input_ends(sleeper: subprocess.Popen[bytes]) -> None:
    sleeper.send_signal(signal.SIGSTOP)
    command = [sys.executable, "-I", "-S", guard.__file__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as watching:
        assert watching.stdin
        assert watching.stdout
        assert watching.stdout.readline() == b"\n"
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            watching.send_signal(number)
        watching.stdin.write(f"+{sleeper.pid}\n".encode())
        watching.stdin.flush()
        assert sleeper.poll() is None
        watching.stdin.close()
        assert sleeper.wait(timeout=60) == -signal.SIGTERM
        assert watching.wait(timeout=60) == 0


@pytest.mark.parametrize("sleeper", ["signal.SIG_IGN"], indirect=True)
def test_the_guard_leaves_alone_what_the_demo_has_ended(sleeper: subprocess.Popen[bytes]) -> None:
    said = f"+{sleeper.pid}\n-{sleeper.pid}\n"
    subprocess.run([sys.executable, "-I", "-S", guard.__file__], input=said, text=True, check=True, timeout=60)
    assert sleeper.poll() is None


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_only_the_first_signal_interrupts(second: signal.Signals) -> None:
    ended = False
    with signals_as_ctrl_c():
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), second)
        ended = True
    assert ended


@pytest.mark.parametrize(
    "signals", [(signal.SIGTERM, signal.SIGTERM, signal.SIGHUP, signal.SIGINT), (signal.SIGTERM, signal.SIGKILL)]
)
def test_no_process_of_the_demo_is_left(project: Path, tmp_path: Path, signals: tuple[signal.Signals, ...]) -> None:
    folder = (tmp_path / "project").resolve()
    shutil.copytree(project, folder, ignore=shutil.ignore_patterns("var"))
    demo = subprocess.Popen(
        [sys.executable, "manage.py", "demo"], cwd=folder,
        env=environment(PORT=str(free_port()), EMULATOR_PORT=str(free_port())),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    assert demo.stdout
    try:
        assert any("Ctrl-C ends everything." in line for line in demo.stdout)
        commands = " ".join(processes_in(folder).values())
        for word in ("manage.py demo", "-m emulator", "portal.server", "provision", "guard.py"):
            assert word in commands
        # As when the terminal is closed: nobody reads the demo's words.
        demo.stdout.close()
        for number in signals:
            demo.send_signal(number)
            time.sleep(0.1)
        demo.wait(timeout=90)
        assert holds_within(60, lambda: not processes_in(folder)), processes_in(folder)
    finally:
        demo.kill()
        demo.wait()
        for pid in processes_in(folder):
            os.kill(pid, signal.SIGKILL)
