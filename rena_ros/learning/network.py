"""The networks: one of several architectures from readings to goals.

``attention_kan`` is that of Zhu et al., "Awakening Facial Emotional Expressions in Human-Robot"; ``landmark_mlp`` is
the kind that it is compared with, after Chen et al., "Smile Like You Mean It" (Eva).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from rena_ros.learning.attention import CoefficientAttention
from rena_ros.learning.inputs import Inputs, Readings
from rena_ros.learning.kan import Kan
from rena_ros.perception.face_reader import COEFFICIENT_NAMES, READING_NAMES


@dataclass(frozen=True)
class Architecture:
    """What a network is made of.

    attention: over the coefficients, before the layers. kan: layers of splines, else a multilayer perceptron.
    landmarks: None, "points" (all coordinates, and the pose that the alignment took out of them) or "components".
    may_rest: whether it can read the neutral face as well.
    """

    attention: bool = False
    kan: bool = False
    landmarks: str | None = None
    may_rest: bool = False


ARCHITECTURES = {
    "mlp": Architecture(may_rest=True),
    "mlp_attention": Architecture(attention=True),
    "kan": Architecture(kan=True, may_rest=True),
    "attention_kan": Architecture(attention=True, kan=True),
    "landmark_mlp": Architecture(landmarks="points"),
    "landmark_kan": Architecture(kan=True, landmarks="components", may_rest=True),
}


@dataclass(frozen=True)
class NetworkConfig:
    """Shape of the network. ``settings`` describes the fields that options set; ``floor``: see ``log_odds``."""

    coefficients: int = len(COEFFICIENT_NAMES)
    pose: int = len(READING_NAMES) - len(COEFFICIENT_NAMES)
    servos: int = 25
    token: int = 16
    readout: int = 2
    hidden: int = 128
    intervals: int = 5
    floor: float = 0.003
    architecture: str = "attention_kan"
    depth: int = 2
    components: int = 60
    identity_components: int = 10
    rest: bool = False

    @property
    def reads(self) -> tuple[str, ...]:
        """The names of what the network reads, fields of ``Readings``, in their order."""
        wanted = {"features": True, "landmarks": ARCHITECTURES[self.architecture].landmarks is not None}
        wanted |= {"rest_features": self.rest, "rest_landmarks": self.rest and wanted["landmarks"]}
        return tuple(name for name, is_read in wanted.items() if is_read)


class Network(nn.Module):
    """The whole network: readings -> goals in the order of the robot's servos.

    The goals are not clamped here: outside [0, 1] training needs a gradient, and ``Policy`` clips them once.
    """

    def __init__(self, config: NetworkConfig):
        super().__init__()
        self.config, self.architecture = config, ARCHITECTURES[config.architecture]
        self.inputs = Inputs(
            config.coefficients,
            config.pose,
            config.floor,
            config.components if self.architecture.landmarks == "components" else 0,
            config.identity_components,
            self.architecture.landmarks == "points",
            config.rest,
        )
        width, self.attention = self.inputs.size, None
        if self.architecture.attention:
            self.attention = CoefficientAttention(config.coefficients, config.token, config.readout)
            width = config.coefficients * config.readout + config.pose
        widths = (width, *[config.hidden] * config.depth, config.servos)
        self.head = Kan(widths, config.intervals) if self.architecture.kan else perceptron(widths)

    def fit_inputs(self, readings: Readings) -> None:
        """Set the normalisation of the inputs, and the components if there are any, from training readings."""
        self.inputs.fit(readings)

    def forward(self, *readings: Tensor) -> Tensor:
        """Return goals (n, 25), not clamped, for what the network reads, in the order of ``config.reads``."""
        return self.goals(self.inputs(Readings(**dict(zip(self.config.reads, readings, strict=True)))))

    def goals(self, numbers: Tensor) -> Tensor:
        """Return goals (n, 25), not clamped, for the numbers (n, k) that ``inputs`` makes of readings."""
        if self.attention is None:
            # tanh: a real person's readings may lie far outside the range of the robot's own.
            return self.head(torch.tanh(numbers))
        coefficients, pose = numbers.split((self.config.coefficients, self.config.pose), dim=1)
        attended = torch.tanh(self.attention(torch.tanh(coefficients)))
        return self.head(torch.cat((attended, pose), dim=1))

    def tie(self, groups: Sequence[Sequence[int]]) -> None:
        """Let the servos of each group give the same goal from now on: the mean of what each of them gives."""
        last = self.head.layers[-1] if isinstance(self.head, Kan) else self.head[-1]
        with torch.no_grad():
            for name, weights in last.named_parameters():
                # Linear layers hold a row for each servo, layers of splines a column.
                by_servo = weights if name in ("weight", "bias") else weights.T
                for group in groups:
                    by_servo[list(group)] = by_servo[list(group)].mean(dim=0, keepdim=True)


def tied_servos(goals: Tensor) -> list[list[int]]:
    """Return the groups of servos that have equal goals (n, servos) in every row, such as two eyes."""
    groups: list[list[int]] = []
    for servo in range(goals.shape[1]):
        group = next((one for one in groups if torch.equal(goals[:, one[0]], goals[:, servo])), None)
        if group is None:
            groups.append([servo])
        else:
            group.append(servo)
    return [group for group in groups if len(group) > 1]


def perceptron(widths: tuple[int, ...]) -> nn.Sequential:
    """Return a multilayer perceptron with silu between its layers: (n, widths[0]) -> (n, widths[-1])."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.SiLU()]
    return nn.Sequential(*layers[:-1])
