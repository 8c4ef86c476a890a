"""A frame, as every source gives it."""

from dataclasses import dataclass

from rena_ros.base.arrays import ByteArray


@dataclass(frozen=True)
class Frame:
    """One frame, ``rgb``: uint8 (h, w, 3), C-contiguous.

    ``t_s``: its time in the clip; for a camera, its capture time as ``time.monotonic()``.
    """

    rgb: ByteArray
    t_s: float
