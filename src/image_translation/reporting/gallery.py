"""Select test images to show, and embed images in a page."""

import base64
import hashlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from image_translation.common import wording
from image_translation.common.names import BASELINES, TEST
from image_translation.metrics import for_means
from image_translation.reporting.report_content import Image

"""Baselines, which do not affect the selection of images."""


def choose_gallery(scores: Mapping[str, pd.DataFrame], n: int) -> list[tuple[str, str]]:
    """Select test images that show a typical case, the extremes and a fair sample.

    The order is: the typical image, the best, the worst, the most disputed ones
    (``count_extremes`` of each), and then images drawn independently of their scores,
    from as many groups as possible. The draw depends only on the pairs' names, so the
    same test set gives the same images. The criterion is the PSNR of the first
    replicate, averaged over the trained models (over all models if none is trained).

    Args:
        scores: Model → rows ``pair_id, group, replicate, psnr, …``.
        n: Number of images; fewer if there are fewer.

    Returns:
        Ids of pairs, each with the reason for its selection.
    """
    table = _psnr_by_model(scores)
    if table.empty:
        return []
    chosen: dict[str, str] = {}
    for pair, why in _remarkable(table, count_extremes(min(n, len(table)))):
        if pair in chosen:
            chosen[pair] += f" {why}"
        elif len(chosen) < n:
            chosen[pair] = why
    for pair in _draw(_groups(scores)):
        if pair not in chosen and len(chosen) < n:
            chosen[pair] = "Drawn at random, independent of its scores."
    return list(chosen.items())


def count_extremes(n: int) -> int:
    """Number of best images among ``n``; the same for the worst and the most disputed.

    Most images are random, so the extremes do not appear to be typical.
    """
    return max(1, n // 8)


def describe_choice(shown: int, tested: int, subset: str = TEST) -> str:
    """Describe the selection of a gallery's images, in a sentence."""
    if shown >= tested:
        return f"All {wording.count(tested, f'{subset} image')}."
    extremes = count_extremes(shown)
    number = f"{extremes} " if extremes > 1 else ""
    return (
        f"{shown:,} of {wording.count(tested, f'{subset} image')}: the typical one, the "
        f"{number}best, the {number}worst and the {number}most disputed by PSNR, and "
        "others drawn at random."
    )


def _remarkable(table: pd.DataFrame, n: int) -> list[tuple[str, str]]:
    """The typical, n best, n worst and n most disputed, from PSNR by pair and model."""
    mean = table.mean(axis=1)
    spread = table.max(axis=1) - table.min(axis=1)
    typical = str((mean - mean.median()).abs().idxmin())
    found = [
        (
            typical,
            f"Typical: its mean PSNR over the trained models, {mean[typical]:.1f} dB, "
            f"is the closest to the median of {wording.count(len(table), 'image')}.",
        ),
    ]
    rankings = [
        ("best", "highest mean PSNR over the trained models, {:.1f} dB", -mean),
        ("worst", "lowest mean PSNR over the trained models, {:.1f} dB", mean),
    ]
    if table.shape[1] > 1:
        wide = "widest range of the trained models' PSNR, {:.1f} dB apart"
        rankings.append(("most disputed", wide, -spread))
    for name, reason, values in rankings:
        for pair in values.sort_values(kind="stable").index[:n]:
            nth = _ordinal(int((values < values[pair]).sum()) + 1)
            title = f"{nth}{name}" if nth else name.capitalize()
            why = f"{title}: the {nth}{reason.format(abs(values[pair]))}."
            found.append((str(pair), why))
    return found


def _ordinal(place: int) -> str:
    """Empty for the first, then ``2nd``, ``3rd``, ``4th`` and a space."""
    if place == 1:
        return ""
    teen = place % 100 // 10 == 1
    ending = {1: "st", 2: "nd", 3: "rd"}.get(0 if teen else place % 10, "th")
    return f"{place}{ending} "


JPEG_QUALITY = 92
"""Quality of images that are too large to be embedded exactly; without chroma
subsampling.
"""

EXACT_BYTES = 6 * 2**20
"""Maximum total size of images that are embedded exactly."""


def choose_encoder(
    sample: Sequence[Image], n: int, exact_bytes: int = EXACT_BYTES
) -> Callable[[Image], str]:
    """Select the encoder of ``n`` images: exact, unless they would be too large.

    Args:
        sample: A sample of the images, to estimate the size of all.
        n: Number of images.
        exact_bytes: Maximum total size of exact images.
    """
    weight = sum(len(png_data_uri(image)) for image in sample) / max(len(sample), 1)
    return png_data_uri if weight * n <= exact_bytes else jpeg_data_uri


def describe_encoder(encode: Callable[[Image], str]) -> str:
    """Describe the loss of the embedding, in a sentence; empty if lossless."""
    if encode is png_data_uri:
        return ""
    return (
        f"To keep this file small the images are stored as JPEG of quality "
        f"{JPEG_QUALITY} with full colour resolution; all scores come from the exact "
        "images."
    )


def png_data_uri(image: Image) -> str:
    """An image as a lossless PNG data URI.

    Args:
        image: uint8, H×W×3, sRGB.
    """
    return _data_uri(image, "png", compress_level=9)


def jpeg_data_uri(image: Image) -> str:
    """An image as a JPEG data URI.

    Args:
        image: uint8, H×W×3, sRGB.
    """
    # 4:4:4, because chroma subsampling would favour models that blur colour
    return _data_uri(
        image, "jpeg", quality=JPEG_QUALITY, subsampling="4:4:4", optimize=True
    )


def _data_uri(image: Image, kind: str, **options: Any) -> str:
    from PIL import Image as Pillow

    buffer = io.BytesIO()
    Pillow.fromarray(np.ascontiguousarray(image)).save(buffer, format=kind, **options)
    return f"data:image/{kind};base64," + base64.b64encode(buffer.getvalue()).decode()


def _psnr_by_model(scores: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Capped PSNR in dB, pairs by rows (sorted), models by columns."""
    trained = {model: s for model, s in scores.items() if model not in BASELINES}
    columns = {
        model: first_replicate(table).set_index("pair_id")["psnr"]
        for model, table in (trained or scores).items()
        if len(table)
    }
    joined = pd.DataFrame(columns)
    joined[:] = for_means("psnr", joined)
    return joined.set_axis(joined.index.astype(str)).sort_index()


def first_replicate(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the replicate whose predictions are stored as images."""
    return table[table["replicate"] == table["replicate"].min()]


def _groups(scores: Mapping[str, pd.DataFrame]) -> dict[str, str]:
    """Pair → group, over all models."""
    tables = [table[["pair_id", "group"]] for table in scores.values() if len(table)]
    return dict(pd.concat(tables).astype(str).itertuples(index=False))


def _draw(groups: Mapping[str, str]) -> Iterator[str]:
    """All pairs in a random but reproducible order, alternating between groups."""
    shuffled = sorted(groups, key=lambda pair: hashlib.sha256(pair.encode()).digest())
    turns: dict[str, int] = {}
    turn = {}
    for pair in shuffled:
        turn[pair] = turns[groups[pair]] = turns.get(groups[pair], -1) + 1
    yield from sorted(shuffled, key=lambda pair: turn[pair])
