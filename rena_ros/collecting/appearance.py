"""How the face of a dataset looks: whose it is, and what of a real bench is imitated."""

from dataclasses import dataclass

import numpy as np

from rena_ros.twin.people import PREFIX

OWN = 0  # in ``identities``: the robot's own face; people are numbered from 1


@dataclass(frozen=True)
class Appearance:
    """Whose face is drawn, and under what circumstances.

    ``people``: how many persons take turns, of ``turn`` samples each; 0: the robot's own face alone. ``first_person``:
    the number of the first of them. ``nuisance``: whether light, camera, mount and servos vary. ``seed``: of the
    dataset.
    """

    people: int = 0
    first_person: int = 1
    nuisance: bool = False
    seed: int = 0
    turn: int = 100

    @property
    def varies(self) -> bool:
        """Whether a sample must say whose face it shows and how that face rests."""
        return bool(self.people) or self.nuisance

    def identity(self, sample: int) -> int:
        """Return the person of the sample with this number, from 0, or OWN."""
        return self.first_person + sample // self.turn % self.people if self.people else OWN

    def look(self, sample: int) -> str | None:
        """Return the look of the sample's person, None for that of the robot's body."""
        return f"{PREFIX}{self.identity(sample)}" if self.people else None

    def of_turn(self, sample: int) -> np.random.Generator | None:
        """Return the generator of what stays the same within the sample's turn, None without nuisance."""
        return np.random.default_rng([self.seed, 2, sample // self.turn]) if self.nuisance else None

    def of_sample(self, sample: int, attempt: int) -> np.random.Generator | None:
        """Return the generator of one sample's nuisance, None without."""
        return np.random.default_rng([self.seed, 3, sample, attempt]) if self.nuisance else None
