"""An oracle of the robot's own face: what a reading without noise shows of goals, learned from many samples.

``measures.floor`` makes of it the error that no model can go below.
"""

import numpy as np
import torch

from rena_ros.base.arrays import FloatArray
from rena_ros.learning.forward import FLOOR, ForwardModel
from rena_ros.learning.inputs import Components, log_odds
from rena_ros.learning.samples import Samples

COMPONENTS = 60  # of the landmarks, as ``NetworkConfig`` has them
OF_A_COMPONENT = 20.0  # scale of the components, distances of the outer eye corners, beside log odds


class Oracle:
    """The numbers of a reading: log odds of 52 coefficients, 3 angles in rad, then components of the landmarks.

    ``numbers`` computes them from readings, ``shown`` predicts them from goals.
    """

    def __init__(self, samples: Samples, seed: int, epochs: int | None = None):
        """Learn the face of ``samples``, all of the robot, with landmarks. The same seed gives the same oracle."""
        self.components = Components(COMPONENTS)
        self.components.fit(_tensor(samples.landmarks))
        features = self._features(samples)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.forward = ForwardModel(features, samples.goals.shape[1])
        self.forward.fit(torch.from_numpy(samples.goals), features, seed, *(() if epochs is None else (epochs,)))

    def numbers(self, samples: Samples) -> FloatArray:
        """Return the numbers (n, 55 + 60) of readings; goals are not looked at."""
        features = self._features(samples)
        coefficients, others = features.split((self.forward.coefficients, features.shape[1] - 52), dim=1)
        found: FloatArray = torch.cat((log_odds(coefficients, FLOOR), others), dim=1).double().numpy()
        return found

    def shown(self, goals: FloatArray) -> FloatArray:
        """Return the numbers (n, 55 + 60) that the face would show of goals (n, 25), without noise."""
        with torch.no_grad():
            coefficients, others = self.forward(torch.from_numpy(np.asarray(goals, np.float32)))
            found: FloatArray = torch.cat((log_odds(coefficients, FLOOR), others), dim=1).double().numpy()
        return found

    def _features(self, samples: Samples) -> torch.Tensor:
        with torch.no_grad():
            components = OF_A_COMPONENT * self.components(_tensor(samples.landmarks))
        return torch.cat((torch.from_numpy(samples.features), components), dim=1)


def _tensor(array: FloatArray | None) -> torch.Tensor:
    if array is None:
        raise ValueError("an oracle needs samples with landmarks")
    return torch.from_numpy(np.ascontiguousarray(array, np.float32))
