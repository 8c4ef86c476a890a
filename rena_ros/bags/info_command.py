"""`rena bag info BAG`: what a bag holds."""

import argparse
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from rena_ros.bags.contents import embedded_information
from rena_ros.bags.finished import bags_in, is_finished
from rena_ros.bags.lock import is_locked
from rena_ros.bags.metadata_file import custom_data, read_metadata, storage_files
from rena_ros.bags.reader import BagReader
from rena_ros.base.files import printable, user_path

_LONGEST = 60  # characters of a value of the bag's metadata; the robot file is longer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the argument of `rena bag info`."""
    parser.add_argument(
        "bag", type=user_path, metavar="BAG", help="a bag's folder, one of its files, or the folder of a session"
    )


def run(args: argparse.Namespace) -> int:
    """Print a table for each bag. Returns 0."""
    console = Console()
    for bag in [args.bag] if args.bag.is_file() else bags_in(args.bag):
        if bag.is_dir() and not is_finished(bag):
            _show_unfinished(console, bag)
        else:
            _show_finished(console, bag)
    return 0


def _show_unfinished(console: Console, bag: Path) -> None:
    remedy = "is being recorded at this moment" if is_locked(bag) else f"was cut off; mend it: rena bag recover {bag}"
    _print(console, f"{bag}: {remedy}")
    files = storage_files(bag)
    _print(console, f"  {len(files)} file(s), {_size(files)}")
    _show_metadata(console, custom_data(read_metadata(bag) or (embedded_information(files[0]) if files else None)))


def _show_finished(console: Console, bag: Path) -> None:
    with BagReader(bag) as reader:
        duration_s = (reader.end_ns - reader.start_ns) / 1e9
        files = [bag] if bag.is_file() else [path for path in bag.iterdir() if path.suffix != ".yaml"]
        since = f", since {datetime.fromtimestamp(reader.start_ns / 1e9):%Y-%m-%d %H:%M:%S}" if reader.start_ns else ""
        _print(console, f"{bag}: finished")
        total = sum(reader.counts.values())
        _print(console, f"  {len(files)} file(s), {_size(files)}, {total:,} messages, {duration_s:.1f} s{since}")
        table = Table(box=box.SIMPLE_HEAD)
        table.add_column("topic", overflow="fold")
        table.add_column("type", overflow="fold")
        table.add_column("messages", justify="right")
        table.add_column("per s", justify="right")
        for topic, msgtype in sorted(reader.topics.items()):
            count = reader.counts[topic]
            per_s = f"{(count - 1) / duration_s:.1f}" if duration_s and count > 1 else ""
            table.add_row(Text(topic), Text(msgtype), f"{count:,}", per_s)
        console.print(table)
        _show_metadata(console, reader.metadata)


def _show_metadata(console: Console, metadata: Mapping[str, str]) -> None:
    for key, value in metadata.items():
        lines = value.strip().splitlines() or [""]
        short = len(lines) == 1 and len(value) <= _LONGEST
        _print(console, f"  {key}: {value.strip() if short else f'{len(value):,} characters, {len(lines)} line(s)'}")


def _print(console: Console, text: str) -> None:
    console.print(Text(printable(text)), soft_wrap=True)


def _size(files: list[Path]) -> str:
    return f"{sum(path.stat().st_size for path in files) / 1e6:.1f} MB"
