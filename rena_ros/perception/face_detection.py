"""The output of MediaPipe's short-range face detector -> rects of faces. No network here: arrays in, rects out.

Restated from `face_detector_graph.cc` and the calculators that it names: 896 anchors, one class, weighted non-maximum
suppression. Six points come with each box; the first two are the eyes.
"""

import numpy as np

from rena_ros.base.arrays import FloatArray
from rena_ros.perception.face_rect import ENLARGED, FaceRect, tilt

SIDE = 128  # px, side of the detector's input: the square of the picture's longer side about its middle
_LEAST_RAW_SCORE = 0.0  # the sigmoid of it is .5
_HIGHEST_RAW_SCORE = 100.0
_SAME_BOX_IOU = 0.5


def _anchors() -> FloatArray:
    """Return the anchors' centres, float32 (896, 2), x and y in fractions: 16x16 cells with 2 each, 8x8 with 6."""
    centres = [
        ((column + 0.5) / cells, (row + 0.5) / cells)
        for cells, count in ((16, 2), (8, 6))
        for row in range(cells)
        for column in range(cells)
        for _ in range(count)
    ]
    return np.array(centres, np.float32)


_ANCHORS = _anchors()


def face_rects(boxes: FloatArray, scores: FloatArray, limit: int, width: int, height: int) -> list[FaceRect]:
    """Return the rects of the faces found in a picture of ``width`` x ``height`` px, best first, at most ``limit``.

    ``boxes`` (896, 16): x, y, width, height and six points in px of the input, from the anchors' centres. ``scores``
    (896,): raw, before the sigmoid.
    """
    likely = np.flatnonzero(scores >= _LEAST_RAW_SCORE)
    if not likely.size:
        return []
    found = boxes[likely].astype(np.float64) / SIDE
    found[:, :2] += _ANCHORS[likely] - found[:, 2:4] / 2
    sound = (found[:, 2:4] >= 0).all(axis=1)
    found[:, 2:4] += found[:, :2]
    found[:, 4:] += np.tile(_ANCHORS[likely], 6)
    certain = 1 / (1 + np.exp(-np.minimum(scores[likely].astype(np.float64), _HIGHEST_RAW_SCORE)))
    averages = _suppressed(found[sound], certain[sound])[:limit]
    return [_rect(outline, width, height) for outline in averages]


def _suppressed(outlines: FloatArray, scores: FloatArray) -> list[list[float]]:
    """Return the weighted averages of outlines that overlap, best first.

    ``outlines`` (n, 16): x and y of two corners, then of the six points.
    """
    order = np.argsort(-scores, kind="stable").tolist()
    corners = outlines[:, :4].tolist()  # few boxes: plain numbers take a third of the time of arrays
    averages = []
    while order:
        together = [i for i in order if i == order[0] or _overlap(corners[order[0]], corners[i]) > _SAME_BOX_IOU]
        weights = scores[together]
        averages.append((weights @ outlines[together] / weights.sum()).tolist())
        order = [i for i in order if i not in together]
    return averages


def _overlap(one: list[float], other: list[float]) -> float:
    """Return the intersection over union of two boxes, each left, top, right, bottom."""
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    if across <= 0 or down <= 0:
        return 0.0
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return across * down / (sum(areas) - across * down)


def _rect(outline: list[float], width: int, height: int) -> FaceRect:
    """Return the rect about an outline (16 numbers), which is in fractions of the square, in a picture."""
    longer = max(width, height)
    (left, right, eye_x, other_x), (top, bottom, eye_y, other_y) = (
        [(value * longer + (side - longer) / 2) / side for value in outline[first:8:2]]
        for first, side in ((0, width), (1, height))
    )
    rotation = tilt((other_x - eye_x) * width, (other_y - eye_y) * height)
    size = (right - left) * ENLARGED, (bottom - top) * ENLARGED
    return FaceRect((left + right) / 2, (top + bottom) / 2, *size, rotation)
