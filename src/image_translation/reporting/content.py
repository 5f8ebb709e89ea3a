"""What a report is made from: plain tables and arrays, ready to be shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from image_translation.metrics.looks import Looks

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class GalleryItem:
    """One test image as every model sees it.

    Attributes:
        pair_id: The pair's name in the manifest.
        group: The photograph (or other group) that the pair belongs to.
        name: What a person knows the image by; often the file's name.
        input: uint8, H×W×3, sRGB.
        target: uint8, H×W×3, sRGB.
        predictions: Model → uint8, H×W×3, sRGB.
        scores: Model → metric → value, of the predictions shown.
        why: Why this image was chosen, in words.
    """

    pair_id: str
    group: str
    name: str
    input: Image
    target: Image
    predictions: Mapping[str, Image]
    scores: Mapping[str, Mapping[str, float]]
    why: str = ""


@dataclass(frozen=True)
class DataSummary:
    """Where the pairs came from and what became of them.

    Attributes:
        source: The source as the user named it.
        credit: Who made the images and under which licence, in words.
        n_found: Pairs found by ingestion.
        n_used: Pairs that were used; the others were left out with a reason.
        left_out: One row a reason: ``reason, count, example``.
        findings: What the audit found, the most severe first: ``finding, severity,
            count, examples, action, explanation``.
        splits: One row a side: ``split, n_pairs, n_groups, groups`` (text).
        derived: ``"input"`` or ``"target"`` where a recipe made that side from the
            other one, else None.
        recipe: What that side is, and after whom; empty without a recipe.
        leaks: Test pairs with an image that stands on another side of the split too.
    """

    source: str
    credit: str
    n_found: int
    n_used: int
    left_out: pd.DataFrame
    findings: pd.DataFrame
    splits: pd.DataFrame
    derived: str | None
    recipe: str = ""
    leaks: Sequence[str] = ()


@dataclass(frozen=True)
class ReportContent:
    """All that the report of one task shows.

    Attributes:
        task: The task's name.
        question: The question that the report answers, one sentence.
        comparison: ``comparison.csv``: one row a model and metric.
        verdicts: ``verdicts.csv``: one row two models and metric.
        effects: ``effects.csv``: one row an effect of the 2×2 and metric.
        scores: Model → its ``scores.csv``.
        histories: Model → one row a replicate and epoch: ``replicate, epoch, seconds``
            and the curves, named ``train/…`` and ``validation/…``.
        models: One row a model: ``model, network, objective, status, reason,
            parameters, gmac, seconds, images_per_second, best_epoch, replicates``;
            status is ``trained``, ``baseline``, ``not run`` or ``failed``.
        gallery: The images shown, in the order in which they are shown.
        data: Where the pairs came from.
        settings: Dotted name → value.
        environment: Versions, platform, commit, date.
        promotion: ``promotion.json``: what was decided on the model in use.
        promotions: ``promotions.csv``: one row a decision, the last one last.
        study: ``human_study.csv`` where people have judged these predictions.
        subset: The subset that was scored: ``test``, or ``validation`` while the test
            set is sealed.
        looks: How often the test set was looked at.
        floors: Uncorrected distances between halves of the test targets: ``metric,
            floor, n_images, n_groups``.
        plan: ``plan.csv``: what finds a difference as large as its margin.
        calibration: ``calibration.csv`` where a model was compared with itself.
    """

    task: str
    question: str
    comparison: pd.DataFrame
    verdicts: pd.DataFrame
    effects: pd.DataFrame
    scores: Mapping[str, pd.DataFrame]
    histories: Mapping[str, pd.DataFrame]
    models: pd.DataFrame
    gallery: Sequence[GalleryItem]
    data: DataSummary
    settings: Mapping[str, object]
    environment: Mapping[str, str]
    study: pd.DataFrame | None = None
    promotion: Mapping[str, Any] | None = None
    promotions: pd.DataFrame | None = None
    subset: str = "test"
    looks: Looks | None = None
    floors: pd.DataFrame | None = None
    plan: pd.DataFrame | None = None
    calibration: pd.DataFrame | None = None
