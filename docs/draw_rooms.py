"""Draw the rooms of ``rena_ros`` and their imports: ``python docs/draw_rooms.py`` writes docs/rooms.svg.

The picture comes from the imports in the source and from nothing else. A room stands one floor above the highest
room that it imports. Every room imports base, so arrows to base are left out; an arrow that follows from others
(A imports B, B imports C, A imports C) is drawn thin. `make test` compares the file with the source.
"""

import ast
from functools import partial
from itertools import permutations
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "rena_ros"
PICTURE = ROOT / "docs/rooms.svg"
GROUND = "base"
BOX_W, BOX_H, GAP_X, GAP_Y, MARGIN = 150, 42, 70, 62, 24
Imports = dict[str, set[str]]
Arrows = list[tuple[str, str]]


def modules() -> dict[str, Path]:
    """Return every module of the package but the package itself, by full name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if name != PACKAGE.name:
            found[name] = path
    return found


def imports_of(path: Path) -> set[str]:
    """Return the full names that a module imports, anywhere in it; `from a import b` counts as a and a.b."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            if node.level or not node.module:
                raise ValueError(f"{path}, line {node.lineno}: a relative import; name the module in full")
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def room_of(module: str) -> str:
    """Return the room of a module: "bus" for rena_ros.bus.port."""
    return module.split(".")[1]


def rooms() -> Imports:
    """Return every room with the other rooms that it imports."""
    names, found = modules(), {room_of(name): set[str]() for name in modules()}
    for name, path in names.items():
        found[room_of(name)] |= {room_of(other) for other in imports_of(path) if other in names} - {room_of(name)}
    return found


def floors(imports: Imports) -> list[list[str]]:
    """Return the rooms of each floor, from the ground up.

    Raises ValueError when rooms import each other in a circle.
    """
    height: dict[str, int] = {}
    while len(height) < len(imports):
        ready = [room for room in imports if room not in height and imports[room] <= height.keys()]
        if not ready:
            raise ValueError(f"rooms import each other in a circle: {sorted(imports.keys() - height.keys())}")
        height |= {room: 1 + max((height[other] for other in imports[room]), default=-1) for room in ready}
    return [sorted(room for room in imports if height[room] == floor) for floor in range(1 + max(height.values()))]


def implied(room: str, other: str, imports: Imports) -> bool:
    """Tell whether ``room`` reaches ``other`` also through a third room."""
    reached, left = set[str](), [third for third in imports[room] if third != other]
    while left:
        if (third := left.pop()) not in reached:
            reached.add(third)
            left += imports[third]
    return other in reached


def arranged(rows: list[list[str]], arrows: Arrows) -> dict[str, float]:
    """Return x of every room's middle: on each floor in the order in which the arrows are shortest."""
    place = {room: x for row in rows for room, x in zip(row, _columns(len(row)), strict=True)}
    for row in (*rows, *reversed(rows)) * 2:
        lengths = {
            order: sum(abs(trial[room] - trial[other]) for room, other in arrows)
            for order in permutations(row)
            if (trial := place | dict(zip(order, _columns(len(row)), strict=True)))
        }
        best = min(lengths, key=lambda order: lengths[order])
        place |= dict(zip(best, _columns(len(row)), strict=True))
    return place


def _columns(count: int) -> list[float]:
    return [(i - (count - 1) / 2) * (BOX_W + GAP_X) for i in range(count)]


def picture(imports: Imports) -> str:
    """Return the picture as SVG text, the same for the same imports."""
    rows = floors(imports)
    arrows = [(room, other) for room in sorted(imports) for other in sorted(imports[room] - {GROUND})]
    thick = [arrow for arrow in arrows if not implied(*arrow, imports)]
    width = max(len(row) for row in rows) * (BOX_W + GAP_X) - GAP_X + 2 * MARGIN
    height = len(rows) * (BOX_H + GAP_Y) - GAP_Y + 2 * MARGIN
    x = {room: middle + width / 2 for room, middle in arranged(rows, thick).items()}
    top = {room: height - MARGIN - BOX_H - i * (BOX_H + GAP_Y) for i, row in enumerate(rows) for room in row}
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#345"/></marker></defs>',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    by_place = partial(sorted, key=lambda room: (x[room], room))
    for is_thick in (False, True):
        chosen = [arrow for arrow in arrows if (arrow in thick) is is_thick]
        for room, other in chosen:
            leaves = _spread(x[room], by_place({b for a, b in chosen if a == room}), other)
            arrives = _spread(x[other], by_place({a for a, b in chosen if b == other}), room)
            between = [row for row in rows if top[room] < top[row[0]] < top[other]]
            gaps = [(_gap(leaves, arrives, [x[name] for name in row]), top[row[0]]) for row in reversed(between)]
            lines.append(_arrow([(leaves, top[room]), *gaps, (arrives, top[other])], is_thick))
    lines += [_box(room, x[room], top[room]) for room in sorted(imports)]
    legend = "every room imports base; thin: an arrow that follows from others"
    return "\n".join([*lines, _text(x[GROUND], top[GROUND] - 14, 13, legend), "</svg>"]) + "\n"


def _spread(middle: float, rooms: list[str], room: str) -> float:
    """Where on a box's edge the arrow of ``room`` stands, beside those of the other ``rooms``."""
    return middle + ((rooms.index(room) + 1) / (len(rooms) + 1) - 0.5) * BOX_W * 0.8


def _gap(leaves: float, arrives: float, boxes: list[float]) -> float:
    """X at which an arrow passes a floor between its boxes (their middles), near its straight way."""
    half, way = (BOX_W + GAP_X) / 2, (leaves + arrives) / 2
    nearest = min((middle + side * half for middle in boxes for side in (-1, 1)), key=lambda x: abs(x - way))
    return nearest + max(-0.3, min(0.3, (way - nearest) / BOX_W)) * GAP_X


def _arrow(points: list[tuple[float, float]], is_thick: bool) -> str:
    """An arrow from the bottom of the first box, down along the boxes between, to the top of the last; x and top y."""
    (x, y), *others = points
    y, path = y + BOX_H, f"M{x:.0f} {y + BOX_H:.0f}"
    for i, (next_x, next_y) in enumerate(others, 1):
        bend, tip = (next_y - y) * 0.5, 2 * (i == len(others))
        path += f"C{x:.0f} {y + bend:.0f} {next_x:.0f} {next_y - bend:.0f} {next_x:.0f} {next_y - tip:.0f}"
        x, y = next_x, next_y + BOX_H
        path += "" if tip else f"V{y:.0f}"
    look = 'stroke="#345" stroke-width="1.6" marker-end="url(#tip)"' if is_thick else 'stroke="#d3dae1"'
    return f'<path d="{path}" fill="none" {look}/>'


def _box(room: str, x: float, y: float) -> str:
    label = f"{room}.py" if (PACKAGE / f"{room}.py").exists() else f"{room}/"
    edges = f'x="{x - BOX_W / 2:.0f}" y="{y:.0f}" width="{BOX_W}" height="{BOX_H}" rx="6"'
    return f'<rect {edges} fill="#eef3f8" stroke="#345"/>{_text(x, y + BOX_H / 2 + 6, 17, label)}'


def _text(x: float, y: float, size: int, text: str) -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" text-anchor="middle" fill="#123">{text}</text>'


if __name__ == "__main__":
    PICTURE.write_text(picture(rooms()), encoding="utf-8")
    print(f"{PICTURE.relative_to(ROOT)}: {len(rooms())} rooms, {sum(map(len, rooms().values()))} arrows")
