"""What can read faces: the engines by name, and which of them is installed. No engine is imported here."""

import importlib.metadata
import importlib.util

from rena_ros.base.errors import RenaError

AUTO = "auto"
_ENGINES = {  # by preference: engine -> its module, its package, and what installs it
    "litert": ("ai_edge_litert", "ai-edge-litert", "pip install -r requirements/run.txt"),
    "mediapipe": ("mediapipe", "mediapipe", "pip install --no-deps -r requirements/run-nodeps.txt"),
}
ENGINES = (AUTO, *_ENGINES)
HELP = "what reads faces; default: litert where it is installed, otherwise mediapipe"


def installed_engines() -> tuple[str, ...]:
    """Return the engines that are installed, the preferred one first."""
    return tuple(engine for engine, (module, *_) in _ENGINES.items() if importlib.util.find_spec(module) is not None)


def chosen_engine(name: str) -> str:
    """Return the engine that ``name``, one of ENGINES, stands for. Raises RenaError when it is not installed."""
    if name not in ENGINES:
        raise RenaError(f"no engine {name} reads faces: choose one of {', '.join(ENGINES)}")
    wanted = _ENGINES if name == AUTO else (name,)
    if found := [engine for engine in installed_engines() if engine in wanted]:
        return found[0]
    packages, remedies = (" or ".join(_ENGINES[engine][i] for engine in wanted) for i in (1, 2))
    raise RenaError(f"faces cannot be read: {packages} is not installed; {remedies}")


def engine_version(name: str = AUTO) -> dict[str, str]:
    """Return package and version of the engine that ``name``, one of ENGINES, stands for; see ``chosen_engine``."""
    package = _ENGINES[chosen_engine(name)][1]
    return {package: importlib.metadata.version(package)}
