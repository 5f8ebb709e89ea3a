"""Content of a report: tables and arrays, ready to render."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from image_translation.common.names import TEST
from image_translation.statistics.looks import Looks

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class GalleryItem:
    """One test image with the predictions of all models.

    Attributes:
        pair_id: The pair's id in the manifest.
        group: The photograph (or other group) of the pair.
        name: Name of the image for readers; often the file's name.
        input: uint8, H×W×3, sRGB.
        target: uint8, H×W×3, sRGB.
        predictions: Model → uint8, H×W×3, sRGB.
        scores: Model → metric → value, of the predictions shown.
        why: Reason for showing this image.
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
    """Origin and audit of the pairs.

    Attributes:
        source: The source as given by the user.
        credit: Authors and licence of the images.
        n_found: Pairs found by ingestion.
        n_used: Pairs used; the others were excluded with a reason.
        left_out: One row per reason: ``reason, count, example``.
        findings: Findings of the audit, the most severe first: ``finding, severity,
            count, examples, action, explanation``.
        splits: One row per subset: ``split, n_pairs, n_groups, groups`` (text).
        derived: ``"input"`` or ``"target"`` if a recipe derived that image from the
            other one, else None.
        recipe: Description and source of the recipe; empty without a recipe.
        leaks: Test pairs with an image that is also in another subset.
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
    """Content of the report of one task.

    Attributes:
        task: The task's name.
        question: The question that the report answers, one sentence.
        comparison: ``comparison.csv``: one row per model and metric.
        verdicts: ``verdicts.csv``: one row per pair of models and metric.
        effects: ``effects.csv``: one row per effect of the 2×2 and metric.
        scores: Model → its ``scores.csv``.
        histories: Model → one row per replicate and epoch: ``replicate, epoch,
            seconds`` and the curves, named ``train/…`` and ``validation/…``.
        models: One row per model: ``model, network, objective, status, reason,
            parameters, gmac, seconds, images_per_second, best_epoch, replicates``;
            status is ``trained``, ``baseline``, ``not run`` or ``failed``.
        gallery: The images shown, in order.
        data: Origin and audit of the pairs.
        settings: Dotted name → value.
        environment: Versions, platform, commit, date.
        promotion: ``promotion.json``: the last promotion decision.
        promotions: ``promotions.csv``: one row per decision, the last one last.
        study: ``human_study.csv`` if people have judged these predictions.
        subset: The scored subset: ``test``, or ``validation`` while the test set is
            sealed.
        looks: Number of evaluations on the test set.
        floors: Uncorrected distances between halves of the test targets: ``metric,
            floor, n_images, n_groups``.
        plan: ``plan.csv``: numbers needed to detect a difference as large as its
            margin.
        calibration: ``calibration.csv`` if a model was compared with itself.
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
    subset: str = TEST
    looks: Looks | None = None
    floors: pd.DataFrame | None = None
    plan: pd.DataFrame | None = None
    calibration: pd.DataFrame | None = None
