"""The places of the files that ship with Rena: in a source tree, a pip installation or a colcon workspace."""

from pathlib import Path

from rena_ros.base.errors import RenaError

_PACKAGE = Path(__file__).resolve().parents[1]
_ROOTS = (
    _PACKAGE.parent,  # a source tree, also behind `pip install -e` and `colcon build --symlink-install`
    # parents: rena_ros, site-packages, python3.x, lib, and then the prefix of a wheel or colcon installation
    *(prefix / "share" / "rena" for prefix in _PACKAGE.parents[3:4]),
    _PACKAGE.parent / "share" / "rena",  # `pip install --target`
)


def share_path(relative: str) -> Path:
    """Return the path of a file that ships with Rena, such as ``config/rena.yaml``.

    Raises RenaError, naming the places searched, when the installation lacks it.
    """
    for root in _ROOTS:
        path = root / relative
        if path.exists():
            return path
    searched = ", ".join(str(root / relative) for root in _ROOTS)
    raise RenaError(f"{relative} is missing from this installation (looked for {searched}); install Rena again.")
