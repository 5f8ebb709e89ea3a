"""The typical image: one test image as every model translates it, for the top of a page."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from image_translation.common import wording
from image_translation.common.names import BASELINES
from image_translation.reporting import formatting, tables
from image_translation.reporting.answer import RANKED_BY, rank_models
from image_translation.reporting.report_content import ReportContent


@dataclass(frozen=True)
class RankedTile:
    """One image, with its model's rank among all.

    Attributes:
        key: ``input``, ``target`` or the model.
        title: Its role, in words; empty for a prediction.
        model: The model of this image; empty for the target.
        source: The image as a URI.
        alt: Alternative text.
        mean: The model's mean over all scored images; empty for the target.
        badge: ``best``, ``best trained`` or empty.
    """

    key: str
    title: str
    model: str
    source: str
    alt: str
    mean: str
    badge: str


def typical_image(content: ReportContent) -> dict[str, Any]:
    """The first image of the gallery, which is the typical one, as JSON values.

    Args:
        content: Content of the report.

    Returns:
        The fields of `tables.GalleryRow`; empty without images.
    """
    rows = tables.gallery_rows(content, tables.gallery_encoder(content), limit=1)
    return asdict(rows[0]) if rows else {}


def rank_tiles(
    typical: Mapping[str, Any], comparison: pd.DataFrame
) -> Sequence[RankedTile]:
    """The images of a typical image: input, target, and the models, the best first.

    Args:
        typical: Result of `typical_image`.
        comparison: ``comparison.csv``.
    """
    means = rank_models(comparison)
    places = {model: place for place, model in enumerate(means.index)}
    badges = _badges(list(means.index))
    tiles = sorted(
        typical.get("tiles", ()),
        key=lambda tile: -1 if tile["side"] else places.get(tile["model"], len(places)),
    )
    return [
        RankedTile(
            tile["side"] or tile["model"],
            tile["title"],
            tile["model"],
            tile["source"],
            tile["alt"],
            formatting.value(RANKED_BY, means[tile["model"]])
            if tile["model"] in means
            else "",
            badges.get(tile["model"], ""),
        )
        for tile in tiles
    ]


def describe_typical(typical: Mapping[str, Any], images: int, subset: str) -> str:
    """Describe the selection of the image and the numbers below it, in sentences.

    Args:
        typical: Result of `typical_image`.
        images: Number of scored images.
        subset: Their subset.
    """
    counted = wording.count(images, f"{subset} image")
    return (
        f"{typical.get('why', '')} Below each model: its mean "
        f"{formatting.label(RANKED_BY)} over {counted}."
    )


def _badges(ranked: Sequence[str]) -> dict[str, str]:
    """Model → badge: the best of all, and the best trained one if it differs."""
    trained = [model for model in ranked if model not in BASELINES]
    return dict.fromkeys(trained[:1], "best trained") | dict.fromkeys(
        ranked[:1], "best"
    )
