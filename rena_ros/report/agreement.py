"""What the processes of one report have agreed on: its options and its data, in plan.json of their working folder."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rena_ros.base.errors import RenaError
from rena_ros.base.files import read_text, ros_path, user_path, write_json
from rena_ros.report.plan import Protocol

PLACES = ("data", "fresh", "identities", "strangers", "film", "robot_file")  # options that name one file or folder
# Seeds may come and go, a film may come later; data may move, because its contents are compared.
MAY_CHANGE = ("seeds", *PLACES, "more")


def agree(path: Path, options: dict[str, Any], protocol: Protocol, origin: dict[str, Any]) -> None:
    """Write the agreement of a new report, or compare it with the one that is there and keep the newer seeds.

    ``options``: the places of the data and the storage; ``origin``: where the data comes from, with its hashes. Raises
    RenaError, naming what differs, where finished runs would not fit any more.
    """
    wanted = {**_as_text(options), **asdict(protocol), "origin": origin}
    wanted = json.loads(json.dumps(wanted))  # tuples become lists, as in the file
    if path.exists():
        there = read(path)
        changed = sorted(key for key in wanted if key not in MAY_CHANGE and there.get(key) != wanted[key])
        if changed:
            listed = "; ".join(_difference(key, there.get(key), wanted[key]) for key in changed)
            raise RenaError(f"{path.parents[1]} holds a report that was begun otherwise ({listed}); use another --out")
    write_json(path, wanted)


def read(path: Path) -> dict[str, Any]:
    """Return the agreement, as a worker needs it. Raises RenaError when there is none."""
    if not path.exists():
        raise RenaError(f"{path.parents[1]} holds no report: start one there first, without --worker")
    try:
        return dict(json.loads(read_text(path, "plan of the report")))
    except (TypeError, ValueError) as error:
        raise RenaError(f"{path} is damaged ({error}); remove it, and start the report again") from error


def options_of(agreed: dict[str, Any]) -> dict[str, Any]:
    """Return the options that ``agree`` wrote, with paths as paths."""
    places = {key: user_path(agreed[key]) if agreed[key] else None for key in PLACES}
    return {**places, "more": [user_path(one) for one in agreed["more"]], "storage": agreed["storage"]}


def protocol_of(agreed: dict[str, Any]) -> Protocol:
    """Return the protocol that ``agree`` wrote."""
    values: dict[str, Any] = {key: agreed[key] for key in asdict(Protocol())}
    values |= {key: tuple(values[key]) for key in ("seeds", "sizes")}
    return Protocol(**values)


def _as_text(options: dict[str, Any]) -> dict[str, Any]:
    found = {key: ros_path(options[key].absolute()) if options[key] else None for key in PLACES}
    return {**found, "more": [ros_path(one.absolute()) for one in options["more"]], "storage": options["storage"]}


def _difference(key: str, there: Any, now: Any) -> str:
    return "its data differs" if key == "origin" else f"{key}: {there} there, {now} now"
