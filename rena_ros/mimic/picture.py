"""One picture of the film: the person with landmarks on the left, the robot on the right, the figures below."""

import itertools
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from rena_ros.base.arrays import ByteArray

PANEL_WIDTH, PANEL_HEIGHT, BAND_HEIGHT = 640, 480, 48
_BACKGROUND = (24, 26, 30)
_TEXT, _DIM = (236, 238, 240), (150, 156, 164)
_ACCENT = (94, 214, 190)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
# The contours of MediaPipe's face mesh, as chains of its landmarks.
# fmt: off
_CHAINS = (
    (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291), (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291),  # lips
    (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308), (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308),
    (263, 249, 390, 373, 374, 380, 381, 382, 362), (263, 466, 388, 387, 386, 385, 384, 398, 362),  # left eye
    (33, 7, 163, 144, 145, 153, 154, 155, 133), (33, 246, 161, 160, 159, 158, 157, 173, 133),  # right eye
    (276, 283, 282, 295, 285), (300, 293, 334, 296, 336),  # left brow
    (46, 53, 52, 65, 55), (70, 63, 105, 66, 107),  # right brow
    (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150,
     136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109, 10),  # oval
    (474, 475, 476, 477, 474), (469, 470, 471, 472, 469),  # irises
)
# fmt: on


@dataclass(frozen=True)
class Caption:
    """The line below the pictures; ``latency_ms`` None: this frame led to no command."""

    time_s: float
    total_s: float
    latency_ms: float | None
    face: bool


def from_jpeg(data: bytes) -> ByteArray:
    """Decode a picture of the spool, uint8 (h, w, 3) RGB."""
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


def film_size(with_robot: bool) -> tuple[int, int]:
    """Width and height of the film in pixels, both even as 4:2:0 colour requires."""
    return PANEL_WIDTH * (2 if with_robot else 1), PANEL_HEIGHT + BAND_HEIGHT


def compose(
    person: np.ndarray | None,
    landmarks: np.ndarray | None,
    robot: np.ndarray | None,
    caption: Caption,
    with_robot: bool = True,
) -> np.ndarray:
    """Draw one picture, uint8 (h, w, 3) RGB of ``film_size``.

    ``person``, ``robot``: uint8 (h, w, 3) RGB of any size, or None before the first one arrived. ``landmarks``:
    float32 (478, 3) in fractions of the person's picture, or None.
    """
    width, height = film_size(with_robot)
    canvas = np.empty((height, width, 3), np.uint8)
    canvas[:] = _BACKGROUND
    _panel(canvas, 0, person, "person", landmarks)
    if with_robot:
        _panel(canvas, PANEL_WIDTH, robot, "robot")
    _band(canvas, caption)
    return canvas


def _panel(canvas: np.ndarray, left: int, picture: np.ndarray | None, title: str, landmarks=None) -> None:
    panel = canvas[:PANEL_HEIGHT, left : left + PANEL_WIDTH]
    if picture is None:
        _write(panel, "waiting for the first picture", (180, PANEL_HEIGHT // 2), 0.55, _DIM)
    else:
        h, w = picture.shape[:2]
        scale = min(PANEL_WIDTH / w, PANEL_HEIGHT / h)
        size = (round(w * scale), round(h * scale))
        if size != (w, h):
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        x, y = (PANEL_WIDTH - size[0]) // 2, (PANEL_HEIGHT - size[1]) // 2
        inner = panel[y : y + size[1], x : x + size[0]]
        inner[:] = picture
        if landmarks is not None:
            _draw_landmarks(inner, landmarks)
    _write(panel, title, (16, 30), 0.6, _TEXT)


def _draw_landmarks(picture: np.ndarray, landmarks: np.ndarray) -> None:
    """Thin half-transparent contours (oval, brows, eyes, lips) with a dot on each of their points."""
    height, width = picture.shape[:2]
    # cv2 takes fixed-point coordinates: 4 fractional bits keep the lines from trembling by whole pixels.
    points = np.rint(landmarks[:, :2] * (width, height) * 16).astype(np.int32)
    lines, dots = _contours()
    over = picture.copy()
    cv2.polylines(over, list(points[lines]), False, _ACCENT, 1, cv2.LINE_AA, shift=4)
    for x, y in points[dots].tolist():
        cv2.circle(over, (x, y), 20, _ACCENT, -1, cv2.LINE_AA, shift=4)
    cv2.addWeighted(over, 0.75, picture, 0.25, 0, dst=picture)


@cache
def _contours() -> tuple[np.ndarray, np.ndarray]:
    """Line segments int (m, 2) and the points they join int (k,), as indices of MediaPipe's landmarks."""
    segments = [pair for chain in _CHAINS for pair in itertools.pairwise(chain)]
    lines = np.array(sorted(set(segments)), np.int64)
    return lines, np.unique(lines)


def _band(canvas: np.ndarray, caption: Caption) -> None:
    width, y = canvas.shape[1], PANEL_HEIGHT + 31
    _write(canvas, f"{caption.time_s:5.1f} s", (16, y), 0.6, _TEXT)
    if not caption.face:
        text, colour = "no face", _DIM
    elif caption.latency_ms is None:
        text, colour = "no command", _DIM
    else:
        text, colour = f"face to servo bus {caption.latency_ms:.0f} ms", _ACCENT
    _write(canvas, text, (130, y), 0.6, colour)
    (brand_width, _), _ = cv2.getTextSize("Rena", _FONT, 0.6, 1)
    _write(canvas, "Rena", (width - brand_width - 16, y), 0.6, _DIM)
    done = round(width * min(1.0, caption.time_s / caption.total_s)) if caption.total_s > 0 else 0
    cv2.rectangle(canvas, (0, PANEL_HEIGHT), (done, PANEL_HEIGHT + 2), _ACCENT, -1)


def _write(canvas: np.ndarray, text: str, at: tuple[int, int], size: float, colour: tuple[int, int, int]) -> None:
    cv2.putText(canvas, text, at, _FONT, size, _BACKGROUND, 4, cv2.LINE_AA)
    cv2.putText(canvas, text, at, _FONT, size, colour, 1, cv2.LINE_AA)
