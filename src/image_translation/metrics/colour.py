"""Colour: how far a prediction's colours are from its target's, as people see them.

Every function takes 8-bit sRGB (uint8, N×H×W×3) and gives one value an image (float64,
N). Lab is CIE 1976 L*a*b* under D65 for the 2° observer.
"""

import numpy as np
from numpy.typing import NDArray

from image_translation.metrics.chunks import Chunk, Images, Scores, score_in_chunks

Floats = NDArray[np.float32]

_FROM_SRGB = np.array(
    [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in np.arange(256) / 255
    ],
    dtype=np.float32,
)
"""Linear light of 8-bit values, IEC 61966-2-1."""

_WHITE = np.array([0.95047, 1.0, 1.08883])
_TO_XYZ = np.array(
    [
        [0.412453, 0.357580, 0.180423],
        [0.212671, 0.715160, 0.072169],
        [0.019334, 0.119193, 0.950227],
    ]
)
_TO_RELATIVE_XYZ = (_TO_XYZ / _WHITE[:, np.newaxis]).T.astype(np.float32)

_DARK = np.float32(216 / 24389)
"""Up to here f of CIE 1976 is a straight line, not a cube root."""

_SEVENTH_POWER = 25.0**7
_HUE_275, _HUE_25 = np.radians(275).item(), np.radians(25).item()


def ciede2000(predictions: Images, targets: Images) -> Scores:
    """Mean colour difference ΔE00 over the pixels of each image.

    Sharma, Wu & Dalal (2005), "The CIEDE2000 color-difference formula: implementation
    notes, supplementary test data, and mathematical observations", with all weights 1.
    About 1 is just noticeable side by side.

    Args:
        predictions: uint8, N×H×W×3, sRGB.
        targets: uint8, N×H×W×3, sRGB.

    Returns:
        N values, 0 or above; 0 for equal images.

    Raises:
        ValueError: The arrays are not uint8, not N×H×W×3 or not of one shape.
    """
    return score_in_chunks(ciede2000_of_chunk, predictions, targets)


def chroma_error(predictions: Images, targets: Images) -> Scores:
    """Mean distance of the pixels' colours in the plane of a* and b*.

    What ΔE76 (CIE 1976) is without lightness, so that colour alone is judged.

    Args:
        predictions: uint8, N×H×W×3, sRGB.
        targets: uint8, N×H×W×3, sRGB.

    Returns:
        N values, 0 or above; 0 for equal images.

    Raises:
        ValueError: As for `ciede2000`.
    """
    return score_in_chunks(chroma_error_of_chunk, predictions, targets)


def colourfulness_difference(predictions: Images, targets: Images) -> Scores:
    """How far the colourfulness of a prediction is from its target's.

    The absolute difference of M3 in Hasler & Süsstrunk (2003), "Measuring colorfulness
    in natural images", section 7; M3 is 0 for grey and about 100 for the most colourful
    photographs.

    Args:
        predictions: uint8, N×H×W×3, sRGB.
        targets: uint8, N×H×W×3, sRGB.

    Returns:
        N values, 0 or above; 0 for equal images.

    Raises:
        ValueError: As for `ciede2000`.
    """
    return score_in_chunks(colourfulness_difference_of_chunk, predictions, targets)


def saturation_bias(predictions: Images, targets: Images) -> Scores:
    """How far the mean chroma C*ab (CIE 1976) of a prediction is from its target's.

    Large for predictions that are washed out as a whole, as losses that average over
    possible colours make them (Zhang, Isola & Efros 2016, "Colorful image colorization",
    section 2), and for those that are too bright in colour.

    Args:
        predictions: uint8, N×H×W×3, sRGB.
        targets: uint8, N×H×W×3, sRGB.

    Returns:
        N values, 0 or above; 0 for equal images.

    Raises:
        ValueError: As for `ciede2000`.
    """
    return score_in_chunks(saturation_bias_of_chunk, predictions, targets)


def to_lab(images: Images) -> Floats:
    """CIE L*a*b* of sRGB.

    Args:
        images: uint8, …×3.

    Returns:
        float32, …×3: L* in [0, 100], a* and b* within about ±110.
    """
    relative = _FROM_SRGB[images] @ _TO_RELATIVE_XYZ
    straight = relative * np.float32(24389 / 27 / 116) + np.float32(16 / 116)
    f = np.where(relative > _DARK, _cube_root(relative), straight)
    x, y, z = np.moveaxis(f, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def delta_e2000(first: NDArray, second: NDArray) -> NDArray:
    """ΔE00 of colours in Lab, …×3 each; the steps and names of Sharma et al. (2005)."""
    l1, a1, b1 = _planes(first)
    l2, a2, b2 = _planes(second)
    mean_c = (_length(a1, b1) + _length(a2, b2)) / 2
    g = 0.5 * (1 - _seventh_share(mean_c))
    a1, a2 = a1 * (1 + g), a2 * (1 + g)
    c1, c2 = _length(a1, b1), _length(a2, b2)
    h1, h2 = np.arctan2(b1, a1), np.arctan2(b2, a2)

    is_grey = c1 * c2 == 0
    turn = np.where(is_grey, 0, h2 - h1)
    turn -= 2 * np.pi * np.rint(turn / (2 * np.pi))  # the shorter way round
    delta_l, delta_c = l2 - l1, c2 - c1
    delta_h = 2 * np.sqrt(c1 * c2) * np.sin(turn / 2)

    mean_l, mean_c = (l1 + l2) / 2, (c1 + c2) / 2
    mean_h = np.where(is_grey, h1 + h2, h1 + turn / 2)
    t = (
        1
        - 0.17 * np.cos(mean_h - np.pi / 6)
        + 0.24 * np.cos(2 * mean_h)
        + 0.32 * np.cos(3 * mean_h + np.pi / 30)
        - 0.20 * np.cos(4 * mean_h - 63 * np.pi / 180)
    )
    s_l = 1 + 0.015 * (mean_l - 50) ** 2 / np.sqrt(20 + (mean_l - 50) ** 2)
    s_c, s_h = 1 + 0.045 * mean_c, 1 + 0.015 * mean_c * t
    positive = np.where(mean_h < 0, mean_h + 2 * np.pi, mean_h)
    theta = np.pi / 6 * np.exp(-(((positive - _HUE_275) / _HUE_25) ** 2))
    r_t = -2 * _seventh_share(mean_c) * np.sin(2 * theta)

    part_c, part_h = delta_c / s_c, delta_h / s_h
    squares = (delta_l / s_l) ** 2 + part_c**2 + part_h**2 + r_t * part_c * part_h
    return np.sqrt(np.maximum(squares, 0))


def _planes(colours: NDArray) -> NDArray:
    """…×3 to 3×…"""
    return np.ascontiguousarray(np.moveaxis(colours, -1, 0))


def _cube_root(relative: Floats) -> Floats:
    """Of what is not dark; as np.cbrt to six digits, and three times as fast."""
    root = np.maximum(relative, _DARK)
    np.log(root, out=root)
    root *= np.float32(1 / 3)
    return np.exp(root, out=root)


def _length(a: NDArray, b: NDArray) -> NDArray:
    """As np.hypot, which guards against overflow and is five times slower."""
    return np.sqrt(a * a + b * b)


def _seventh_share(chroma: NDArray) -> NDArray:
    power = chroma * chroma * chroma
    power = power * power * chroma
    return np.sqrt(power / (power + _SEVENTH_POWER))


def ciede2000_of_chunk(chunk: Chunk) -> Scores:
    """`ciede2000` of a few images."""
    predicted, wanted = chunk.once(_lab_of_both)
    return delta_e2000(wanted, predicted).mean(axis=(1, 2), dtype=np.float64)


def chroma_error_of_chunk(chunk: Chunk) -> Scores:
    """`chroma_error` of a few images."""
    predicted, wanted = chunk.once(_lab_of_both)
    _, a, b = _planes(predicted - wanted)
    return _length(a, b).mean(axis=(1, 2), dtype=np.float64)


def saturation_bias_of_chunk(chunk: Chunk) -> Scores:
    """`saturation_bias` of a few images."""
    predicted, wanted = chunk.once(_lab_of_both)
    return np.abs(_mean_chroma(predicted) - _mean_chroma(wanted))


def colourfulness_difference_of_chunk(chunk: Chunk) -> Scores:
    """`colourfulness_difference` of a few images."""
    predicted, wanted = _colourfulness(chunk.predictions), _colourfulness(chunk.targets)
    return np.abs(predicted - wanted)


def _lab_of_both(chunk: Chunk) -> tuple[Floats, Floats]:
    return to_lab(chunk.predictions), to_lab(chunk.targets)


def _colourfulness(images: Images) -> Scores:
    red, green, blue = _planes(images).astype(np.float64)
    opponents = np.stack([red - green, (red + green) / 2 - blue])  # (2, N, H, W)
    deviations = np.hypot(*opponents.std(axis=(2, 3)))
    return deviations + 0.3 * np.hypot(*opponents.mean(axis=(2, 3)))


def _mean_chroma(lab: Floats) -> Scores:
    _, a, b = _planes(lab)
    return _length(a, b).mean(axis=(1, 2), dtype=np.float64)
