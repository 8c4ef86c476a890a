"""The page of `rena dataset show` as one HTML file that needs nothing else."""

import base64
import html
from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from rena_ros.base.files import printable
from rena_ros.datasets.dataset import Dataset

_TILE_W, _TILE_H, _COLUMNS = 160, 120, 8
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1120px; margin: 2em auto; padding: 0 1em; color: #1a202c }
h1 { font-size: 1.5em } h2 { font-size: 1.15em; margin-top: 2em } svg, img { max-width: 100%; height: auto }
table { border-collapse: collapse } td, th { padding: .1em .8em .1em 0; text-align: left; vertical-align: top }
.note { color: #4a5568; margin: .2em 0 .6em } .warn { color: #9c4221 }
@media (prefers-color-scheme: dark) { :root { color-scheme: light } }
"""


def page(title: str, sections: Sequence[tuple[str, str, str]]) -> str:
    """Return the page; each section is a heading, a note in plain text, and HTML."""
    parts = [
        '<!doctype html><html lang="en"><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width">',
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style><h1>{html.escape(title)}</h1>",
    ]
    for heading, note, body in sections:
        parts.append(f'<h2>{html.escape(heading)}</h2><p class="note">{html.escape(note)}</p>{body}')
    return "\n".join(parts) + "</html>\n"


def table(rows: Iterable[tuple[str, object]]) -> str:
    """Return a table of two columns."""
    lines = [f"<tr><th>{html.escape(key)}</th><td>{html.escape(printable(value))}</td></tr>" for key, value in rows]
    return f"<table>{''.join(lines)}</table>"


def listed(lines: Sequence[str]) -> str:
    """Return a list of remarks; empty where there is none."""
    items = "".join(f'<li class="warn">{html.escape(line)}</li>' for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def contact_sheet(dataset: Dataset, rows: Sequence[int]) -> str:
    """Return the pictures of some samples side by side, as one picture; a missing or damaged one is grey."""
    tiles = [_tile(dataset, row) for row in rows]
    tiles += [np.full((_TILE_H, _TILE_W, 3), 255, np.uint8)] * (-len(tiles) % _COLUMNS)
    lines = [np.hstack(tiles[first : first + _COLUMNS]) for first in range(0, len(tiles), _COLUMNS)]
    done, data = cv2.imencode(".jpg", np.vstack(lines), [cv2.IMWRITE_JPEG_QUALITY, 80])
    if not done:
        raise RuntimeError("OpenCV could not encode the contact sheet")
    encoded = base64.b64encode(data.tobytes()).decode("ascii")
    return f'<img alt="pictures of {len(rows)} samples" src="data:image/jpeg;base64,{encoded}">'


def _tile(dataset: Dataset, row: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    tile = np.full((_TILE_H, _TILE_W, 3), 200, np.uint8)
    try:
        raw = np.frombuffer(dataset.image(row).read_bytes(), np.uint8)
        picture = cv2.imdecode(raw, cv2.IMREAD_COLOR) if raw.size else None
    except (OSError, cv2.error):
        picture = None
    if picture is not None:
        height, width = picture.shape[:2]
        scale = min(_TILE_W / width, _TILE_H / height)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        top, left = (_TILE_H - size[1]) // 2, (_TILE_W - size[0]) // 2
        tile[top : top + size[1], left : left + size[0]] = small
    text = str(int(dataset.index[row]))
    cv2.putText(tile, text, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 255, 255), 3, cv2.LINE_AA)
    cv2.putText(tile, text, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
    return tile
