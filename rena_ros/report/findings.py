"""What reproduces and what does not, in plain sentences computed from the results."""

from collections.abc import Iterator, Mapping

import numpy as np

from rena_ros.report.cells import Cell, Results, compared, differs
from rena_ros.report.kinds import PAPER, ModelKind, title_of
from rena_ros.report.parts import FRESH, KNOWN, STRANGERS, TEST
from rena_ros.report.plan import LAMBDAS, OWN, PEOPLE, Protocol, curve_sizes

PAPER_ERROR = 0.044  # "servo control error rate of only 4.4 %", section V.B

PAPER_LAMBDA = 0.01  # "has been optimally set to 0.01", section IV.D


def findings(
    results: Results, protocol: Protocol, kinds: Mapping[str, ModelKind], servo_names: tuple[str, ...], samples: int
) -> list[str]:
    """Return the sentences; ``samples``: training samples of the robot's own face."""
    errors = {name: cell for name in kinds if (cell := own_error(results, protocol, kinds, name)) is not None}
    found: list[str] = []
    trained = [name for name in errors if kinds[name].trained]
    if trained:
        best = min(trained, key=lambda name: errors[name].mean)
        found += _best(best, errors, kinds)
        found += _worst_servo(results, protocol, kinds, best, servo_names)
    found += _attention(results, protocol, kinds)
    for name in kinds:
        found += _lambda(results, protocol, kinds, name)
    for name, kind in kinds.items():
        found += _curve(results, protocol, kind, name, samples)
        found += _people(results, kind, name)
    found += _film(results, kinds)
    found += _floor(results, servo_names)
    return found


def own_error(results: Results, protocol: Protocol, kinds: Mapping[str, ModelKind], name: str) -> Cell | None:
    """Return the test error of a kind in the comparison on the robot's own face."""
    return results.cell((name, OWN, protocol.pool, kinds[name].consistency), TEST)


def _best(best: str, errors: Mapping[str, Cell], kinds: Mapping[str, ModelKind]) -> Iterator[str]:
    title, error = kinds[best].title, errors[best]
    yield (
        f"{title} has the least error on the robot's own face, {error.percent()} %; the paper reports "
        f"{100 * PAPER_ERROR:.1f} % for its model on its robot."
    )
    baselines = {name: cell for name, cell in errors.items() if not kinds[name].trained}
    if baselines:
        close = [name for name, cell in baselines.items() if error.mean >= cell.mean or not differs(error, cell)]
        if close:
            shown = ", ".join(f"{kinds[name].title} ({baselines[name].percent()} %)" for name in close)
            yield f"It is not below every baseline by more than the spread: {shown}."
        else:
            beyond = " by more than the spread" if error.runs > 1 else ", by one seed"
            nearest = min(baselines, key=lambda name: baselines[name].mean)
            yield (
                f"It is below every baseline{beyond}; the best of them is {kinds[nearest].title} with "
                f"{baselines[nearest].percent()} %."
            )
    if PAPER in errors and best != PAPER:
        yield compared(title, error, kinds[PAPER].title, errors[PAPER])


def _worst_servo(
    results: Results, protocol: Protocol, kinds: Mapping[str, ModelKind], best: str, servo_names: tuple[str, ...]
) -> Iterator[str]:
    runs = [one for one in results.where(best, OWN, protocol.pool, kinds[best].consistency) if TEST in one["parts"]]
    mean = np.mean([one["parts"][TEST]["per_servo"] for one in runs], axis=0)
    order = np.argsort(mean)[::-1][:3]
    shown = ", ".join(f"`{servo_names[i]}` {100 * mean[i]:.1f} %" for i in order)
    yield f"Its worst servos are {shown}."


def _attention(results: Results, protocol: Protocol, kinds: Mapping[str, ModelKind]) -> Iterator[str]:
    """Compare at equal λ, 0: so the two differ by attention alone."""
    cells = {name: results.cell((name, OWN, protocol.pool, 0.0), TEST) for name in kinds}
    errors = {name: cell for name, cell in cells.items() if cell is not None}
    for without, with_attention in (("kan", "attention_kan"), ("mlp", "attention_mlp")):
        if without in errors and with_attention in errors:
            a, b = errors[with_attention], errors[without]
            verdict = "it helps" if a.mean < b.mean else "it harms"
            if not differs(a, b):
                verdict = "it makes no difference that shows"
            if max(a.runs, b.runs) < 2:
                verdict = "undecided"
            yield f"Attention: {verdict}. {compared(kinds[with_attention].title, a, kinds[without].title, b)}"
    if "kan" in errors and "mlp" in errors:
        yield f"KAN against MLP: {compared(kinds['kan'].title, errors['kan'], kinds['mlp'].title, errors['mlp'])}"


def _lambda(results: Results, protocol: Protocol, kinds: Mapping[str, ModelKind], name: str) -> Iterator[str]:
    cells = {weight: results.cell((name, OWN, protocol.pool, weight), TEST) for weight in LAMBDAS}
    there = {weight: cell for weight, cell in cells.items() if cell is not None}
    if len(there) < len(LAMBDAS) or kinds[name].attention is None:
        return
    best = min(there, key=lambda weight: there[weight].mean)
    yield (
        f"λ of Eq. 10 in {kinds[name].title}: the least error is that of λ = {best:g}; the paper chose "
        f"{PAPER_LAMBDA:g}. " + compared(f"λ = {PAPER_LAMBDA:g}", there[PAPER_LAMBDA], "λ = 0", there[0.0])
    )


def _curve(results: Results, protocol: Protocol, kind: ModelKind, name: str, samples: int) -> Iterator[str]:
    part = FRESH if any(FRESH in one["parts"] for one in results.runs) else TEST
    sizes = curve_sizes(protocol, samples) if kind.curve else ()
    cells = {size: results.cell((name, OWN, size, kind.consistency), part) for size in sizes}
    there = {size: cell for size, cell in cells.items() if cell is not None and cell.mean > 0}
    if len(there) < 3:
        return
    x, y = np.log(list(there)), np.log([cell.mean for cell in there.values()])
    slope = np.polyfit(x, y, 1)[0]
    first, last = min(there), max(there)
    change = (
        f"doubling the samples multiplies the error by {2**slope:.2f}" if slope < 0 else "more samples do not help it"
    )
    yield (
        f"Samples, {kind.title}: {there[first].percent()} % with {first:,}, {there[last].percent()} % with {last:,} "
        f"({part} part); {change}, by a power law through all sizes."
    )


def _people(results: Results, kind: ModelKind, name: str) -> Iterator[str]:
    runs = [one["run"] for one in results.runs if one["run"]["kind"] == name and one["run"]["data"] == PEOPLE]
    if not runs:
        return
    setting = (name, PEOPLE, runs[0]["size"], kind.consistency)
    known, unknown = results.cell(setting, KNOWN), results.cell(setting, STRANGERS)
    if known is None or unknown is None:
        return
    yield (
        f"People, {kind.title} trained on many identities: {unknown.percent()} % on identities never trained on, "
        f"{unknown.mean / known.mean:.2f} times its {known.percent()} % on those it knows."
    )


def _film(results: Results, kinds: Mapping[str, ModelKind]) -> Iterator[str]:
    there = {name: one for name, one in results.films.items() if one.get("mean_r") is not None}
    if not there:
        return
    best = max(there, key=lambda name: there[name]["mean_r"])
    one = there[best]
    weak = [
        f"`{channel}` {r:.2f}" for channel, r in sorted(one["channels"].items(), key=lambda item: item[1]) if r < 0.6
    ]
    yield (
        f"On the film {title_of(best, kinds)} follows the person best: mean r {one['mean_r']:.3f}; "
        + (f"below .6 stay {', '.join(weak)}." if weak else "no channel is below .6.")
    )
    yield (
        f"Table III: it reaches {100 * one['space']:.1f} in space, {100 * one['time']:.1f} in time and "
        f"{100 * one['smoothness']:.1f} in smoothness; a robot that stands still {100 * one['space_still']:.1f}, "
        f"{100 * one['time_still']:.1f} and 100. The paper reports 91.8, 88.1 and 92.7."
    )


def _floor(results: Results, servo_names: tuple[str, ...]) -> Iterator[str]:
    for what, one in results.floor.items():
        if isinstance(one, dict) and what.endswith(", moved"):
            worst, read = (
                int(np.argmax(one["per_servo"])),
                what.removesuffix(", moved").replace("with", "coefficients and"),
            )
            yield (
                f"An oracle that reads {read} would err by {100 * one['overall']:.2f} %, most at "
                f"`{servo_names[worst]}` ({100 * one['per_servo'][worst]:.1f} %)."
            )
