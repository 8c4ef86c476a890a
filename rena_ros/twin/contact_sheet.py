"""Draws twelve expressions on one sheet: ``python -m rena_ros.twin.contact_sheet --out docs/``."""

import argparse

import cv2
import numpy as np

from rena_ros.base.arrays import ByteArray
from rena_ros.base.files import user_path
from rena_ros.robot.file import load_robot
from rena_ros.twin.actuators import goals_of
from rena_ros.twin.face import TwinFace

# expression -> servo -> goal; {} stands for both sides
EXPRESSIONS: dict[str, dict[str, float]] = {
    "neutral": {},
    "smile": {"corner_{}_up": 0.9, "corner_{}_back": 0.4, "lip_upper_{}": 0.2, "lid_{}": 0.4},
    "sad": {"corner_{}_down": 0.95, "brow_{}_raise": 0.3, "lid_{}": 0.48, "eye_{}_pitch": 0.62, "neck_pitch": 0.6},
    "surprise": {"brow_{}_raise": 1.0, "lid_{}": 0.0, "jaw": 0.6},
    "anger": {"brow_{}_frown": 1.0, "lip_upper_{}": 0.45, "lid_{}": 0.34, "neck_pitch": 0.56},
    "blink": {"lid_{}": 1.0},
    "wink": {"lid_left": 1.0, "corner_left_up": 0.7, "lid_right": 0.34},
    "jaw open": {"jaw": 1.0},
    "look left": {"eye_{}_yaw": 0.95},
    "head turn": {"neck_yaw": 0.95},
    "pucker": {"pucker": 1.0},
    "grin": {"corner_{}_up": 0.9, "corner_{}_back": 0.8, "lip_upper_{}": 0.75, "lip_lower_{}": 0.4, "lid_{}": 0.42},
}
COLUMNS = 4
CROP = slice(120, 520)


def contact_sheet(look: str = "rena") -> ByteArray:
    """Draw the sheet, uint8 RGB (1440, 1600, 3)."""
    robot = load_robot()
    face, tiles = TwinFace(robot, look=look), []
    for name, expression in EXPRESSIONS.items():
        tile = face.render(goals_of(robot, expression).astype(np.float32))[:, CROP].copy()
        cv2.putText(tile, name, (12, 28), cv2.FONT_HERSHEY_DUPLEX, 0.75, (255, 255, 255), 1, cv2.LINE_AA)
        tiles.append(tile)
    return np.vstack([np.hstack(tiles[i : i + COLUMNS]) for i in range(0, len(tiles), COLUMNS)])


def main(argv: list[str] | None = None) -> int:
    """Write the sheet; return the exit code."""
    parser = argparse.ArgumentParser(description="draw twelve expressions of the drawn face on one sheet")
    parser.add_argument("--out", type=user_path, required=True, help="the directory to write into")
    parser.add_argument("--look", default="rena", help="rena, performer or person-N")
    args = parser.parse_args(argv)
    path = args.out / ("twin_expressions.jpg" if args.look == "rena" else f"{args.look}_expressions.jpg")
    args.out.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), contact_sheet(args.look)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])
    print(path)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
