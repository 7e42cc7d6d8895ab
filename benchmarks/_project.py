"""Lets a benchmark run as a file: importing this puts the project's root where Python looks for modules."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
