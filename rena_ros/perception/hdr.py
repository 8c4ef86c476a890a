"""High dynamic range to sRGB: PQ and HLG (ITU-R BT.2100) with the primaries of BT.2020 become what a screen shows.

Light is measured in units of SDR white, 203 cd/m2 (ITU-R BT.2408). Up to _KNEE it is kept; from there to _PEAK it is
compressed (Reinhard et al. 2002, eq. 4), so that a face in the sun keeps its shades instead of turning white.
"""

from functools import cache

import cv2
import numpy as np

from rena_ros.base.arrays import ByteArray

PQ, HLG = 16, 18  # the transfer characteristics' numbers in ITU-T H.273
_WHITE = 203.0  # cd/m2
_HLG_PEAK, _HLG_GAMMA = 1000.0, 1.2  # the reference display of BT.2100
_KNEE, _PEAK = 0.4, 1000 / _WHITE
_LUMINANCE_2020 = np.array([0.2627, 0.6780, 0.0593], np.float32)
# ITU-R BT.2087: linear BT.2020 to linear BT.709.
_TO_709 = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32)


def to_srgb(coded: np.ndarray, transfer: int) -> ByteArray:
    """Return coded R'G'B', uint16 (h, w, 3) over its full range, as sRGB, uint8 (h, w, 3).

    ``transfer``: PQ or HLG.
    """
    light = _light_of_code(transfer)[coded]
    if transfer == HLG:  # scene light to the light of the reference display
        luminance = np.maximum(light @ _LUMINANCE_2020, 1e-6)
        light *= (_HLG_PEAK / _WHITE * cv2.pow(luminance, _HLG_GAMMA - 1))[..., None]
    light = cv2.transform(light, _TO_709)
    # The 65,536 half-precision numbers are a table of the needed accuracy over all magnitudes of light.
    return _srgb_of_half()[light.astype(np.float16).view(np.uint16)]


@cache
def _light_of_code(transfer: int) -> np.ndarray:
    """Light of each of the 65,536 codes, float32: PQ in units of SDR white, HLG scene light in [0, 1]."""
    code = np.arange(65536) / 65535
    if transfer == PQ:
        m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
        root = code ** (1 / m2)
        light = 10000 / _WHITE * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)
    else:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        light = np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)
    return light.astype(np.float32)


@cache
def _srgb_of_half() -> np.ndarray:
    """The sRGB code, uint8, of each float16 light, indexed by its bits; light below 0 or not a number gives 0."""
    light = np.nan_to_num(np.arange(65536, dtype=np.uint16).view(np.float16).astype(np.float64), posinf=65504.0)
    light = np.maximum(light, 0)
    above, highest = (np.maximum(light, _KNEE) - _KNEE) / (1 - _KNEE), (_PEAK - _KNEE) / (1 - _KNEE)
    compressed = _KNEE + (1 - _KNEE) * above * (1 + above / highest**2) / (1 + above)
    shown = np.where(light <= _KNEE, light, np.minimum(compressed, 1))
    coded = np.where(shown <= 0.0031308, 12.92 * shown, 1.055 * shown ** (1 / 2.4) - 0.055)
    return np.rint(255 * coded).astype(np.uint8)
