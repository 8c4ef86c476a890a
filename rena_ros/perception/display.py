"""A decoded frame as a player shows it: square pixels, upright, sRGB."""

from fractions import Fraction
from functools import lru_cache
from typing import Any

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from rena_ros.base.arrays import ByteArray
from rena_ros.perception import hdr

# Numbers of ITU-T H.273: matrices that say nothing.
_UNKNOWN_MATRICES = (2, 3)
# Of these, scaling before converting takes half the time of both at once.
_SCALED_FIRST = ("yuv420p", "yuvj420p")
_LIKELY_ASPECTS = (Fraction(1, 10), Fraction(10))


class Display:
    """Makes pictures of the frames of one video; it keeps swscale's tables from frame to frame."""

    def __init__(self, longest_side: int) -> None:
        """``longest_side``: largest width or height of a picture, pixels; a larger frame is scaled down."""
        self._longest_side = longest_side
        self._scaler, self._converter = VideoReformatter(), VideoReformatter()

    def picture(self, frame: av.VideoFrame, aspect: Fraction | None = None) -> ByteArray:
        """Return the picture, uint8 (h, w, 3) RGB, C-contiguous; ``aspect``: width of a pixel by its height, if known.

        Matrix, range, bit depth and high dynamic range are taken from the frame; alpha is dropped. Raises
        av.error.FFmpegError for a format that swscale does not convert.
        """
        width, height = shown_size(frame.width, frame.height, aspect, self._longest_side)
        is_hdr = frame.color_trc in (hdr.PQ, hdr.HLG)
        shrinks = width <= frame.width and height <= frame.height
        scaling = Interpolation.AREA if shrinks else Interpolation.BICUBIC
        scaled = frame
        if frame.format.name in _SCALED_FIRST and not is_hdr:
            scaled = self._scaler.reformat(frame, width=width, height=height, interpolation=scaling, threads=1)
        converted = self._converter.reformat(
            scaled,
            width=width,
            height=height,
            format="rgb48le" if is_hdr else "rgb24",
            src_colorspace=_matrix(frame, is_hdr),
            interpolation=scaling,
            dst_color_range=ColorRange.JPEG,
            threads=1,
        )
        rgb = converted.to_ndarray()
        return turned(hdr.to_srgb(rgb, frame.color_trc) if is_hdr else rgb, display_matrix(frame))


@lru_cache(maxsize=8)
def shown_size(width: int, height: int, aspect: Fraction | None, longest_side: int) -> tuple[int, int]:
    """Return width and height with square pixels, neither above ``longest_side``; the height is kept if possible."""
    if aspect is None or not _LIKELY_ASPECTS[0] <= aspect <= _LIKELY_ASPECTS[1]:
        aspect = Fraction(1)
    shown_width = width * aspect
    scale = min(Fraction(1), longest_side / max(shown_width, Fraction(height)))
    return max(1, round(shown_width * scale)), max(1, round(height * scale))


def display_matrix(frame: av.VideoFrame) -> tuple[float, float, float, float]:
    """Return a, b, c, d of the frame's display matrix; (1, 0, 0, 1) without one.

    A pixel at (p, q), q downwards, is shown at (a p + c q, b p + d q) (ISO/IEC 14496-12, 6.2.2).
    """
    try:
        data: Any = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # PyAV gives no side data when it does not know the kind of one; its rotation does without
        angle = -np.deg2rad(frame.rotation)
        return np.cos(angle), np.sin(angle), -np.sin(angle), np.cos(angle)
    if data is None:
        return 1.0, 0.0, 0.0, 1.0
    entries = np.frombuffer(bytes(data), np.int32) / 65536
    return entries[0], entries[1], entries[3], entries[4]


def turned(rgb: np.ndarray, matrix: tuple[float, float, float, float]) -> ByteArray:
    """Turn and flip a picture (h, w, 3) as a display matrix (a, b, c, d) says, by the nearest multiple of 90°."""
    a, b, c, d = matrix
    if abs(b) + abs(c) > abs(a) + abs(d):
        rgb, across, down = cv2.transpose(rgb), c, b
    else:
        across, down = a, d
    if across < 0 or down < 0:
        rgb = cv2.flip(rgb, -1 if across < 0 and down < 0 else int(across < 0))
    return np.ascontiguousarray(rgb, np.uint8)


def _matrix(frame: av.VideoFrame, is_hdr: bool) -> Colorspace | None:
    """Return the matrix from YUV to RGB where the frame does not say it: as players guess, by size; None otherwise."""
    if frame.format.is_rgb or frame.colorspace not in _UNKNOWN_MATRICES:
        return None
    if is_hdr:
        return Colorspace.BT2020
    return Colorspace.ITU709 if frame.width >= 1280 or frame.height > 576 else Colorspace.ITU601
