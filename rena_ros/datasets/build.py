"""`rena dataset build`: from bags to a dataset, paired by stamps; what is refused is counted and named."""

import argparse
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rena_ros.base.errors import RenaError
from rena_ros.base.files import user_path, write_json
from rena_ros.datasets.build_judge import (
    REASONS,
    TOLERANCE_RAD,
    Refusal,
    duplicates,
    refusal_before_pictures,
    refusal_of_picture,
)
from rena_ros.datasets.build_output import BLOCK, building, meta_of, write_beside, write_samples
from rena_ros.datasets.build_pairing import Candidate
from rena_ros.datasets.build_pictures import look_at, usable_workers
from rena_ros.datasets.build_rest import ENOUGH, RestReadings, together
from rena_ros.datasets.build_scan import BagScan
from rena_ros.datasets.build_sources import SAMPLE, BagSource, common_robot, find_sources, same_robot
from rena_ros.robot.model import Robot

_LONGEST_DELAY_S = 10.0
_EXAMPLES, _SHOWN = 3, 160  # examples of each reason in the terminal, and characters of each


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `rena dataset build`."""
    parser.add_argument(
        "sources",
        nargs="+",
        type=user_path,
        metavar="SESSION|BAG",
        help="sessions of rena collect, bags, or files",
    )
    parser.add_argument("--out", type=user_path, metavar="DIR", required=True, help="directory of the new dataset")
    parser.add_argument(
        "--recompute", action="store_true", help="read the pictures again, instead of taking the recorded readings"
    )
    parser.add_argument("--workers", type=int, help="processes for the pictures (default: one per core, at most 8)")
    parser.add_argument("--robot-file", type=user_path, metavar="FILE", help="the robot, where the bags do not say")
    parser.add_argument("--namespace", help="of the topics, where a bag holds those of several robots")
    parser.add_argument(
        "--capture-delay",
        type=float,
        metavar="S",
        help="how much later than their capture the pictures are stamped (default: as the session measured)",
    )
    parser.add_argument(
        "--tolerance",
        type=float,
        metavar="RAD",
        default=TOLERANCE_RAD,
        help="how far a servo at rest may be from its goal (default %(default)s)",
    )
    parser.add_argument(
        "--split",
        choices=("blocks", "last"),
        default="blocks",
        help=f"test samples: seeded blocks of {BLOCK} neighbours (default), or the last ones",
    )
    parser.add_argument("--split-seed", type=int, default=0, help="seed of the blocks (default %(default)s)")
    parser.add_argument("--json", type=user_path, metavar="FILE", help="write counts and every refusal to this file")


def run(args: argparse.Namespace) -> int:
    """Build. Returns 0; nothing is left of a build that fails or is interrupted."""
    if args.split_seed < 0 or not 0 < args.tolerance < math.inf:
        raise RenaError("--split-seed must not be negative, and --tolerance must be above 0 and finite")
    if args.capture_delay is not None and not abs(args.capture_delay) <= _LONGEST_DELAY_S:
        raise RenaError(f"--capture-delay is in seconds, at most {_LONGEST_DELAY_S:g}, not {args.capture_delay:g}")
    workers = usable_workers(args.workers)
    sources = find_sources(args.sources, args.namespace)
    if not any(SAMPLE in source.topics for source in sources):
        raise RenaError(
            f"{sources[0].path} holds no message on the topic {SAMPLE}, which marks the samples: record it too "
            "(ros2 bag record sample joint_states face/blendshapes camera/image_raw …), or say --namespace"
        )
    robot, robot_text, said = common_robot(sources, args.robot_file)
    console = Console(soft_wrap=True)
    if not said:
        console.print("the bags do not say which robot this is: it is taken for Rena; see --robot-file")
    with building(args.out) as (dataset, scratch):
        found, rest = _scan(console, sources, robot, scratch, args.capture_delay, workers if args.recompute else 0)
        if not found:
            raise RenaError("the bags hold no sample marker that can be read")
        samples, refused = _judged(console, found, sources, robot, args, workers)
        counts = Counter(_counted(refusal) for refusal in refused)
        _report(console, refused, counts)
        if not samples:
            raise RenaError("no sample is left; nothing was written")
        split = {"rule": "blocks", "block": BLOCK, "seed": args.split_seed} if args.split == "blocks" else None
        meta = meta_of(
            samples,
            sources,
            robot,
            robot_text,
            rest,
            recomputed=args.recompute,
            refused=counts,
            split=split,
            tolerance_rad=args.tolerance,
        )
        write_samples(dataset, samples, robot, meta)
        write_beside(dataset, robot_text, rest)
    console.print(_summary(samples, args.out, len(found), meta))
    if args.json:
        write_json(args.json, _figures(samples, refused, counts, meta))
    return 0


def _scan(
    console: Console,
    sources: Sequence[BagSource],
    robot: Robot,
    scratch: Path,
    delay_s: float | None,
    rereading_workers: int,
) -> tuple[list[Candidate], RestReadings]:
    """Read all bags: their candidates, by bag and time, and the readings at rest.

    Where the bags hold too few of those, ``rereading_workers`` processes (0: none) read pictures taken at rest.
    """
    scans = [BagScan(source, bag, robot, scratch, delay_s) for bag, source in enumerate(sources)]
    rested = [s for s in scans if s.source.robot is None or same_robot(s.source.robot, robot)]
    with _progress(console, "reading bags") as progress:
        bar = progress.add_task("", total=sum(scan.messages() for scan in scans))
        for scan in scans:
            scan.run(lambda: progress.advance(bar))
    rest = together([scan.rest.readings() for scan in rested])
    if rereading_workers and len(rest.features) < ENOUGH:
        rest = _read_at_rest([pair for scan in rested for pair in scan.copy_rest_pictures()], rereading_workers)
    return [one for scan in scans for one in scan.candidates], rest


def _read_at_rest(pictures: Sequence[tuple[int, Path]], workers: int) -> RestReadings:
    """Return the readings of pictures taken at rest; one without a face has none."""
    looks = look_at([path for _, path in pictures], read=True, workers=workers)
    found = [(ns, look.reading.features) for (ns, _), look in zip(pictures, looks, strict=True) if look.reading]
    return together([RestReadings(np.array([ns], np.int64), features[None]) for ns, features in found])


def _judged(
    console: Console,
    found: Sequence[Candidate],
    sources: Sequence[BagSource],
    robot: Robot,
    args: argparse.Namespace,
    workers: int,
) -> tuple[list[Candidate], list[Refusal]]:
    """Return the samples, in order, and why the other candidates are none."""
    refused, usable, good = list[Refusal](), list[Candidate](), list[Candidate]()
    for one in found:
        theirs = sources[one.bag].robot
        if theirs is not None and not same_robot(theirs, robot):
            detail = f"{sources[one.bag].path} is of another robot than the dataset"
            refused.append(Refusal(one, "robot differs", detail))
        elif why := refusal_before_pictures(one, robot, args.tolerance):
            refused.append(why)
        else:
            usable.append(one)
    _look(console, usable, args.recompute, workers)
    sizes = Counter(one.size for one in usable if not one.damage)
    size = max(sizes, key=lambda size: (sizes[size], size)) if sizes else (0, 0)
    walks = [source.walk for source in sources]
    medians = {walk: _median_sharpness([one for one in usable if walks[one.bag] == walk]) for walk in set(walks)}
    for one in usable:
        if why := refusal_of_picture(one, size, medians[walks[one.bag]]):
            refused.append(why)
        else:
            good.append(one)
    samples, doubled = duplicates(good, walks)
    return samples, refused + doubled


def _look(console: Console, usable: Sequence[Candidate], recompute: bool, workers: int) -> None:
    """Look at the picture of each candidate, and note what it shows."""
    whole = [one for one in usable if not one.damage]
    with _progress(console, "reading pictures") as progress:
        bar = progress.add_task("", total=len(whole))
        paths = [one.picture for one in whole if one.picture is not None]
        for one, look in zip(whole, look_at(paths, read=recompute, workers=workers), strict=True):
            one.size, one.sharpness, one.damage = look.size, look.sharpness, look.damage
            if recompute:
                reading = look.reading
                one.face = reading is not None
                one.features = reading.features if reading else None
                one.landmarks = reading.landmarks if reading else None
            progress.advance(bar)


def _median_sharpness(candidates: Sequence[Candidate]) -> float:
    values = [one.sharpness for one in candidates if not one.damage]
    return float(np.median(values)) if values else 0.0


def _progress(console: Console, what: str) -> Progress:
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console)


def _counted(refusal: Refusal) -> str:
    """Return what a refusal is counted as: of those by babble, each verdict by itself."""
    if refusal.reason != "rejected by babble":
        return refusal.reason
    return f"{refusal.reason}: {refusal.detail.partition(':')[0]}"  # "fault: …" says which fault


def _report(console: Console, refused: Sequence[Refusal], counts: Counter[str]) -> None:
    """Print each reason with its count, its meaning and examples."""
    for reason, count in counts.most_common():
        of_it = [refusal for refusal in refused if _counted(refusal) == reason]
        console.print(f"refused {count}: {reason} ({REASONS[of_it[0].reason]})", markup=False, highlight=False)
        for refusal in [one for one in of_it if not reason.endswith(one.detail)][:_EXAMPLES]:
            detail = refusal.detail if len(refusal.detail) <= _SHOWN else f"{refusal.detail[:_SHOWN]} …"
            console.print(f"  sample {refusal.candidate.marker.index}: {detail}", markup=False, highlight=False)


def _summary(samples: Sequence[Candidate], out: Path, found: int, meta: dict[str, Any]) -> str:
    absent = sum(_absent(samples).values())
    parts = [f"{len(samples)} samples of {found} tries in {out}", f"readings {meta['source']['readings']}"]
    if absent:
        parts.append(f"{absent} indices of the walk have no sample")
    if meta["landmarks_missing"]:
        parts.append(f"{meta['landmarks_missing']} without landmarks (--recompute reads them)")
    return "; ".join(parts)


def _absent(samples: Sequence[Candidate]) -> dict[int, int]:
    """Return how many indices up to the highest have no sample, by seed."""
    by_seed: dict[int, set[int]] = {}
    for one in samples:
        by_seed.setdefault(one.marker.seed, set()).add(one.marker.index)
    return {seed: max(indices) + 1 - len(indices) for seed, indices in by_seed.items()}


def _figures(
    samples: Sequence[Candidate], refused: Sequence[Refusal], counts: Counter[str], meta: dict[str, Any]
) -> dict[str, Any]:
    listed = [
        {"sample": one.candidate.marker.index, "attempt": one.candidate.marker.attempt}
        | {"bag": one.candidate.bag, "reason": one.reason, "detail": one.detail}
        for one in refused
    ]
    return {
        "samples": len(samples),
        "absent": {str(seed): count for seed, count in _absent(samples).items()},
        "refused": dict(counts),
        "refusals": listed,
        "landmarks_missing": meta["landmarks_missing"],
        "source": meta["source"],
    }
