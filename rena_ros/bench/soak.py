"""`rena bench soak`: an endurance run of the servos node on emulated servos with random faults, 50 commands a second.

It reports memory, open files and threads of both processes and the time to read all states, minute by minute.
"""

import argparse
import contextlib
import json
import math
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live

from rena_ros.base.errors import RenaError
from rena_ros.base.files import user_path, write_json
from rena_ros.bench.machine import Machine, ProcessState
from rena_ros.bench.processes import child_process, interruptible, wait_for_link
from rena_ros.bench.report import begin, save_figures
from rena_ros.bench.soak_report import Soak, judge_growth, per_minute, plot, table
from rena_ros.emulator.faults import KINDS
from rena_ros.robot.file import load_robot

SAMPLE_S = 1.0
MAX_DOMAIN = 232  # the ports of a higher domain would be above 65535
WATCHED = ("emulator", "servos")
FAULT_LASTS_S = (0.3, 4.0)
# Those that occur on a robot that has been set up.
FAULT_KINDS = [kind for kind in KINDS if kind not in ("same_id", "eeprom_locked", "wrong_baud")]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `rena bench soak` takes."""
    parser.add_argument("--minutes", type=float, default=30.0, metavar="M", help="how long (default 30)")
    parser.add_argument("--rate", type=float, default=10.0, metavar="N", help="faults per minute (default 10)")
    parser.add_argument("--seed", type=int, default=0, help="of the random faults (default 0)")
    parser.add_argument("--robot-file", metavar="FILE", help="servos and limits; default: config/rena.yaml")
    parser.add_argument("--domain", type=int, metavar="ID", help="ROS domain; default: one that is hardly in use")
    parser.add_argument("--out", type=user_path, default=Path("out/soak"), metavar="DIR", help="default: out/soak")


def run(args: argparse.Namespace) -> int:
    """Run, then judge. Returns 0; 1 when a figure grew, a process died or a goal broke a limit; 130 if interrupted."""
    if not (0 < args.minutes < math.inf and 0 <= args.rate <= 6000 and args.seed >= 0):
        raise RenaError("--minutes must be above 0, --rate 0 to 6000, and --seed not negative")
    if args.domain is not None and not 0 <= args.domain <= MAX_DOMAIN:
        raise RenaError(f"--domain {args.domain} is outside 0..{MAX_DOMAIN}")
    load_robot(args.robot_file)  # reports its faults before the run
    console, machine = begin(args.out)
    soak, died, whole = Soak(), "", True
    with interruptible():
        try:
            with _processes(args) as (processes, lines):
                died = _watch(soak, processes, lines, args.minutes * 60, console)
        except KeyboardInterrupt:
            whole = False
    report = _read_report(args.out / "emulator.json")
    console.print(table(soak))
    verdicts = judge_growth(soak)
    for verdict in verdicts:
        word, style = ("grows", "red") if verdict.grew else ("flat", "")
        medians = f"{verdict.early:.2f} -> {verdict.late:.2f} (allowed {verdict.allowed:.2f})"
        console.print(f"{word}: {verdict.name}: {medians}", style=style, highlight=False)
    if report:
        counts = ", ".join(f"{name} {value}" for name, value in report.items() if isinstance(value, (int, dict)))
        console.print(f"the emulator counted: {counts}", highlight=False)
    wrong = [f"{verdict.name} grows" for verdict in verdicts if verdict.grew]
    wrong += [died] if died else []
    wrong += ["goals outside the limits"] if report and report.get("limit_violations") else []
    figures: dict = {"machine": vars(machine), "load_at_end": Machine.now().load, "minutes": args.minutes}
    figures |= {"faults_per_minute": args.rate, "seed": args.seed, "whole": whole, "wrong": wrong, "emulator": report}
    figures |= {"growth": [verdict.as_dict() for verdict in verdicts], "per_minute": per_minute(soak)}
    save_figures(console, args.out, "soak", figures)
    if path := plot(soak, args.out):
        console.print(f"plot: {path}", highlight=False, soft_wrap=True)
    for what in wrong:
        console.print(f"wrong: {what}", style="red", highlight=False)
    if not verdicts:
        console.print("too short to tell whether anything grows", style="yellow")
    return 1 if wrong else 0 if whole else 130


@contextlib.contextmanager
def _processes(args: argparse.Namespace) -> Iterator[tuple[dict[str, subprocess.Popen], queue.Queue]]:
    """Run emulator, servos node and exerciser, ended in reverse order; yield them and the exerciser's lines."""
    link = args.out / "servos"
    robot = ("--robot-file", args.robot_file) if args.robot_file else ()
    emulator: tuple[str, ...] = ("--link", str(link), "--report", str(args.out / "emulator.json"), *robot)
    if args.rate:
        faults = args.out / "faults.yaml"
        random = {"seed": args.seed, "rate_per_minute": args.rate, "kinds": FAULT_KINDS, "for_s": FAULT_LASTS_S}
        write_json(faults, {"random": random})  # JSON is YAML
        emulator += ("--faults", str(faults))
    ros = ("--ros-args", "-r", "__ns:=/soak", *(("-p", f"robot_file:={args.robot_file}") if args.robot_file else ()))
    domain = args.domain if args.domain is not None else 10 + os.getpid() % 80
    environment = {**os.environ, "ROS_DOMAIN_ID": str(domain), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    commands = {
        "emulator": ("rena_ros.emulator.emulator", emulator),
        "servos": ("rena_ros.nodes.servos", (*ros, "-p", f"port:={link}", "-p", "autostart:=true")),
        "exerciser": ("rena_ros.bench.exerciser", ros),
    }
    lines: queue.Queue = queue.Queue()
    with contextlib.ExitStack() as stack:
        processes = {}
        for name, (module, arguments) in commands.items():
            log = stack.enter_context((args.out / f"{name}.log").open("w", encoding="utf-8"))
            command = (sys.executable, "-m", module, *arguments)
            output = subprocess.PIPE if name == "exerciser" else log
            processes[name] = stack.enter_context(
                child_process(command, stop_s=10.0, env=environment, stdout=output, stderr=log, encoding="utf-8")
            )
            if name == "emulator":
                wait_for_link(link, processes[name], f"see {log.name}")
        threading.Thread(target=_pass_on, args=(processes["exerciser"].stdout, lines), daemon=True).start()
        yield processes, lines


def _pass_on(stream: Iterable[str], lines: queue.Queue) -> None:
    for line in stream:
        lines.put(line)


def _watch(soak: Soak, processes: dict, lines: queue.Queue, length_s: float, console: Console) -> str:
    """Observe the run once a second until its end; return which process died, or nothing."""
    end_s = soak.began_s + length_s
    with Live(console=console, refresh_per_second=2, transient=True) as live:
        while (now_s := time.monotonic()) < end_s:
            for name, process in processes.items():
                if process.poll() is not None:
                    return f"{name} ended with code {process.returncode}"
            soak.processes.append({"time_s": now_s, **{name: ProcessState.of(processes[name].pid) for name in WATCHED}})
            with contextlib.suppress(queue.Empty):
                while True:
                    soak.bus.append(json.loads(lines.get_nowait()))
            live.update(Group(table(soak), f"{now_s - soak.began_s:.0f} of {length_s:.0f} s; Ctrl-C ends it early"))
            time.sleep(max(0.0, now_s + SAMPLE_S - time.monotonic()))
    return ""


def _read_report(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):
        return {}
