"""The effect of each servo on the face: goals -> weights of sculpted displacements, gaze and head pose.

The sculpted face units have ARKit's names. A **channel** is a weighted sum of face units, for most channels on one side
of the face (split with a smoothstep across the middle); the weight of a channel follows one or two servos.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rena_ros.base.arrays import FloatArray, IntArray
from rena_ros.robot.model import Robot

GAZE_RAD = np.radians(28.0)
NECK_RAD = np.radians([30.0, 18.0, 18.0])  # yaw, pitch, roll
LID_REST = 0.3
SIDE_BLEND = 0.12  # mesh units: half the width over which the two sides of the face are blended
LEFT_RIGHT = ("left", "right")
BASE = {"eyeWideLeft": 0.45, "eyeWideRight": 0.45}  # the neutral face; without it the lids hang

# channel -> (face unit, weight); {S} is Left or Right; a unit without {S} is split in the middle
SIDED = {
    "brow_raise": (("browOuterUp{S}", 1.35), ("browInnerUp", 1.35)),
    "brow_frown": (("browDown{S}", 1.8), ("noseSneer{S}", 0.1)),
    "lid_close": (("eyeBlink{S}", 1.0), ("eyeWide{S}", -0.45)),
    "lid_wide": (("eyeWide{S}", 1.1),),
    "gaze_up": (("eyeLookUp{S}", 1.2),),
    "gaze_down": (("eyeLookDown{S}", 1.0),),
    "lip_upper": (("mouthUpperUp{S}", 1.8), ("noseSneer{S}", 0.4)),
    "lip_lower": (("mouthLowerDown{S}", 2.2), ("jawOpen", 0.15)),
    "corner_up": (("mouthSmile{S}", 0.75), ("cheekSquint{S}", 0.35)),
    "corner_back": (("mouthStretch{S}", 1.15), ("mouthDimple{S}", 0.55)),
    "corner_down": (("mouthFrown{S}", 1.7), ("mouthStretch{S}", 0.35)),
}
CENTRAL = {"jaw": (("jawOpen", 1.15),), "pucker": (("mouthPucker", 1.0), ("mouthFunnel", 0.3))}
# The lower lip moves only close to the mouth; the chin moves with the jaw.
LOCAL = {("lip_lower", "jawOpen"), ("lip_lower", "mouthLowerDown")}
LOCAL_CENTRE = np.array([0.0, 6.7, 1.5])
LOCAL_RADIUS = 0.4


def _channels() -> dict[str, tuple[tuple[str, float, int], ...]]:
    """Return channel name -> (unit, weight, side): side +1 left, -1 right, 0 both."""
    channels: dict[str, tuple[tuple[str, float, int], ...]] = {}
    for name, parts in SIDED.items():
        for side, sign in (("left", 1), ("right", -1)):
            units = tuple((unit.format(S=side.title()), w, 0 if "{S}" in unit else sign) for unit, w in parts)
            channels[f"{name}_{side}"] = units
    channels.update({name: tuple((unit, w, 0) for unit, w in parts) for name, parts in CENTRAL.items()})
    return channels


CHANNELS = _channels()
UNITS = tuple(sorted({unit for parts in CHANNELS.values() for unit, _, _ in parts} | set(BASE)))


@dataclass(frozen=True)
class Pose:
    """The state of the face that belongs to the goals of all servos.

    ``weights`` float64 (len(CHANNELS),). ``gaze`` rad (2, 2): left eye, right eye: yaw (+ left), pitch (+ down).
    ``neck`` rad (3,): yaw (+ left), pitch (+ down), roll (+ right shoulder). ``lids`` (2,): 0 wide, 1 closed.
    """

    weights: FloatArray
    gaze: FloatArray
    neck: FloatArray
    lids: FloatArray


def sculpt(units: dict[str, tuple[IntArray, FloatArray]], points: FloatArray) -> list[FloatArray]:
    """Return the displacement of each channel, float64 (n, 3) each.

    ``units``: face unit -> (moved points (m,), displacement (m, 3)). ``points`` (n, 3): of the head at rest.
    """
    share = _smoothstep((points[:, 0] + SIDE_BLEND) / (2 * SIDE_BLEND))
    distance = np.linalg.norm((points - LOCAL_CENTRE) / (1.0, 1.0, 1.6), axis=1)
    near = _smoothstep((LOCAL_RADIUS - distance) / (0.6 * LOCAL_RADIUS))
    dense = []
    for channel, parts in CHANNELS.items():
        total = np.zeros((len(points), 3))
        for unit, weight, side in parts:
            index, delta = units[unit]
            scale = np.full(len(index), weight)
            if side:
                scale *= share[index] if side > 0 else 1 - share[index]
            if (channel.rsplit("_", 1)[0], unit.removesuffix("Left").removesuffix("Right")) in LOCAL:
                scale *= near[index]
            total[index] += scale[:, None] * delta
        dense.append(total)
    return dense


def pose(robot: Robot, goals: FloatArray) -> Pose:
    """Return the pose for goals (n,) in [0, 1], order of ``robot.names``."""
    goal = dict(zip(robot.names, np.asarray(goals, np.float64).tolist(), strict=True))
    weight = dict.fromkeys(CHANNELS, 0.0)
    gaze, lids = np.zeros((2, 2)), np.zeros(2)
    for i, side in enumerate(LEFT_RIGHT):
        for name in ("brow_{}_raise", "brow_{}_frown", "lip_upper_{}", "lip_lower_{}"):
            region, action = name.split("_{}")[0], name.split("_{}")[1].strip("_")
            weight["_".join(filter(None, (region, action, side)))] = goal[name.format(side)]
        for action in ("up", "back", "down"):
            weight[f"corner_{action}_{side}"] = goal[f"corner_{side}_{action}"]
        gaze[i] = [(2 * goal[f"eye_{side}_{axis}"] - 1) * GAZE_RAD for axis in ("yaw", "pitch")]
        lids[i] = goal[f"lid_{side}"]
        closed = max(0.0, (lids[i] - LID_REST) / (1 - LID_REST))
        weight[f"lid_close_{side}"] = closed
        weight[f"lid_wide_{side}"] = max(0.0, (LID_REST - lids[i]) / LID_REST)
        down = gaze[i, 1] / GAZE_RAD * (1 - closed)
        weight[f"gaze_down_{side}"] = max(0.0, down)
        weight[f"gaze_up_{side}"] = max(0.0, -down)
    weight["jaw"], weight["pucker"] = goal["jaw"], goal["pucker"]
    neck = np.array([2 * goal[f"neck_{axis}"] - 1 for axis in ("yaw", "pitch", "roll")]) * NECK_RAD
    return Pose(np.array([weight[name] for name in CHANNELS]), gaze, neck, lids)


def goals_of(robot: Robot, expression: Mapping[str, float]) -> FloatArray:
    """Return the goals of an expression, float64 (n,); a servo that it does not name is at neutral.

    ``expression``: servo -> goal; ``{}`` stands for both sides.
    """
    goals = robot.neutral_goals.astype(np.float64)
    for pattern, goal in expression.items():
        for name in {pattern.format(side) for side in LEFT_RIGHT}:
            goals[robot.index[name]] = goal
    return goals


def _smoothstep(x: FloatArray) -> FloatArray:
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)
