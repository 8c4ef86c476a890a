"""`rena bench twin` on a few pictures."""

from rich.console import Console

from rena_ros.bench import twin_frames
from rena_ros.bench.twin_frames import BLOCK, LOOKS, READING, REST, STAGES, _show, measured
from rena_ros.twin import raster


def test_the_stages_of_a_picture_are_parts_of_it():
    drawn, colour = [], raster.colour
    figures = measured(BLOCK, lambda: drawn.append(1))
    assert raster.colour is colour and len(drawn) == BLOCK
    assert set(figures) == {*LOOKS, READING}
    for name in LOOKS:
        row = figures[name]
        assert all(row[stage] > 0 for stage in (*STAGES, REST))
        assert max(row[stage] for stage in STAGES) < row["p95_ms"]
    console = Console(width=160, record=True)
    _show(console, figures)
    assert all(name in console.export_text(clear=False) for name in (*LOOKS, READING, *STAGES))


def test_too_few_pictures_are_refused(capsys):
    from rena_ros import cli

    assert cli.main(["bench", "twin", "--frames", "1"]) == 2
    assert f"at least {twin_frames.BLOCK}" in capsys.readouterr().err
