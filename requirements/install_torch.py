"""Install the pinned torch where pip chooses a CPU build: ``python requirements/install_torch.py [--any]``.

For Linux PyPI carries torch with several GB of CUDA libraries, which Rena does not need. pip tells beforehand
what it would choose; a build that depends on CUDA is installed only with ``--any``. Exit code 0 in both cases:
the tests of learning are left out where torch is missing.
"""

import argparse
import importlib.util
import json
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
PIP = (sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--quiet")
CONSTRAINTS = ("-c", str(HERE / "constraints.txt"))


def pinned() -> str:
    """Return the requirement of torch that constraints.txt pins, such as "torch==2.13.0"."""
    lines = (HERE / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line.startswith("torch=="))


def needs_cuda(report: dict) -> bool:
    """Tell from pip's installation report whether the chosen build of torch depends on CUDA packages."""
    needs = [need for item in report["install"] for need in item["metadata"].get("requires_dist", ())]
    return any(need.startswith(("nvidia-", "cuda-")) for need in needs)


def main() -> int:
    """Install torch, or say in one line why not. Returns pip's exit code when pip fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--any", action="store_true", help="install the build that pip chooses, CUDA included")
    if importlib.util.find_spec("torch") is not None:
        return 0
    if not parser.parse_args().any:
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report.json"
            code = subprocess.call([*PIP, "--dry-run", "--no-deps", "--report", str(report), pinned()])
            if code:
                return code
            if needs_cuda(json.loads(report.read_text(encoding="utf-8"))):
                print(
                    f"torch is not installed: for Python {platform.python_version()} on this machine pip offers only a "
                    "build with CUDA (several GB). Install PyTorch's CPU build yourself, or let `make test TORCH=any` "
                    "fetch that one."
                )
                return 0
    return subprocess.call([*PIP, *CONSTRAINTS, pinned()])


if __name__ == "__main__":
    sys.exit(main())
