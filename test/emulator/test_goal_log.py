"""The log of goals, against the frames that were sent."""

import csv

import numpy as np
import pytest
from servo_stand import ROBOT

from rena_ros.base.errors import RenaError
from rena_ros.bus import protocol
from rena_ros.bus.protocol import BROADCAST_ID, Instruction, Packet, to_word
from rena_ros.emulator.bank import ServoBank
from rena_ros.emulator.goal_log import NOT_COMMANDED, GoalLog


def expected(**ticks):
    row = np.full(25, NOT_COMMANDED)
    for name, tick in ticks.items():
        row[ROBOT.index[name]] = tick
    return row.tolist()


def test_goals_of_every_instruction_are_logged_as_sent():
    bank = ServoBank(ROBOT)
    rows = np.frombuffer(b"\0" + to_word(5000) + b"\0" + to_word(-3, 15), np.uint8).reshape(2, 3)
    frames = [
        protocol.write(21, 42, to_word(2100) + bytes(4)),
        protocol.sync_write([21, 23], 41, rows),
        protocol.encode(Packet(23, Instruction.REG_WRITE, b"\x28\1\0" + to_word(2222))),
        protocol.write(BROADCAST_ID, 42, to_word(2048)),
    ]
    others = [
        protocol.encode(Packet(BROADCAST_ID, Instruction.ACTION)),
        protocol.write(21, 40, b"\1"),
        protocol.write(21, 43, b"\1\1"),
        protocol.write(21, 41, b"\1\1"),
        protocol.read(21, 42, 2),
        protocol.sync_write([21], 44, np.zeros((1, 2), np.uint8)),
        protocol.sync_write([21], 41, np.zeros((1, 2), np.uint8)),
    ]
    for frame in [*frames, *others]:
        bank.advance(0.5)
        bank.receive(frame)
    log = list(bank.goals.frames)
    assert [goals.frame for goals in log] == frames
    assert [goals.time_s for goals in log] == pytest.approx([0.5, 1.0, 1.5, 2.0])
    assert [goals.ticks.tolist() for goals in log] == [
        expected(jaw=2100),
        expected(jaw=5000, neck_yaw=-3),
        expected(neck_yaw=2222),
        [2048] * 25,
    ]
    assert bank.goals.take() == log and not bank.goals.frames and bank.goals.count == 4


def test_the_log_in_memory_is_bounded_and_the_file_is_not(tmp_path):
    log = GoalLog(ROBOT.names, tmp_path / "deep" / "goals.csv", limit=2)
    bank = ServoBank(ROBOT, goals=log)
    for tick in (2100, 2101, 2102):
        bank.advance(0.25)
        bank.receive(protocol.write(21, 42, to_word(tick)))
    with open(tmp_path / "deep" / "goals.csv") as file:  # before it is closed: a killed emulator leaves it whole
        head, *lines = csv.reader(file)
    log.close()
    assert [goals.ticks[ROBOT.index["jaw"]] for goals in log.frames] == [2101, 2102] and log.count == 3
    assert head == ["time_s", *ROBOT.names]
    assert [float(line[0]) for line in lines] == [0.25, 0.5, 0.75]
    assert [[cell for cell in line[1:] if cell] for line in lines] == [["2100"], ["2101"], ["2102"]]
    assert lines[0][1 + ROBOT.index["jaw"]] == "2100"


def test_a_goal_file_that_cannot_be_written_is_an_error(tmp_path):
    with pytest.raises(RenaError, match="cannot write the goals"):
        GoalLog(ROBOT.names, tmp_path)
