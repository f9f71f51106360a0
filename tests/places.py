"""Where the repository is, and beside it the data that some tests read and that never enter it."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
