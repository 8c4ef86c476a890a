"""What the header of a JPEG says, without decoding it (ITU-T T.81, B.1)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class JpegHeader:
    """``width``, ``height``: pixels, as stored; ``colours``: 3 for RGB; ``app1``: there is EXIF or XMP.

    EXIF may turn the picture, and says where and when it was taken.
    """

    width: int
    height: int
    colours: int
    app1: bool


def jpeg_header(data: bytes) -> JpegHeader | None:
    """Return the header of a JPEG; None for any other file, and for one that ends within its header."""
    at, app1 = 2, False
    while data[:2] == b"\xff\xd8" and data[at : at + 1] == b"\xff" and at + 10 <= len(data):
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4])
        app1 = app1 or marker == 0xE1
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # a frame header: not Huffman, JPG or DAC
            height, width = int.from_bytes(data[at + 5 : at + 7]), int.from_bytes(data[at + 7 : at + 9])
            return JpegHeader(width, height, data[at + 9], app1)
        at += 2 + length
    return None


def is_cut_off(data: bytes) -> bool:
    """Whether a JPEG lacks its end, which decoders fill up with grey."""
    return data[:2] == b"\xff\xd8" and b"\xff\xd9" not in data
