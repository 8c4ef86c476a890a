"""The stage moves the emulated servos exactly as frames made by hand do, and as version 0.1.0 did."""

import hashlib

import numpy as np
import pytest

from rena_ros.collecting.stage import Stage
from rena_ros.emulator.bank import ServoBank
from rena_ros.robot.file import load_robot
from rena_ros.strategy.file import load_strategy
from rena_ros.strategy.plan import planned
from rena_ros.twin.body import load_body
from rena_ros.twin.face import TwinFace

ROBOT = load_robot()
# The SHA-256 of the arrays `goals` (float32) and `positions` (float64, rad) of `rena collect --samples 24 --seed 1`
# with version 0.1.0, in which the stage made its frames without the driver.
GOALS_OF_SEED_1 = "4625f98d307e826d"
POSITIONS_OF_SEED_1 = "c8dc7f1547e6cf70"


@pytest.fixture(scope="module")
def stage():
    with Stage(ROBOT, 160, 120) as stage:
        yield stage


def frame(instruction: int, *parameters: int) -> bytes:
    """Broadcast frame by the protocol manual: ff ff id length instruction parameters, and the inverted sum."""
    body = [0xFE, len(parameters) + 2, instruction, *parameters]
    return bytes([0xFF, 0xFF, *body, ~sum(body) & 0xFF])


def sync_write(address: int, rows: list[list[int]]) -> bytes:
    values = [byte for servo_id, row in zip(ROBOT.ids.tolist(), rows, strict=True) for byte in (servo_id, *row)]
    return frame(0x83, address, len(rows[0]), *values)


class HandDrivenServos:
    """A bank that hears frames made here: torque on, goal position, present position. In ticks."""

    def __init__(self):
        self.bank = ServoBank(ROBOT)
        self.bank.receive(sync_write(40, [[1]] * 25))

    def move(self, ticks: list[int]) -> list[int]:
        """Send goals, wait until no servo moves, and return the positions that the servos report."""
        self.bank.receive(sync_write(42, [[tick & 0xFF, tick >> 8] for tick in ticks]))
        while self.bank.moving.any():
            self.bank.advance(0.05)
        replies = self.bank.receive(frame(0x82, 56, 2, *ROBOT.ids.tolist()))
        assert len(replies) == 25 * 8  # ff ff id 4 status low high checksum
        rows = [replies[8 * i : 8 * i + 8] for i in range(25)]
        assert [row[2] for row in rows] == ROBOT.ids.tolist()
        return [row[5] | row[6] << 8 for row in rows]


def test_servos_come_to_rest_where_frames_made_by_hand_bring_them(stage):
    stage.reset()
    servos = HandDrivenServos()
    turns = np.where([servo.reversed for servo in ROBOT.servos], -1, 1) * 4096 / (2 * np.pi)
    for expression in planned(ROBOT, load_strategy(), seed=7, samples=20):
        commanded = ROBOT.positions(expression.goals)
        ticks = np.rint(ROBOT.neutral_ticks + turns * commanded).astype(int).tolist()
        assert servos.move(ticks) == ticks
        rested = stage.move(commanded)
        assert np.rint(ROBOT.neutral_ticks + turns * rested).astype(int).tolist() == ticks


def test_a_seed_gives_the_samples_that_it_gave_before(stage):
    stage.reset()
    plan = planned(ROBOT, load_strategy(), seed=1, samples=24)
    goals = np.stack([expression.goals for expression in plan])
    positions = np.stack([stage.move(ROBOT.positions(expression.goals)) for expression in plan])
    assert hashlib.sha256(goals.tobytes()).hexdigest().startswith(GOALS_OF_SEED_1)
    assert hashlib.sha256(positions.tobytes()).hexdigest().startswith(POSITIONS_OF_SEED_1)


def test_a_body_changes_the_picture_and_nothing_else(stage, tmp_path):
    path = tmp_path / "body.yaml"
    path.write_text("look: performer\noffset: {jaw: 0.25}\n")
    goals = planned(ROBOT, load_strategy(), seed=7, samples=1)[0].goals.copy()
    goals[ROBOT.index["jaw"]] = 0.5
    stage.reset()
    with Stage(ROBOT, 160, 120, load_body(path, ROBOT)) as foreign:
        shown = foreign.show(goals)
    np.testing.assert_array_equal(shown.positions, stage.show(goals).positions)
    drawn = ROBOT.goals(shown.positions)
    drawn[ROBOT.index["jaw"]] += 0.25
    wanted = TwinFace(ROBOT, 160, 120, look="performer").render(drawn)
    assert np.abs(shown.picture.astype(int) - wanted).max() <= 1  # the sum in float32 and in float64


def test_a_command_that_the_limiter_would_change_is_refused(stage):
    stage.reset()
    pulling_apart = ROBOT.neutral_goals.copy()
    pulling_apart[[ROBOT.index["corner_left_up"], ROBOT.index["corner_left_down"]]] = 1
    with pytest.raises(ValueError, match="not an expression"):
        stage.show(pulling_apart)
    np.testing.assert_allclose(stage.move(np.zeros(25)), 0, atol=1e-9)
