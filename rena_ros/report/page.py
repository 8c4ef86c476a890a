"""The page of a report, as Markdown: tables, plots and sentences."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from rena_ros.report.cells import Result, Results, median_of
from rena_ros.report.findings import PAPER_ERROR, own_error
from rena_ros.report.kinds import ModelKind
from rena_ros.report.page_shown import floor_by_servo, shown_faces, shown_films, shown_sequences, table
from rena_ros.report.parts import ADAPTED, FRESH, KNOWN, STRANGERS, TEST
from rena_ros.report.plan import LAMBDAS, OWN, PEOPLE, Protocol, curve_sizes

QUICK_NOTE = (
    "**This is a quick run: so few samples and epochs that its numbers mean nothing. It only shows that the machinery "
    "works.**"
)
_PAPER_TABLE_I = {0.0: "0.0275", 0.1: "0.0259", 0.01: "0.0234", 0.001: "0.0611"}  # as printed, "Error(%)"


def page(
    results: Results,
    protocol: Protocol,
    kinds: Mapping[str, ModelKind],
    servos: Sequence[tuple[str, str]],
    samples: int,
    sentences: Sequence[str],
    plots: Sequence[tuple[str, str]],
    origin: Mapping[str, Any],
) -> str:
    """Return the page. ``servos``: (name, region) each; ``samples``: training samples of the robot's own face.

    ``plots``: (file, caption) each; ``origin``: "versions" and "commit" are shown.
    """
    sections: list[Iterable[str]] = [
        _head(protocol, origin),
        ("## What reproduces and what does not", "", *(f"- {one}" for one in sentences)),
        _comparison(results, protocol, kinds),
        _regions(results, protocol, kinds, servos),
        floor_by_servo(results, _best_per_servo(results, protocol, kinds), [name for name, _ in servos]),
        _table_i(results, protocol, kinds),
        _curve(results, protocol, kinds, samples),
        _people(results, kinds),
        shown_faces(results, kinds),
        shown_sequences(results, kinds),
        shown_films(results, kinds),
        _cost(results, protocol, kinds),
        ("## Plots", "", *(line for name, caption in plots for line in (f"![{caption}]({name})", "", caption, ""))),
    ]
    return "\n\n".join("\n".join(section).rstrip() for section in map(list, sections) if section) + "\n"


def _head(protocol: Protocol, origin: Mapping[str, Any]) -> Iterator[str]:
    yield "# Results"
    yield ""
    if protocol.quick:
        yield QUICK_NOTE
        yield ""
    yield (
        f"Made by `rena report`, commit {origin['commit']}. {protocol.pool:,} samples of the robot's own face to "
        f"train, the last tenth of them only to choose epochs and learning rates, and {protocol.test:,} to test, on "
        f"which each model is measured once. Seeds: {', '.join(map(str, protocol.seeds))}; figures are means over "
        f"them ± their standard deviation. Each kind of model trains {protocol.epochs} epochs, with the best of "
        f"{protocol.trials} learning rates. Errors are RMSE of goals in % of a servo's range."
    )


def _comparison(results: Results, protocol: Protocol, kinds: Mapping[str, ModelKind]) -> Iterator[str]:
    parts = [name for name in (TEST, FRESH) if any(name in one["parts"] for one in results.runs)]
    rows = []
    for name, kind in kinds.items():
        setting = (name, OWN, protocol.pool, kind.consistency)
        if own_error(results, protocol, kinds, name) is None:
            continue
        runs = results.where(*setting)
        cells = [results.cell(setting, part) for part in parts]
        mae, gap = (results.cell(setting, TEST, figure) for figure in ("mae", "left_right_gap"))
        rate = median_of(runs, lambda one: one.get("learning_rate"))
        rows.append(
            [
                kind.title,
                *(cell.percent() if cell else "" for cell in cells),
                *(cell.percent() if cell else "" for cell in (mae, gap)),
                "" if rate is None else f"{rate:.2g}",
                _seconds(median_of(runs, lambda one: one.get("seconds"))),
            ]
        )
    yield f"## Models, {protocol.pool:,} samples"
    yield ""
    yield from table(("model", *parts, "MAE", "left/right gap", "learning rate", "seconds"), rows)
    yield ""
    yield (
        f"The paper reports {100 * PAPER_ERROR:.1f} % for attention + KAN, 5 % for an MLP on coefficients and 17 % for "
        "one on landmarks. Seconds: to train and measure one model, by the clock, waits on a busy machine included."
        + "".join(
            f" {kind.title}: {kind.settings['epochs']} epochs; the loss curves show whether it has come to rest."
            for kind in kinds.values()
            if "epochs" in kind.settings
        )
    )


def _regions(
    results: Results, protocol: Protocol, kinds: Mapping[str, ModelKind], servos: Sequence[tuple[str, str]]
) -> Iterator[str]:
    regions = list(dict.fromkeys(region for _, region in servos))
    rows = []
    for name, kind in kinds.items():
        runs = [one for one in results.where(name, OWN, protocol.pool, kind.consistency) if TEST in one["parts"]]
        if runs:
            medians = [median_of(runs, partial(_error_in, region)) for region in regions]
            rows.append([kind.title, *("" if median is None else f"{100 * median:.2f}" for median in medians)])
    yield "### By region (median of the seeds)"
    yield ""
    yield from table(("model", *regions), rows)


def _error_in(region: str, run: Result) -> float:
    error: float = run["parts"][TEST]["per_region"][region]
    return error


def _best_per_servo(results: Results, protocol: Protocol, kinds: Mapping[str, ModelKind]) -> tuple[str, list[float]]:
    """Return the title and the errors by servo, mean of the seeds, of the kind with the least error."""
    errors = {name: cell.mean for name in kinds if (cell := own_error(results, protocol, kinds, name)) is not None}
    if not errors:
        return "", []
    best = min(errors, key=lambda name: errors[name])
    runs = [one for one in results.where(best, OWN, protocol.pool, kinds[best].consistency) if TEST in one["parts"]]
    per_servo = np.mean([one["parts"][TEST]["per_servo"] for one in runs], axis=0)
    return kinds[best].title, per_servo.tolist()


def _table_i(results: Results, protocol: Protocol, kinds: Mapping[str, ModelKind]) -> Iterator[str]:
    rows = []
    for name, kind in kinds.items():
        if kind.attention is None:
            continue
        cells = [results.cell((name, OWN, protocol.pool, weight), TEST) for weight in LAMBDAS]
        rows.append([kind.title, "yes" if kind.attention else "no", *(c.percent() if c else "" for c in cells)])
    yield "## Table I: attention and λ"
    yield ""
    yield from table(("model", "attention", *(f"λ = {weight:g}" for weight in LAMBDAS)), rows)
    yield ""
    printed = ", ".join(f"{value} (λ = {weight:g})" for weight, value in _PAPER_TABLE_I.items())
    yield (
        f'The paper prints, as "Error(%)": {printed} for attention + KAN, 0.0203 for MLP with attention and 0.0240 '
        "without. So its own table has the MLP with attention below every KAN, and its worst λ is .001, though its "
        "text says that the error grows from .001 on."
    )


def _curve(results: Results, protocol: Protocol, kinds: Mapping[str, ModelKind], samples: int) -> Iterator[str]:
    part = FRESH if any(FRESH in one["parts"] for one in results.runs) else TEST
    sizes = curve_sizes(protocol, samples)
    rows = []
    for name, kind in kinds.items():
        if kind.curve:
            cells = [results.cell((name, OWN, size, kind.consistency), part) for size in sizes]
            rows.append([kind.title, *(cell.percent() if cell else "" for cell in cells)])
    yield f"## Learning curve ({part} part)"
    yield ""
    yield from table(("model", *(f"{size:,}" for size in sizes)), rows)


def _people(results: Results, kinds: Mapping[str, ModelKind]) -> Iterator[str]:
    wanted = (TEST, KNOWN, KNOWN + ADAPTED, STRANGERS, STRANGERS + ADAPTED)
    parts = [name for name in wanted if any(name in one["parts"] for one in results.runs)]
    if parts == [TEST]:
        return
    settings = {(one["run"]["kind"], one["run"]["data"], one["run"]["size"]): one["run"] for one in results.runs}
    pools = {size for _, data, size in settings if data == OWN}
    rows = []
    for (name, data, size), run in settings.items():
        kind = kinds[name]
        if not kind.people or (data == OWN and size != max(pools)) or run["consistency"] != kind.consistency:
            continue
        cells = [results.cell((name, data, size, kind.consistency), part) for part in parts]
        trained_on = "many identities" if data == PEOPLE else "own face"
        rows.append([kind.title, trained_on, f"{size:,}", *(cell.percent() if cell else "" for cell in cells)])
    yield "## People"
    yield ""
    yield from table(("model", "trained on", "samples", *parts), rows)
    yield ""
    yield (
        "Adapted: each reading is mapped by the resting face of its identity, as the policy does for models that do "
        "not read the neutral face themselves."
    )


def _cost(results: Results, protocol: Protocol, kinds: Mapping[str, ModelKind]) -> Iterator[str]:
    rows = []
    for name, kind in kinds.items():
        runs = [one for one in results.where(name, OWN, protocol.pool, kind.consistency) if "exported_us" in one]
        if not runs:
            continue
        exported = median_of(runs, lambda one: one["exported_us"])
        eager = median_of(runs, lambda one: one["eager_us"])
        ratio = median_of(runs, lambda one: one["exported_us"] / one["eager_us"])
        rows.append([kind.title, f"{runs[0]['parameters']:,}", f"{exported:.0f}", f"{eager:.0f}", f"{ratio:.2f}"])
    yield "## Cost of one answer (batch 1, one thread)"
    yield ""
    yield from table(("model", "parameters", "exported, µs", "eager torch, µs", "ratio"), rows)


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}" if value >= 10 else f"{value:.1f}"
