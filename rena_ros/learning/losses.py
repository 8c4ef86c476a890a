"""The loss of the paper, Eq. 8 to 10."""

from torch import Tensor, nn

from rena_ros.learning.metrics import consistency_pairs


class FaceLoss(nn.Module):
    """Mean squared error plus ``weight`` times the left/right gap of the predicted eyes and brows (Eq. 10).

    Both terms are means over samples and servos. The paper prints the squared norm in Eq. 9, but converts its
    test loss of 0.0020 to 4.4 %, which is the root of a mean.
    """

    def __init__(self, servo_names: tuple[str, ...], weight: float):
        super().__init__()
        self.weight = weight
        self.pairs = [tuple(zip(*pairs, strict=True)) for pairs in consistency_pairs(servo_names).values() if pairs]

    def forward(self, predicted: Tensor, goals: Tensor) -> Tensor:
        """Return the loss, a scalar, of predicted goals (n, 25) against the true ones (n, 25)."""
        error = (predicted - goals).square().mean()  # Eq. 9
        if self.weight == 0 or not self.pairs:
            return error
        gap = sum((predicted[:, left] - predicted[:, right]).abs().mean() for left, right in self.pairs)  # Eq. 8
        return error + self.weight * gap
