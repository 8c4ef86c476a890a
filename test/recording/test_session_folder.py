"""The folder of a session: begun once, resumed only with the same recipe, and what its bags lack."""

import json

import pytest
from rosbags.typesys import Stores, get_typestore

from rena_ros.bags.writer import BagWriter, TopicQos
from rena_ros.base.errors import RenaError
from rena_ros.recording import session as sessions
from rena_ros.recording.marker import SampleMarker

TYPES = get_typestore(Stores.ROS2_JAZZY)
NS = 1_000_000_000
QOS = TopicQos(reliable=True, transient_local=False, depth=10)
TOPICS = {
    "/lab/sample": "diagnostic_msgs/msg/DiagnosticArray",
    "/lab/face/blendshapes": "sensor_msgs/msg/JointState",
    "/lab/camera/image_raw/compressed": "sensor_msgs/msg/CompressedImage",
}


@pytest.fixture
def recipe(tmp_path):
    """Make a robot and a strategy file, and begin sessions in a folder."""
    files = tmp_path / "my_robot.yaml", tmp_path / "my_strategy.yaml"
    for file in files:
        file.write_text(file.name)
    out = tmp_path / "session"
    out.mkdir()

    def begin(samples=10, seed=1, resume=False):
        return sessions.begin(out, samples, seed, *files, {"command": "rena collect"}, resume)

    begin.out, begin.robot = out, files[0]
    return begin


def header(stamp_ns):
    stamp = TYPES.types["builtin_interfaces/msg/Time"](stamp_ns // NS, stamp_ns % NS)
    return TYPES.types["std_msgs/msg/Header"](stamp, "")


def array(stamp_ns, *statuses):
    """Serialise a DiagnosticArray of (name, message, values)."""
    status, pair = TYPES.types["diagnostic_msgs/msg/DiagnosticStatus"], TYPES.types["diagnostic_msgs/msg/KeyValue"]
    made = [status(0, name, text, "", [pair(*one) for one in values.items()]) for name, text, values in statuses]
    message = TYPES.types["diagnostic_msgs/msg/DiagnosticArray"](header(stamp_ns), made)
    return bytes(TYPES.serialize_cdr(message, message.__msgtype__))


def reading(stamp_ns, names):
    import numpy as np

    empty = np.array([], np.float64)
    message = TYPES.types["sensor_msgs/msg/JointState"](header(stamp_ns), names, np.zeros(len(names)), empty, empty)
    return bytes(TYPES.serialize_cdr(message, message.__msgtype__))


def picture(stamp_ns):
    import numpy as np

    message = TYPES.types["sensor_msgs/msg/CompressedImage"](header(stamp_ns), "jpeg", np.zeros(4, np.uint8))
    return bytes(TYPES.serialize_cdr(message, message.__msgtype__))


def write_bag(folder, markers, *, faces=(), pictures=(), delay_s=None, close=True):
    writer = BagWriter(folder, {"namespace": "/lab"})
    for name, kind in TOPICS.items():
        writer.add_topic(name, kind, QOS)
    if delay_s is not None:
        writer.write("/lab/sample", 1, array(1, ("capture_delay", "measured", {"capture_delay_s": repr(delay_s)})))
    for marker in markers:
        both = ("sample", marker.verdict, marker.values()), ("goals", "", marker.goal_values())
        writer.write("/lab/sample", marker.image_ns, array(marker.image_ns, *both))
    names = [f"coefficient_of_some_length_{i}" for i in range(55)]
    for stamp in faces:
        writer.write("/lab/face/blendshapes", stamp, reading(stamp, names))
    for stamp in pictures:
        writer.write("/lab/camera/image_raw/compressed", stamp, picture(stamp))
    writer.flush()
    if close:
        writer.close()
    return writer


def marker(index, image_ns, verdict="accepted"):
    return SampleMarker(index, 0, 1, "head", {"jaw": 0.5}, verdict, 1, 2, image_ns, 4)


def test_a_sample_is_done_once_its_marker_picture_and_reading_are_in_a_bag(recipe):
    recipe(samples=6)
    bags = recipe.out / "bags"
    first = [marker(0, 100), marker(1, 200), marker(2, 300), marker(3, 400), marker(4, 500, "no face")]
    write_bag(bags / "0000", first, faces=[100, 200, 400, 500], pictures=[100, 300, 400, 500], delay_s=0.12)
    write_bag(bags / "0001", [marker(1, 600), marker(0, 700)], faces=[600, 700], pictures=[600, 700])
    held = sessions.stored(recipe.out)
    # 1 first lacks its picture, 2 its reading, 4 shows no face; 0 counts once, as it was first.
    assert {index: one.image_ns for index, one in held.samples.items()} == {0: 100, 1: 600, 3: 400}
    assert (held.rejected, held.incomplete, held.capture_delay_s) == ({"no face": 1}, 2, 0.12)
    assert sessions.missing(held.samples, 6) == [2, 4, 5]
    assert sessions.note_delay(recipe.out, held).capture_delay_s == 0.12
    assert recipe(samples=6, resume=True).capture_delay_s == 0.12


def test_a_reading_without_a_face_is_none(recipe):
    recipe()
    writer = write_bag(recipe.out / "bags/0000", [marker(0, 100)], pictures=[100], close=False)
    writer.write("/lab/face/blendshapes", 100, reading(100, []))
    writer.close()
    assert sessions.stored(recipe.out).samples == {}


def test_bags_that_were_cut_off_are_mended(recipe):
    recipe()
    write_bag(recipe.out / "bags/0000", [marker(0, 100)], faces=[100], pictures=[100])
    file = next((recipe.out / "bags/0000").glob("*.mcap"))
    with file.open("r+b") as cut:
        cut.truncate(file.stat().st_size - 60)
    assert sessions.mend(recipe.out) == 1
    assert list(sessions.stored(recipe.out).samples) == [0] and sessions.mend(recipe.out) == 0


def test_ranges_are_written_short():
    assert sessions.todo_text([]) == "" and sessions.todo_text([3]) == "3"
    assert sessions.todo_text([0, 1, 2, 5, 7, 8]) == "0-2,5,7-8"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, "add --resume"),
        ({"resume": True, "seed": 2}, "another seed"),
        ({"resume": True, "samples": 9}, "it can grow, not shrink"),
    ],
)
def test_what_does_not_go_on_is_refused(recipe, change, said):
    recipe()
    write_bag(recipe.out / "bags/0000", [])
    with pytest.raises(RenaError, match=said):
        recipe(**change)


def test_another_robot_is_refused(recipe):
    recipe()
    write_bag(recipe.out / "bags/0000", [])
    recipe.robot.write_text("another")
    with pytest.raises(RenaError, match="another robot"):
        recipe(resume=True)


def test_a_session_grows_and_notes_its_runs(recipe):
    recipe()
    write_bag(recipe.out / "bags/0000", [])
    assert len(recipe(samples=20, resume=True).runs) == 2
    assert sessions.load(recipe.out).samples == 20


def test_foreign_folders_and_files_are_refused(recipe):
    with pytest.raises(RenaError, match="no session to resume"):
        recipe(resume=True)
    (recipe.out / "thesis.tex").touch()
    with pytest.raises(RenaError, match=r"holds no session \(thesis.tex"):
        recipe()
    (recipe.out / "session.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(RenaError, match="no session that this version"):
        recipe(resume=True)


def test_one_run_at_a_time(tmp_path):
    refused = pytest.raises(RenaError, match="another run collects into")
    with sessions.locked(tmp_path / "s"), refused, sessions.locked(tmp_path / "s"):
        pass
    with sessions.locked(tmp_path / "s"):
        pass
