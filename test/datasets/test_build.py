"""Building from bags: pairs by stamps, refusals by reason, and nothing half. Expected values come from the stand."""

import json
import random
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from session_stand import (
    NAMES,
    ROBOT,
    START_MS,
    World,
    features_at,
    goals_of,
    joints,
    jpeg,
    landmarks_at,
    pixels_at,
)

from rena_ros import cli
from rena_ros.base.errors import RenaError
from rena_ros.datasets import build_pictures
from rena_ros.datasets.build_judge import REASONS
from rena_ros.datasets.dataset import block_rows, load_dataset, read_shard
from rena_ros.perception.face_reader import FaceReading
from rena_ros.recording.session import SessionFile, save


def build(out, *sources, code=0, **options):
    """`rena dataset build`; returns (dataset, figures)."""
    figures = out.with_name(f"{out.name}.json")
    given = [(f"--{name.replace('_', '-')}", value) for name, value in options.items()]
    words = [str(word) for pair in given for word in pair if word != ""]
    arguments = ["dataset", "build", *map(str, sources), "--out", str(out), "--workers", "1", "--json", str(figures)]
    assert cli.main(arguments + words) == code
    return (load_dataset(out), json.loads(figures.read_text())) if code == 0 else None


def reasons(figures) -> dict[int, str]:
    return {refusal["sample"]: refusal["reason"] for refusal in figures["refusals"]}


@pytest.mark.parametrize("delay_ms", [0, 120])
def test_samples_are_paired_by_stamps_whatever_the_order_of_arrival(tmp_path, delay_ms):
    world = World(samples=8, delay_ms=delay_ms)
    rows = world.rows()
    random.Random(3).shuffle(rows)
    dataset, figures = build(tmp_path / "out", world.write(tmp_path / "bag", rows))
    assert (len(dataset), figures["refused"], dataset.names) == (8, {}, NAMES)
    extra = read_shard(tmp_path / "out", 0, ("sample", "seed", "capture_ns", "state_ns", "command_ns", "image_ns"))
    for i in range(8):
        seen_ms = world.seen_ms(i)
        np.testing.assert_array_equal(dataset.goals[i], goals_of(i))
        np.testing.assert_array_equal(dataset.features[i], features_at(seen_ms))
        np.testing.assert_array_equal(dataset.landmarks[i], landmarks_at(seen_ms))
        assert dataset.image(i).read_bytes() == jpeg(pixels_at(seen_ms))
        # The picture was taken at a multiple of 20 ms, when the servos were read; they creep by 1 µrad each ms.
        np.testing.assert_allclose(dataset.positions[i], world.positions_at(seen_ms), rtol=0, atol=1e-9)
        assert extra["capture_ns"][i] == extra["state_ns"][i] == seen_ms * 10**6
        assert extra["image_ns"][i] == (seen_ms + delay_ms) * 10**6
        assert extra["command_ns"][i] == seen_ms * 10**6
    assert extra["sample"].tolist() == list(range(8)) and set(extra["seed"]) == {5}
    assert dataset.groups.tolist() == [f"group {i}" for i in range(8)]


def test_without_its_delay_a_late_camera_gives_other_positions(tmp_path):
    world = World(samples=3, delay_ms=120)
    dataset, _ = build(tmp_path / "out", world.write(tmp_path / "bag"), capture_delay=0)
    np.testing.assert_allclose(dataset.positions[1], world.positions_at(world.seen_ms(1) + 120), atol=1e-9)


@pytest.mark.parametrize(
    ("storage", "raw", "namespace"), [("mcap", False, "/lab"), ("sqlite3", False, ""), ("sqlite3", True, "/lab/left")]
)
def test_plain_bags_of_ros2_bag_record_are_read(tmp_path, storage, raw, namespace):
    world = World(samples=3, raw=raw, namespace=namespace)
    (tmp_path / "robot.yaml").write_text(ROBOT)
    bag = world.write(tmp_path / "bag", storage=storage, metadata={})
    dataset, _ = build(tmp_path / "out", bag, robot_file=tmp_path / "robot.yaml")
    np.testing.assert_array_equal(dataset.goals, [goals_of(i) for i in range(3)])
    assert dataset.image(0).read_bytes()[:2] == b"\xff\xd8"
    assert dataset.meta["source"]["kind"] == "bags"


def test_a_single_file_of_a_bag_is_read(tmp_path):
    bag = World(samples=2).write(tmp_path / "bag")
    (tmp_path / "robot.yaml").write_text(ROBOT)
    dataset, _ = build(tmp_path / "out", next(bag.glob("*.mcap")), robot_file=tmp_path / "robot.yaml")
    assert len(dataset) == 2


def test_two_robots_in_one_bag_need_a_namespace(tmp_path, capsys):
    world = World(samples=2)
    rows = world.rows()
    twice = [(f"{name}/{topic}", ns, message) for name in ("left", "right") for topic, ns, message in rows]
    bag = world.write(tmp_path / "bag", twice)
    build(tmp_path / "out", bag, code=2)
    assert "topics sample, in /left, /right: say which with --namespace" in capsys.readouterr().err
    assert len(build(tmp_path / "out", bag, namespace="right")[0]) == 2


def test_each_reason_is_counted_and_named(tmp_path, capsys):
    world = World(samples=16)
    world.change(1, verdict="no face")
    world.change(2, goals={**world.marker(2).goals, "nose": 0.5})
    world.change(3, goals={**world.marker(3).goals, "jaw": 1.25})
    world.change(4, goals={"jaw": 0.5, "smile": 0.6, "sad": 0.6})  # antagonists
    world.change(5, image_ns=world.marker(6).image_ns)  # the picture of another expression
    world.change(6, image_ns=world.marker(6).image_ns + 1)  # no picture has this stamp
    world.change(7, image_ns=world.marker(7).command_ns + 350 * 10**6)  # a moment before they had settled
    world.markers[14] = world.marker(13)  # 14 never came; 13 twice
    moving, away = (range(world.seen_ms(i) - 40, world.seen_ms(i) + 41) for i in (8, 9))
    rows = []
    for topic, ns, message in world.rows():
        ms = ns // 10**6
        of = next((i for i in range(16) if ms == world.seen_ms(i)), None)
        if topic == "joint_states":
            if ms in moving:
                message.position[1] += 0.001 * (ms - moving.start)
            if ms in away:
                message.position[0] -= 0.15
            if abs(ms - world.seen_ms(10)) < 60:
                message.position[2] = np.nan  # a servo does not reply
        elif topic == "face/blendshapes" and of == 11:
            message = joints(ms, (), ())
        elif topic == "face/blendshapes" and of == 12:
            continue
        elif topic.startswith("camera") and of == 15:
            _, _, message = world.picture(ms, np.full((48, 64, 3), 90, np.uint8))
        elif topic.startswith("camera") and of == 0:
            message = replace(message, data=message.data[:200])
        rows.append((topic, ns, message))
    dataset, figures = build(tmp_path / "out", world.write(tmp_path / "bag", rows))
    expected = {0: "damaged picture", 1: "rejected by babble", 2: "robot differs", 3: "out of limits"}
    expected |= {4: "out of limits", 5: "late", 6: "no picture", 7: "unsettled", 8: "unsettled", 9: "unsettled"}
    expected |= {10: "no state", 11: "faceless", 12: "no reading", 13: "duplicate", 15: "blurred"}
    assert reasons(figures) == expected
    assert figures["refused"]["rejected by babble: no face"] == 1 and figures["refused"]["unsettled"] == 3
    assert dataset.meta["refused"] == figures["refused"]
    np.testing.assert_array_equal(dataset.goals, [goals_of(13)])
    printed = capsys.readouterr().out
    assert "refused 3: unsettled" in printed and "sample 7: the picture was taken 50 ms before" in printed
    assert "13 indices of the walk have no sample" in printed


def test_a_bag_of_another_robot_is_refused_and_named(tmp_path):
    other = ROBOT.replace("max_ticks: 2448", "max_ticks: 2400", 1)
    bags = [World(samples=2).write(tmp_path / "a"), World(2, first=2).write(tmp_path / "b", metadata={"robot": other})]
    dataset, figures = build(tmp_path / "out", *bags)
    assert len(dataset) == 2 and reasons(figures) == {2: "robot differs", 3: "robot differs"}


def test_the_bags_of_a_session_are_one_walk_in_the_order_of_its_indices(tmp_path):
    session = tmp_path / "session"
    (session / "bags").mkdir(parents=True)
    save(session, SessionFile(samples=5, seed=5, robot_sha256="", strategy_sha256="", capture_delay_s=0.12))
    late, early = World(samples=3, first=2, delay_ms=120), World(samples=3, first=0, delay_ms=120)
    for number, world in enumerate((late, early)):
        world.markers = [replace(marker, capture_delay_s=0.0) for marker in world.markers]
        world.write(session / f"bags/000{number}")
    dataset, figures = build(tmp_path / "out", session)
    np.testing.assert_array_equal(dataset.goals, [goals_of(i) for i in range(5)])
    assert figures["refused"] == {"duplicate": 1}  # index 2 is in both
    # The delay comes from the session.
    np.testing.assert_allclose(dataset.positions[0], early.positions_at(early.seen_ms(0)), atol=1e-9)
    assert [bag["samples"] for bag in dataset.meta["source"]["bags"]] == [3, 2]  # of the two, the earlier


def test_the_reading_at_rest_is_that_of_still_neutral_servos(tmp_path):
    dataset, _ = build(tmp_path / "out", World(samples=2, delay_ms=120).write(tmp_path / "bag"))
    # Of the 2 s at neutral, from 0.3 s on, the last picture in each half second counts.
    at_rest = [features_at(START_MS + ms) for ms in (450, 950, 1450, 1950)]
    np.testing.assert_array_equal(np.float32(dataset.meta["robot_rest"]), np.median(at_rest, axis=0))
    with np.load(tmp_path / "out/rest.npz") as rest:
        np.testing.assert_array_equal(rest["features"], at_rest)
        assert rest["stamps_ns"].tolist() == [(START_MS + ms) * 10**6 for ms in (450, 950, 1450, 1950)]


def test_bags_without_the_neutral_face_are_refused_until_a_bag_shows_it(tmp_path, capsys):
    world = World(samples=3)
    rows = [row for row in world.rows() if row[1] >= world.begin_ms(0) * 10**6]
    moved = world.write(tmp_path / "moved", rows)
    build(tmp_path / "out", moved, code=2)
    assert "record some seconds of the robot at neutral" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    rest = world.write(tmp_path / "rest", [row for row in world.rows() if row[1] < world.begin_ms(0) * 10**6])
    assert len(build(tmp_path / "out", moved, rest)[0]) == 3


class BrightnessReader:
    """Stands for FaceReader: reads the mean brightness of a picture; a bright one has no face."""

    def __init__(self, *, video):
        assert not video

    def read(self, rgb):
        mean = float(rgb.mean())
        points = np.full((478, 3), mean, np.float32)
        return None if mean > 120 else FaceReading(np.full(52, mean / 255, np.float32), 0.0, 0.0, 0.0, points, 1)

    def close(self):
        pass


def test_pictures_are_read_again_when_asked_to(tmp_path, monkeypatch):
    monkeypatch.setattr(build_pictures, "FaceReader", BrightnessReader)
    world = World(samples=3, landmarks=False)
    white = world.seen_ms(1)
    rows = world.rows()
    at = next(i for i, (topic, ns, _) in enumerate(rows) if topic.startswith("camera") and ns == white * 10**6)
    rows[at] = world.picture(white, pixels_at(white) + 55)
    bag = world.write(tmp_path / "bag", rows)
    recorded, _ = build(tmp_path / "recorded", bag)
    assert recorded.meta["landmarks_missing"] == 3 and np.isnan(recorded.landmarks).all()
    dataset, figures = build(tmp_path / "out", bag, recompute="")
    assert reasons(figures) == {1: "faceless"} and dataset.meta["landmarks_missing"] == 0
    mean = pixels_at(world.seen_ms(2)).mean()
    np.testing.assert_allclose(dataset.features[1, :52], mean / 255, atol=0.01)
    np.testing.assert_allclose(dataset.landmarks[1], mean, atol=2)


def test_a_bag_without_readings_is_read_again(tmp_path, monkeypatch):
    monkeypatch.setattr(build_pictures, "FaceReader", BrightnessReader)
    world = World(samples=2, delay_ms=120, landmarks=False)
    rows = [row for row in world.rows() if row[0] != "face/blendshapes"]
    dataset, _ = build(tmp_path / "out", world.write(tmp_path / "bag", rows), recompute="")
    # The last picture in each half second; at 2000 ms the servos had not begun to move yet.
    at_rest = [pixels_at(START_MS + ms).mean() / 255 for ms in (450, 950, 1450, 1950, 2000)]
    np.testing.assert_allclose(dataset.meta["robot_rest"][0], np.median(at_rest), atol=0.01)
    assert (len(dataset), dataset.meta["rest_readings"]) == (2, 5)


def test_several_processes_see_the_same(tmp_path):
    paths = []
    for number in range(12):
        paths.append(tmp_path / f"{number}.jpg")
        paths[-1].write_bytes(jpeg(pixels_at(number))[: 300 if number == 4 else None])
    alone = list(build_pictures.look_at(paths, read=False, workers=1))
    assert list(build_pictures.look_at(paths, read=False, workers=2)) == alone
    assert [bool(look.damage) for look in alone] == [number == 4 for number in range(12)]


def test_nothing_is_left_of_an_interrupted_build(tmp_path, monkeypatch, capsys):
    bag = World(samples=2).write(tmp_path / "bag")
    before = sorted(tmp_path.iterdir())

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("rena_ros.datasets.build.write_beside", interrupted)
    build(tmp_path / "out", bag, code=130)
    assert sorted(tmp_path.iterdir()) == before
    monkeypatch.undo()
    (tmp_path / ".out.building/dataset").mkdir(parents=True)
    (tmp_path / ".out.building/dataset/meta.json").write_text("of a build that was killed")
    build(tmp_path / "out", bag)
    assert not (tmp_path / ".out.building").exists()
    content = (tmp_path / "out/meta.json").read_bytes()
    build(tmp_path / "out", bag, code=2)
    assert "not empty: choose another --out" in capsys.readouterr().err
    assert (tmp_path / "out/meta.json").read_bytes() == content


@pytest.mark.parametrize("options", [{"capture_delay": "nan"}, {"capture_delay": 120}, {"tolerance": "inf"}])
def test_impossible_numbers_are_refused_before_a_bag_is_read(tmp_path, capsys, options):
    build(tmp_path / "out", tmp_path / "no-bag", code=2, **options)
    assert next(iter(options)).replace("_", "-") in capsys.readouterr().err


def test_a_bag_without_markers_names_the_remedy(tmp_path, capsys):
    world = World(samples=2)
    bag = world.write(tmp_path / "bag", [row for row in world.rows() if row[0] != "sample"])
    build(tmp_path / "out", bag, code=2)
    assert "no message on the topic sample" in capsys.readouterr().err


def test_test_samples_are_blocks_of_neighbours():
    held_out = block_rows(1000, 230, {"rule": "blocks", "block": 50, "seed": 3})
    blocks = held_out.reshape(20, 50)
    order = np.random.default_rng(3).permutation(20)
    assert blocks[order[:4]].all() and not blocks[order[5:]].any()
    np.testing.assert_array_equal(np.flatnonzero(blocks[order[4]]), np.arange(30))
    assert block_rows(130, 40, {"rule": "blocks", "block": 50, "seed": 0}).sum() == 40  # with a block of 30
    with pytest.raises(RenaError, match="split that this version"):
        block_rows(10, 5, {"rule": "thirds"})


def test_the_split_of_a_built_dataset_is_the_rule_in_its_meta(tmp_path):
    bag = World(samples=6).write(tmp_path / "bag")
    dataset, _ = build(tmp_path / "blocks", bag, split_seed=7)
    assert dataset.meta["split"] == {"rule": "blocks", "block": 50, "seed": 7}
    train, test = dataset.split(2)
    held_out = block_rows(6, 2, dataset.meta["split"])
    np.testing.assert_array_equal(test.goals, dataset.goals[held_out])
    np.testing.assert_array_equal(train.goals, dataset.goals[~held_out])
    assert test.image(0) == dataset.image(int(np.flatnonzero(held_out)[0]))
    last, _ = build(tmp_path / "last", bag, split="last")
    np.testing.assert_array_equal(last.split(2)[1].goals, dataset.goals[4:])


def test_the_lines_of_numpy_in_the_documentation_read_a_dataset(tmp_path):
    dataset, _ = build(tmp_path / "out", World(samples=3).write(tmp_path / "bag"))
    text = (Path(__file__).parents[2] / "docs/dataset.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.S)
    read = {}
    exec(code.replace('"DIR"', repr(str(tmp_path / "out"))), read)
    np.testing.assert_array_equal(read["goals"], dataset.goals)
    np.testing.assert_array_equal(read["features"], dataset.features)
    assert read["pictures"] == [dataset.image(i) for i in range(3)]


def test_the_documentation_lists_every_reason_and_every_array(tmp_path):
    text = (Path(__file__).parents[2] / "docs/dataset.md").read_text(encoding="utf-8")
    assert [reason for reason in REASONS if reason not in text] == []
    dataset, _ = build(tmp_path / "out", World(samples=2).write(tmp_path / "bag"))
    with np.load(tmp_path / "out/shards/00000.npz") as file:
        assert [name for name in (*file.files, *dataset.meta) if f"`{name}`" not in text] == []
