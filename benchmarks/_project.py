"""Importing this adds the project's root to `sys.path`, so that a benchmark can run as a file."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
