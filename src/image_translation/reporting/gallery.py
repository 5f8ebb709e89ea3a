"""Which test images to show, and how images get into a page."""

import base64
import hashlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from image_translation.metrics import for_means
from image_translation.reporting import words
from image_translation.reporting.content import Image

UNTRAINED = ("copy_input", "mean_target")
"""Baselines: they have no part in the choice of images."""


def choose_gallery(scores: Mapping[str, pd.DataFrame], n: int) -> list[tuple[str, str]]:
    """Choose test images that show a typical case, the extremes and a fair sample.

    The order is: the typical image, the best, the worst, the most disputed ones
    (``count_extremes`` of each), and then images drawn without regard to their scores,
    from as many groups as there are. The draw depends on the pairs' names alone, so
    the same test set gives the same images. Goodness is the PSNR of the first
    replicate, averaged over the trained models (over all models where none is
    trained).

    Args:
        scores: Model → rows ``pair_id, group, replicate, psnr, …``.
        n: How many images to choose; fewer where there are fewer.

    Returns:
        Names of pairs, each with the reason for its choice in words.
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
            chosen[pair] = "Drawn at random, without regard to its scores."
    return list(chosen.items())


def count_extremes(n: int) -> int:
    """How many of ``n`` chosen images are the best; as many are the worst, and so on.

    Most images are left to chance, so that the extremes do not pass for the rule.
    """
    return max(1, n // 8)


def describe_choice(shown: int, tested: int, subset: str = "test") -> str:
    """How the images of a gallery were chosen, in a sentence."""
    if shown >= tested:
        return f"All {words.count(tested, f'{subset} image')}."
    extremes = count_extremes(shown)
    number = f"{extremes} " if extremes > 1 else ""
    return (
        f"{shown:,} of {words.count(tested, f'{subset} image')}: the typical one, the "
        f"{number}best, the {number}worst and the {number}most disputed by PSNR, and "
        "others drawn at random."
    )


def _remarkable(table: pd.DataFrame, n: int) -> list[tuple[str, str]]:
    """The typical, n best, n worst and n most disputed of PSNR by pair and model."""
    mean = table.mean(axis=1)
    spread = table.max(axis=1) - table.min(axis=1)
    typical = str((mean - mean.median()).abs().idxmin())
    found = [
        (
            typical,
            f"Typical: its mean PSNR over the trained models, {mean[typical]:.1f} dB, "
            f"is the closest to the median of {words.count(len(table), 'image')}.",
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
    """Nothing for the first, then ``2nd``, ``3rd``, ``4th`` and a blank."""
    if place == 1:
        return ""
    teen = place % 100 // 10 == 1
    ending = {1: "st", 2: "nd", 3: "rd"}.get(0 if teen else place % 10, "th")
    return f"{place}{ending} "


JPEG_QUALITY = 92
"""Of images too heavy to be embedded exactly; colours keep their full resolution."""

EXACT_BYTES = 6 * 2**20
"""Up to this weight together, images are embedded exactly."""


def choose_encoder(
    sample: Sequence[Image], n: int, exact_bytes: int = EXACT_BYTES
) -> Callable[[Image], str]:
    """How to embed ``n`` images: exactly, unless they would be too heavy.

    Args:
        sample: Some of the images; their weight stands for that of all.
        n: How many images there are.
        exact_bytes: Up to this weight together, they are embedded exactly.
    """
    weight = sum(len(png_data_uri(image)) for image in sample) / max(len(sample), 1)
    return png_data_uri if weight * n <= exact_bytes else jpeg_data_uri


def describe_encoder(encode: Callable[[Image], str]) -> str:
    """What embedding did to the images, in a sentence; empty for nothing."""
    if encode is png_data_uri:
        return ""
    return (
        f"To keep this file small the images are stored as JPEG of quality "
        f"{JPEG_QUALITY} with full colour resolution; all scores come from the exact "
        "images."
    )


def png_data_uri(image: Image) -> str:
    """An image as an exact PNG inside an address (``data:``).

    Args:
        image: uint8, H×W×3, sRGB.
    """
    return _data_uri(image, "png", compress_level=9)


def jpeg_data_uri(image: Image) -> str:
    """An image as a JPEG inside an address (``data:``).

    Args:
        image: uint8, H×W×3, sRGB.
    """
    # 4:4:4, for halved colour would favour models that blur colour.
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
    trained = {model: s for model, s in scores.items() if model not in UNTRAINED}
    columns = {
        model: first_replicate(table).set_index("pair_id")["psnr"]
        for model, table in (trained or scores).items()
        if len(table)
    }
    joined = pd.DataFrame(columns)
    joined[:] = for_means("psnr", joined)
    return joined.set_axis(joined.index.astype(str)).sort_index()


def first_replicate(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the replicate whose predictions are kept as images."""
    return table[table["replicate"] == table["replicate"].min()]


def _groups(scores: Mapping[str, pd.DataFrame]) -> dict[str, str]:
    """Pair → group, over all models."""
    tables = [table[["pair_id", "group"]] for table in scores.values() if len(table)]
    return dict(pd.concat(tables).astype(str).itertuples(index=False))


def _draw(groups: Mapping[str, str]) -> Iterator[str]:
    """All pairs in a random but repeatable order, taking turns between the groups."""
    shuffled = sorted(groups, key=lambda pair: hashlib.sha256(pair.encode()).digest())
    turns: dict[str, int] = {}
    turn = {}
    for pair in shuffled:
        turn[pair] = turns[groups[pair]] = turns.get(groups[pair], -1) + 1
    yield from sorted(shuffled, key=lambda pair: turn[pair])
