"""The kinds of models that the report compares: one row each, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ModelKind:
    """One kind of model.

    title: what the tables call it
    architecture: name in ``learning.network.ARCHITECTURES``; None: a baseline, named as in ``learning.baselines``
    settings: what differs from the recipe of the architecture and from ``ALIKE``
    consistency: the weight λ of Eq. 10 outside of Table I
    attention: with (True), without (False), or not a row of Table I (None)
    curve, people: whether the learning curve and the tables of identities show it
    rate: a fixed learning rate; None: tuned on the validation part
    teachers: a kind whose runs, one for each seed, teach this one, and whose learning rate it takes
    rate_of: a kind whose learning rate it takes
    chance: whether a baseline gives other goals with another seed, as networks do
    """

    title: str
    architecture: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    consistency: float = 0.0
    attention: bool | None = None
    curve: bool = False
    people: bool = False
    rate: float | None = None
    chance: bool = False
    teachers: str | None = None
    rate_of: str | None = None

    @property
    def tuned(self) -> bool:
        """Whether its learning rate is searched for."""
        return self.trained and not (self.rate or self.teachers or self.rate_of)

    @property
    def seeded(self) -> bool:
        """Whether it is made once for every seed."""
        return self.trained or self.chance

    @property
    def trained(self) -> bool:
        """Whether it has weights, a learning rate and seeds."""
        return self.architecture is not None


# What every network is trained with, so that they differ by what they are and not by how they are trained.
ALIKE = {"average": 0.998, "batch_size": 256, "weight_decay": 0.1, "input_noise": 0.05}
# To the letter of section V.D: Adam at a constant 1e-5. The paper does not give its epochs. So slow a rate needs
# about a thousand; 300 keep the report within hours, and the error still falls there.
_LETTER = {"optimiser": "adam", "average": 0.0, "weight_decay": 0.0, "input_noise": 0.0, "epochs": 300}
_TAUGHT = {"teacher_share": 0.5}  # Hinton et al.; half of what is learned are the teachers' mean goals

KINDS: dict[str, ModelKind] = {
    "mean": ModelKind("training mean"),
    "random": ModelKind("random training sample (RS)", chance=True),
    "nearest": ModelKind("nearest neighbour", curve=True),
    "ridge": ModelKind("ridge regression", curve=True, people=True),
    "landmark_mlp": ModelKind("MLP on landmarks (Eva)", "landmark_mlp"),
    "mlp": ModelKind("MLP", "mlp", attention=False, curve=True),
    "attention_mlp": ModelKind("attention + MLP", "mlp_attention", attention=True),
    "kan": ModelKind("KAN", "kan", attention=False),
    "attention_kan": ModelKind("attention + KAN", "attention_kan", {}, 0.01, attention=True, curve=True, people=True),
    "paper": ModelKind("attention + KAN, the paper's Adam", "attention_kan", _LETTER, 0.01, rate=1e-5),
    "landmark_kan": ModelKind("ours: KAN with landmarks", "landmark_kan", curve=True, people=True),
    "round_trip": ModelKind(
        "ours, with the round trip", "landmark_kan", {"round_trip": 0.05}, people=True, rate_of="landmark_kan"
    ),
    "distilled": ModelKind("ours, taught by ours of all seeds", "landmark_kan", _TAUGHT, teachers="landmark_kan"),
}
PAPER = "attention_kan"
ON_PEOPLE = ", trained on people"  # behind the name of a kind, and in its title


def title_of(name: str, kinds: Mapping[str, ModelKind]) -> str:
    """Return the title of a kind, whose name may have ON_PEOPLE behind it."""
    return kinds[name.removesuffix(ON_PEOPLE)].title + ON_PEOPLE * name.endswith(ON_PEOPLE)
