"""docs/local-aws.md lists every operation that is served, and none that is not."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_documented_operations_are_those_that_are_routed() -> None:
    # In a process of its own: loading the engine changes the one it is loaded in.
    command = [sys.executable, "-m", "emulator.server.catalogue"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=30).stdout.strip()
    assert printed.count("\n") >= 7
    documented = (ROOT / "docs" / "local-aws.md").read_text("utf-8")
    assert printed in documented, "`python -m emulator.server.catalogue` prints the table as it should be."
