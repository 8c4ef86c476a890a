"""The commit of Rena that is running; datasets and models record it as their origin."""

import subprocess
from pathlib import Path


def source_commit() -> str | None:
    """Return the commit of the source tree, with "-dirty" when files differ from it; None in an installation."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        described = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return described.stdout.strip() or None
