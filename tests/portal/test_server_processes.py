"""The server as several processes at one address: they share the work, and start, end and are replaced together."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from portal import server_processes
from portal.environment import BASE
from tests.world.portal_process import PortalProcess, bare_environment, free_port, placeholders, running_portal

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other kernels do not spread connections evenly")
ASKED = 64


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[PortalProcess]:
    with running_portal(tmp_path, {}, processes=2) as portal:
        wait_until(lambda: len(processes_of(portal)) == 2 and all(map(listens, processes_of(portal))))
        yield portal


def processes_of(portal: PortalProcess) -> list[int]:
    children = Path(f"/proc/{portal.popen.pid}/task/{portal.popen.pid}/children")
    return [int(pid) for pid in children.read_text().split()]


def files_of(pid: int) -> set[str]:
    links = Path(f"/proc/{pid}/fd").iterdir()
    return {str(link.readlink()) for link in links if link.is_symlink()}


def listens(pid: int) -> bool:
    listening = {f"socket:[{line.split()[9]}]" for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
                 if line.split()[3] == "0A"}  # fmt: skip
    return bool(listening & files_of(pid))


def wait_until(true: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def answers(portal: PortalProcess) -> bool:
    return requests.get(f"{portal.url}/livez", timeout=60).ok


def test_connections_are_spread_over_all_processes(portal: PortalProcess) -> None:
    before = {pid: len(files_of(pid)) for pid in processes_of(portal)}
    opened = [socket.create_connection(("127.0.0.1", portal.port), timeout=60) for _ in range(ASKED)]
    wait_until(lambda: sum(len(files_of(pid)) - count for pid, count in before.items()) >= ASKED)
    shares = [len(files_of(pid)) - count for pid, count in before.items()]
    for connected in opened:
        connected.close()
    # 64 tosses of a coin: one in 10,000,000 runs has fewer than 11 of one side.
    assert min(shares) > 10


def test_one_that_ends_is_replaced(portal: PortalProcess) -> None:
    time.sleep(server_processes.LEAST_SECONDS)
    first, second = processes_of(portal)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: len(processes_of(portal)) == 2 and first not in processes_of(portal))
    assert second in processes_of(portal)
    assert all(answers(portal) for _ in range(10))
    assert "a process of the server ended" in portal.log.read_text()


def test_all_end_with_the_first_process(portal: PortalProcess) -> None:
    pids = processes_of(portal)
    portal.popen.send_signal(signal.SIGTERM)
    assert portal.popen.wait(timeout=60) == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_all_end_when_the_first_process_is_killed(portal: PortalProcess) -> None:
    pids = processes_of(portal)
    portal.popen.kill()
    wait_until(lambda: not any(Path(f"/proc/{pid}/fd").exists() and listens(pid) for pid in pids))


def start(port: int, **settings: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "portal.server", f"127.0.0.1:{port}", "--processes", "2"]
    own = {**bare_environment(), **settings}
    return subprocess.run(command, cwd=BASE, env=own, capture_output=True, text=True, timeout=120, check=False)


def test_an_address_in_use_is_refused_in_one_line(portal: PortalProcess) -> None:
    done = start(portal.port, **placeholders())
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done.stderr
    assert f"cannot serve at 127.0.0.1:{portal.port}" in done.stderr
    assert answers(portal)


def test_missing_settings_are_told_once(tmp_path: Path) -> None:
    without = {name: value for name, value in placeholders().items() if name != "COGNITO_CLIENT_SECRET"}
    done = start(free_port(), **without)
    assert (done.returncode, done.stderr.count("COGNITO_CLIENT_SECRET")) == (1, 1), done.stderr


def test_processes_that_cannot_start_end_the_server() -> None:
    done = start(free_port(), **placeholders(), AWS_PROFILE="nobody")
    assert done.returncode == 1, done.stderr
    assert "ProfileNotFound" in done.stderr
