"""docs/local-aws.md lists exactly the operations and the settings that are served."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_docs_list_exactly_what_is_served() -> None:
    # Runs in a separate process, because loading the engine changes the process.
    command = [sys.executable, "-m", "emulator.server.catalogue"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=30).stdout.strip()
    assert printed.count("\n") >= 7
    documented = (ROOT / "docs" / "local-aws.md").read_text("utf-8")
    for table in printed.split("\n\n"):
        assert table in documented, "`python -m emulator.server.catalogue` prints the tables as they should be."
