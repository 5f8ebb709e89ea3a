"""The recipe ``painterly``: a photo painted over in layers of curved brush strokes."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import scipy
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from pydantic import Field

from image_translation.common.errors import InputError
from image_translation.common.files import is_special
from image_translation.common.fingerprint import digest, file_digest
from image_translation.common.schema import OptionalPath, Settings
from image_translation.imaging.decoding import (
    IMAGE_SUFFIXES,
    UnreadableImageError,
    read_image,
)
from image_translation.imaging.luma import LUMA_WEIGHTS
from image_translation.imaging.recipes.lab import to_lab, to_rgb
from image_translation.imaging.recipes.randomness import generator_for
from image_translation.imaging.recipes.style import Style, measure_style

FloatArray = NDArray[np.float32]

MONET = Style(
    palette=(
        (9.6, 1.0, 0.0),
        (21.6, -6.9, 11.8),
        (23.5, 12.0, 15.3),
        (27.8, 7.2, -23.4),
        (30.5, -1.9, -4.0),
        (37.6, -16.3, 18.1),
        (38.2, 0.4, 28.4),
        (41.4, 25.3, 30.2),
        (42.4, -1.4, 7.4),
        (47.9, 0.9, -13.6),
        (51.5, 8.1, -36.4),
        (54.8, -16.5, 37.3),
        (57.0, -8.9, -4.0),
        (57.8, -10.4, 16.0),
        (57.8, 4.9, 21.9),
        (58.9, 3.8, 1.9),
        (59.1, 7.7, 42.4),
        (68.6, 0.6, -19.6),
        (71.4, -0.7, 10.3),
        (73.7, -2.2, -3.6),
        (76.1, -5.3, 52.2),
        (76.8, -3.0, 27.3),
        (84.7, -2.7, 10.4),
        (87.2, -2.6, -4.0),
    ),
    width=0.0229,
    elongation=1.34,
    jitter=(7.5, 2.4, 4.1),
)
"""The result of ``measure_style`` on the 300 paintings by Claude Monet, 256×256 pixels
each, in ``monet_jpg`` of Kaggle's competition gan-getting-started."""

MAX_PAINTINGS = 300
"""Maximum number of measured paintings; a larger folder is sampled evenly."""


class PainterlySettings(Settings):
    """Settings of the recipe ``painterly``."""

    paintings: OptionalPath
    palette: float = Field(ge=0, le=1)
    brush: float = Field(ge=0.5, le=10)
    layers: int = Field(ge=1, le=5)
    length: float = Field(ge=1, le=10)
    curvature: float = Field(gt=0, le=1)
    threshold: float = Field(ge=0, le=100)
    jitter: float = Field(ge=0, le=3)
    seed: int


# Hertzmann 1998, section 2.3, gives its styles these values
_GRID = 1.5  # distance between strokes in brush radii
_BLUR = 0.5  # of a layer's reference picture, in brush radii
_MIN_STEPS = 2  # of a stroke, each one brush radius long
_ANALYSED_SIZE = 128  # maximum size of the picture on which strokes are placed
_OVERSAMPLING = 2  # scale of the canvas for strokes
_SOFTNESS = 9.0  # of the shift to the palette, in L*a*b* distance
_TAPER = 0.35  # of a stroke's width at its ends


def make_painterly(
    settings: PainterlySettings,
) -> Callable[[NDArray[np.uint8]], NDArray[np.uint8]]:
    """Return a function that paints photos; the paintings are measured once, here.

    Raises:
        InputError: The folder of paintings cannot be used.
    """
    style = MONET
    if settings.paintings is not None:
        style = _measure_folder(_digest_folder(settings.paintings), settings.paintings)
    return lambda image: paint(image, style, settings)


def fingerprint_painterly(settings: PainterlySettings) -> str:
    """Digest of the settings and of the paintings' content, without their names.

    Raises:
        InputError: The folder of paintings cannot be used.
    """
    chosen = settings.model_dump(exclude={"paintings"})
    if settings.paintings is None:
        return digest(chosen)
    return digest(chosen, _digest_folder(settings.paintings))


def paint(
    image: NDArray[np.uint8], style: Style, settings: PainterlySettings
) -> NDArray[np.uint8]:
    """Paint a photo in layers of curved strokes, large brushes first.

    After Hertzmann (1998). The reference of each layer is the picture blurred to the size
    of its brush. Strokes start where the canvas differs most from the reference, and
    follow its edges. There are two differences to the paper. Directions come from the
    structure tensor, smoothed over a brush, so strokes are also aligned in flat regions.
    Colours are shifted towards a palette, by their distance to its colours.

    Brush sizes are relative to the image size, so the style is the same at any size.

    Args:
        image: uint8, H×W×3, sRGB.
        style: Palette and strokes.
        settings: Brushes and strength of the effects.

    Returns:
        uint8, H×W×3.
    """
    random = generator_for(image, settings.seed)
    height, width = image.shape[:2]
    scale = min(1.0, _ANALYSED_SIZE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    picture = _resize(Image.fromarray(image), size)
    picture = Image.fromarray(
        shift_to_palette(np.asarray(picture), style, settings.palette)
    )
    ground = tuple(np.asarray(picture).mean(axis=(0, 1)).astype(int).tolist())
    canvas = Image.new("RGB", (width * _OVERSAMPLING, height * _OVERSAMPLING), ground)
    mean_size = math.sqrt(size[0] * size[1])
    finest = max(style.width * settings.brush * mean_size / 2, 0.5)
    for layer in reversed(range(settings.layers)):
        radius = finest * 2**layer
        reference = picture.filter(ImageFilter.GaussianBlur(_BLUR * radius))
        painted = None if layer == settings.layers - 1 else _resize(canvas, size)
        strokes = _trace(reference, painted, radius, style, settings, random)
        colours = _jitter(strokes.colours, style, settings, random)
        _draw(canvas, strokes, colours, radius, canvas.width / size[0], random)
    return np.asarray(_resize(canvas, (width, height)))


def shift_to_palette(
    image: NDArray[np.uint8], style: Style, strength: float
) -> NDArray[np.uint8]:
    """Shift colours towards those of a palette.

    Each colour moves by ``strength`` towards a mean of the palette's colours, weighted
    by exp(-d² / 2σ²) of the distance d in L*a*b*; σ is a constant. The map is
    continuous: similar colours stay similar.

    Args:
        image: uint8, H×W×3.
        style: Contains the palette.
        strength: 0 keeps colours unchanged, 1 moves them to the palette.
    """
    lab = to_lab(image)
    palette = np.array(style.palette, np.float32)
    # |c - p|² - |c|²; the omitted term is a common factor of a colour's weights; (H, W, k)
    distance = (palette**2).sum(axis=1) - 2 * lab @ palette.T
    distance -= distance.min(axis=-1, keepdims=True)
    weights = np.exp(-distance / (2 * _SOFTNESS**2))
    mixed = weights @ palette / weights.sum(axis=-1, keepdims=True)
    return to_rgb(lab + strength * (mixed - lab))


@dataclass(frozen=True)
class _Strokes:
    """Strokes of one brush.

    Attributes:
        points: n×m×2, (x, y) in pixels of the analysed picture.
        lengths: Number of points of each stroke; ignore further points.
        colours: n×3, L*a*b*.
    """

    points: FloatArray
    lengths: NDArray[np.intp]
    colours: FloatArray


def _trace(
    reference: Image.Image,
    painted: Image.Image | None,
    radius: float,
    style: Style,
    settings: PainterlySettings,
    random: np.random.Generator,
) -> _Strokes:
    """Trace all strokes of a layer at once, step by step.

    Within a layer, Hertzmann compares with the canvas before the layer, so strokes are
    independent of each other.
    """
    target = np.asarray(reference, np.float32)
    current = None if painted is None else np.asarray(painted, np.float32)
    error = np.full(target.shape[:2], np.inf, np.float32)
    if current is not None:
        error = np.sqrt(((target - current) ** 2).sum(axis=-1))
    rows, columns = _choose_starts(error, max(1, round(_GRID * radius)), settings)
    colours = target[rows, columns]
    directions = _find_directions(target, radius)
    steps = max(_MIN_STEPS, round(2 * style.elongation * settings.length))
    position = np.stack([columns, rows], axis=1).astype(np.float32) + 0.5
    points = [position]
    lengths = np.ones(len(rows), np.intp)
    alive = np.ones(len(rows), bool)
    # an axis has no forward direction, so the first step chooses one at random
    heading = (
        random.choice(np.array([-1, 1], np.float32), (len(rows), 1))
        * directions[rows, columns]
    )
    for step in range(1, steps + 1):
        here = _nearest(position, error.shape)
        if step > _MIN_STEPS:
            drift = np.sqrt(((target[here] - colours) ** 2).sum(axis=-1))
            alive = alive & (error[here] >= drift)
        heading = _turn(directions[here], heading, settings.curvature)
        position = position + np.float32(radius) * heading
        points.append(position)
        lengths += alive
    return _Strokes(np.stack(points, axis=1), lengths, to_lab(colours.astype(np.uint8)))


def _choose_starts(
    error: FloatArray, step: int, settings: PainterlySettings
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The worst pixel of every grid cell whose mean error exceeds the threshold."""
    height, width = error.shape
    down, across = -(-height // step), -(-width // step)
    padded = np.full((down * step, across * step), np.nan, np.float32)
    padded[:height, :width] = error
    blocks = padded.reshape(down, step, across, step).swapaxes(1, 2)
    cells = blocks.reshape(down * across, step * step)
    chosen = np.flatnonzero(np.nanmean(cells, axis=1) > settings.threshold)
    worst = np.nanargmax(cells[chosen], axis=1)
    top, left = np.divmod(chosen, across)
    return top * step + worst // step, left * step + worst % step


def _find_directions(picture: FloatArray, radius: float) -> FloatArray:
    """Unit vectors (x, y) along the edges, H×W×2: the minor axis of the tensor."""
    luma = picture @ LUMA_WEIGHTS.astype(np.float32)
    dy, dx = scipy.ndimage.sobel(luma, 0), scipy.ndimage.sobel(luma, 1)
    yy, xx, xy = (
        scipy.ndimage.gaussian_filter(product, max(radius, 1.0), truncate=2.5)
        for product in (dy * dy, dx * dx, dx * dy)
    )
    angle = 0.5 * np.arctan2(2 * xy, xx - yy) + np.float32(np.pi / 2)
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def _turn(direction: FloatArray, heading: FloatArray, curvature: float) -> FloatArray:
    """Turn the heading towards a direction, limited by ``curvature``."""
    ahead = np.where((direction * heading).sum(axis=1) < 0, -1, 1)[:, None]
    turned = curvature * ahead * direction + (1 - curvature) * heading
    norm = np.linalg.norm(turned, axis=1, keepdims=True)
    return (turned / np.maximum(norm, 1e-6)).astype(np.float32)


def _nearest(
    position: FloatArray, shape: tuple[int, ...]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    columns, rows = np.floor(position).astype(np.intp).T
    return np.clip(rows, 0, shape[0] - 1), np.clip(columns, 0, shape[1] - 1)


def _jitter(
    lab: FloatArray,
    style: Style,
    settings: PainterlySettings,
    random: np.random.Generator,
) -> list[tuple[int, int, int]]:
    deviation = settings.jitter * np.array(style.jitter)
    varied = lab + random.normal(size=lab.shape) * deviation
    return [(r, g, b) for r, g, b in to_rgb(varied).tolist()]


def _draw(
    canvas: Image.Image,
    strokes: _Strokes,
    colours: list[tuple[int, int, int]],
    radius: float,
    scale: float,
    random: np.random.Generator,
) -> None:
    """Draw strokes in random order, each a tapered ribbon along a cubic B-spline."""
    outlines: dict[int, list[float]] = {}
    for length in np.unique(strokes.lengths):
        members = np.flatnonzero(strokes.lengths == length)
        curves = _spline(strokes.points[members, :length]) * np.float32(scale)
        ribbons = _outline(curves, radius * scale)
        flat = ribbons.reshape(len(members), -1).tolist()
        outlines.update(zip(members.tolist(), flat, strict=True))
    draw = ImageDraw.Draw(canvas)
    for stroke in random.permutation(len(colours)).tolist():
        draw.polygon(outlines[stroke], fill=colours[stroke])


def _spline(points: FloatArray) -> FloatArray:
    """Uniform cubic B-splines from the first to the last point, n×s×2."""
    first, last = points[:, :1], points[:, -1:]
    control = np.concatenate([first, first, points, last, last], axis=1)
    t = np.array([[0], [0.5]], np.float32)
    basis = np.concatenate(
        [(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3],
        axis=1,
    )
    windows = np.lib.stride_tricks.sliding_window_view(control, 4, axis=1)
    samples = np.einsum("nkdj,tj->nktd", windows, basis / 6)
    return samples.reshape(len(points), -1, 2)


def _outline(curves: FloatArray, radius: float) -> FloatArray:
    """Ribbons around curves, n×p×2, thinner at both ends."""
    tangent = np.gradient(curves, axis=1)
    norm = np.linalg.norm(tangent, axis=-1, keepdims=True)
    tangent = tangent / np.maximum(norm, 1e-6)
    normal = np.stack([-tangent[..., 1], tangent[..., 0]], axis=-1)
    along = np.linspace(-1, 1, curves.shape[1], dtype=np.float32)
    taper = _TAPER + (1 - _TAPER) * np.sqrt(1 - along**4)
    offset = normal * (radius * taper)[None, :, None]
    caps = tangent[:, [0, -1]] * radius * _TAPER
    return np.concatenate(
        [
            curves[:, :1] - caps[:, :1],
            curves + offset,
            curves[:, -1:] + caps[:, 1:],
            (curves - offset)[:, ::-1],
        ],
        axis=1,
    )


def _resize(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image.resize(size, Image.Resampling.BOX)


def _list_paintings(folder: str) -> list[Path]:
    root = Path(folder)
    if not root.is_dir():
        raise InputError(
            f"pairing.painterly.paintings: the folder {folder} does not exist; pass a "
            "folder of paintings, or null for the built-in style"
        )
    found = sorted(
        file
        for file in root.rglob("*")
        if file.suffix.lower() in IMAGE_SUFFIXES and not is_special(file)
    )
    if not found:
        raise InputError(
            f"pairing.painterly.paintings: no image in {folder}; pass a folder of "
            "paintings, or null for the built-in style"
        )
    return found[:: -(-len(found) // MAX_PAINTINGS)]


def _digest_folder(folder: str) -> str:
    return digest(sorted(file_digest(path) for path in _list_paintings(folder)))


@lru_cache(maxsize=4)
def _measure_folder(contents: str, folder: str) -> Style:
    """The style of a folder, cached by the digest ``contents``."""
    return measure_style(_read_paintings(folder))


def _read_paintings(folder: str) -> Iterator[NDArray[np.uint8]]:
    for path in _list_paintings(folder):
        try:
            yield read_image(path)
        except UnreadableImageError as error:
            raise InputError(
                f"pairing.painterly.paintings: {path} cannot be read: {error}; "
                "remove it from the folder"
            ) from error
