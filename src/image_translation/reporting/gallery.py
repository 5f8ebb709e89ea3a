"""Which test images to show, and how images get into a page."""

import base64
import hashlib
import io
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from image_translation.metrics import for_means
from image_translation.reporting import words
from image_translation.reporting.content import Image

UNTRAINED = ("copy_input", "mean_target")
"""Baselines: they have no part in the choice of images."""


def choose_gallery(scores: Mapping[str, pd.DataFrame], n: int) -> list[tuple[str, str]]:
    """Choose test images that show a typical case, the extremes and a fair sample.

    The order is: the typical image, the best, the worst, the most disputed one, and
    then images drawn without regard to their scores, from as many groups as there
    are. The draw depends on the pairs' names alone, so the same test set gives the
    same images. Goodness is the PSNR of the first replicate, averaged over the trained
    models (over all models where none is trained).

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
    for pair, why in _remarkable(table):
        if pair in chosen:
            chosen[pair] += f" {why}"
        elif len(chosen) < n:
            chosen[pair] = why
    for pair in _draw(_groups(scores)):
        if pair not in chosen and len(chosen) < n:
            chosen[pair] = "Drawn at random, without regard to its scores."
    return list(chosen.items())


def _remarkable(table: pd.DataFrame) -> list[tuple[str, str]]:
    """The typical, best, worst and most disputed pair of PSNR by pair and model."""
    mean = table.mean(axis=1)
    spread = table.max(axis=1) - table.min(axis=1)
    typical = str((mean - mean.median()).abs().idxmin())
    best, worst = str(mean.idxmax()), str(mean.idxmin())
    disputed = str(spread.idxmax())
    found = [
        (
            typical,
            f"Typical: its mean PSNR over the trained models, {mean[typical]:.1f} dB, "
            f"is the closest to the median of {words.count(len(table), 'image')}.",
        ),
        (
            best,
            f"Best: the highest mean PSNR over the trained models, {mean[best]:.1f} dB.",
        ),
        (
            worst,
            f"Worst: the lowest mean PSNR over the trained models, {mean[worst]:.1f} dB.",
        ),
        (
            disputed,
            "Most disputed: the trained models' PSNR lies "
            f"{spread[disputed]:.1f} dB apart.",
        ),
    ]
    return found if table.shape[1] > 1 else found[:3]


def png_data_uri(image: Image) -> str:
    """An image as an exact PNG inside an address (``data:``).

    Args:
        image: uint8, H×W×3, sRGB.
    """
    from PIL import Image as Pillow

    buffer = io.BytesIO()
    Pillow.fromarray(np.ascontiguousarray(image)).save(
        buffer, format="PNG", compress_level=9
    )
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


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
