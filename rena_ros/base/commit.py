"""Which commit of Rena is running: datasets and models name it as where they come from."""

import subprocess
from pathlib import Path


def source_commit() -> str | None:
    """The commit of the source tree this runs from, "-dirty" when it was changed; None in an installation."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        described = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return described.stdout.strip() or None
