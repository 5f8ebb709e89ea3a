"""Collect the content of a task's report."""

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

import pandas as pd

from image_translation.common.names import ENSEMBLE, SUBSETS
from image_translation.common.schema import flatten
from image_translation.config.task_settings import TaskSettings
from image_translation.datasets.predictions import Predictions
from image_translation.imaging.recipes import Recipe
from image_translation.metrics import METRICS, set_floor
from image_translation.metrics.feature_distances import feature_floor
from image_translation.metrics.settings import LearnedMetricsSettings
from image_translation.pairing.arrays import PairArrays, ScoredPairs
from image_translation.pairing.layouts import derived_role, find_recipe
from image_translation.pairing.settings import PairingSettings
from image_translation.pairing.split import find_leaks
from image_translation.reporting.gallery import choose_gallery
from image_translation.reporting.report_content import (
    DataSummary,
    GalleryItem,
    ReportContent,
)
from image_translation.sources import Source
from image_translation.statistics.looks import describe_looks
from image_translation.training.settings import ModelSettings, NetworkSettings
from image_translation.training.trained import TrainedModel

MAX_NAMED_GROUPS = 12

QUESTION = "Which model translates these images best, by how much, and can I trust it?"


def collect_content(
    settings: TaskSettings,
    scored: ScoredPairs,
    source: Source,
    *,
    manifest: pd.DataFrame,
    findings: pd.DataFrame,
    split: pd.DataFrame,
    tied: pd.DataFrame,
    looks: pd.DataFrame,
    **others: Any,
) -> ReportContent:
    """Collect the results of all stages for the report.

    Args:
        settings: All parameters of the task.
        scored: The scored pairs: the test pairs, unless they are sealed.
        source: The source of the images.
        manifest: All pairs found.
        findings: Findings of the audit.
        split: All pairs used.
        tied: Pairs excluded because they connect subsets.
        looks: All evaluations on test sets of the task.
        **others: Results of each model, by ``<model>.trained``,
            ``<model>.predictions`` and ``<model>.scores``; and fields of
            `ReportContent`, which are shown as they are.
    """
    trained = by_model(others, "trained")
    scores = by_model(others, "scores")
    predictions = by_model(others, "predictions")
    chosen = choose_gallery(scores, settings.report.gallery)
    return ReportContent(
        task=settings.name,
        question=QUESTION,
        scores=scores,
        histories={name: model.history() for name, model in trained.items()},
        models=pd.DataFrame(
            [
                _describe_model(name, model, settings.models.get(name))
                for name, model in trained.items()
            ]
        ),
        gallery=_fill_gallery(chosen, manifest, scored, predictions, scores),
        data=_summarise_data(settings.pairing, source, manifest, findings, split, tied),
        settings={
            name: _without_folders(value)
            for name, value in flatten(settings.model_dump()).items()
        },
        subset=scored.subset,
        looks=describe_looks(looks, scored.test_set),
        floors=_find_floors(settings.learned_metrics, scored),
        **{name: value for name, value in others.items() if "." not in name},
    )


def _without_folders(value: Any) -> Any:
    """A setting without folders of this machine: an absolute path becomes its name."""
    is_path = isinstance(value, str) and PurePath(value).is_absolute()
    return f"…/{PurePath(value).name}" if is_path else value


def _find_floors(learned: LearnedMetricsSettings, test: PairArrays) -> pd.DataFrame:
    """Distances between halves of the test targets."""
    targets = test.targets, test.index["group"]
    return pd.concat([set_floor(*targets), feature_floor(*targets, learned)])


def by_model(results: Mapping[str, Any], thing: str) -> dict[str, Any]:
    """The results of one kind, such as ``scores``, by model.

    Ensembles that did not run are left out: most models have none.
    """
    suffix = f".{thing}"
    return {
        model: value
        for name, value in results.items()
        if name.endswith(suffix)
        and not _is_absent(model := name.removesuffix(suffix), results)
    }


def _is_absent(model: str, results: Mapping[str, Any]) -> bool:
    """True for an ensemble that did not run."""
    trained = results.get(f"{model}.trained")
    return model.endswith(ENSEMBLE) and trained is not None and not trained.replicates


def _describe_model(
    name: str, trained: TrainedModel, settings: ModelSettings | None
) -> dict[str, Any]:
    """One row of the table of models; costs are totals over all replicates.

    Without settings, only predictions of the model are known.
    """
    if settings is None:
        known = {"model": name, "network": trained.reason, "objective": ""}
        return {**known, "status": trained.status, "reason": "", "replicates": 0}
    costs = [replicate.cost for replicate in trained.replicates]
    first = costs[0] if costs else {}
    members = trained.replicates[0].members if trained.replicates else 0
    is_baseline = trained.status == "trained" and not settings.is_trainable
    seconds = sum(cost["seconds"] for cost in costs)
    samples = sum(cost["samples_seen"] for cost in costs)
    return {
        "model": name,
        "network": _describe_network((trained.settings or settings).network)
        + (f", mean of {members} trainings" if members else ""),
        "objective": settings.objective.describe() if settings.is_trainable else "",
        "status": "baseline" if is_baseline else trained.status,
        "reason": trained.reason,
        "parameters": first.get("parameters"),
        "gmac": first.get("gmac"),
        "seconds": seconds,
        "images_per_second": samples / seconds if seconds else None,
        "best_epoch": ", ".join(
            str(r.best_epoch) for r in trained.replicates if not members
        ),
        "replicates": len(trained.replicates),
    }


def _describe_network(network: NetworkSettings) -> str:
    """The network's name and its options that differ from the published defaults."""
    options = [
        f"{name} {getattr(network, name)}".removesuffix(".0")
        for name, field in NetworkSettings.model_fields.items()
        if not field.is_required() and getattr(network, name) != field.default
    ]
    return ", ".join([network.name, *options])


def _fill_gallery(
    chosen: Sequence[tuple[str, str]],
    manifest: pd.DataFrame,
    scored: ScoredPairs,
    predictions: Mapping[str, Predictions],
    scores: Mapping[str, pd.DataFrame],
) -> list[GalleryItem]:
    used = manifest[manifest["verdict"] == "used"]
    files = dict(zip(used["pair_id"], used["input"], strict=True))
    rows = {pair_id: row for row, pair_id in enumerate(scored.index["pair_id"])}
    first = {
        name: frame[frame["replicate"] == 0].set_index("pair_id")
        for name, frame in scores.items()
        if len(frame)
    }
    return [
        GalleryItem(
            pair_id=pair_id,
            group=scored.index["group"].iloc[rows[pair_id]],
            name=files[pair_id],
            input=scored.inputs[rows[pair_id]],
            target=scored.targets[rows[pair_id]],
            predictions={name: predictions[name].read(pair_id) for name in first},
            scores={
                name: {metric: float(frame[metric][pair_id]) for metric in METRICS}
                for name, frame in first.items()
            },
            why=why,
        )
        for pair_id, why in chosen
    ]


def _summarise_data(
    pairing: PairingSettings,
    source: Source,
    manifest: pd.DataFrame,
    findings: pd.DataFrame,
    split: pd.DataFrame,
    tied: pd.DataFrame,
) -> DataSummary:
    single = pairing.layout == "single"
    used = manifest["verdict"] == "used"
    return DataSummary(
        source=source.name,
        credit=source.credit,
        n_found=len(manifest),
        n_used=len(split),
        left_out=_count_reasons(pd.concat([manifest[~used], tied])),
        findings=findings,
        splits=count_subsets(split),
        derived=derived_role(pairing) if single else None,
        recipe=_describe_recipe(find_recipe(pairing)) if single else "",
        leaks=find_leaks(split),
    )


def _describe_recipe(recipe: Recipe) -> str:
    return f"{recipe.name}: {recipe.description} ({recipe.source})"


def _count_reasons(pairs: pd.DataFrame) -> pd.DataFrame:
    """Number of pairs by reason; the text after a colon is an example."""
    kinds = pairs["reason"].str.split(":").str[0]
    example = pairs["input"].where(pairs["input"] != "", pairs["target"])
    return (
        pd.DataFrame({"reason": kinds, "example": example})
        .groupby("reason", sort=True)
        .agg(count=("example", "size"), example=("example", "first"))
        .reset_index()
    )


def count_subsets(split: pd.DataFrame) -> pd.DataFrame:
    """One row per subset: ``split, n_pairs, n_groups, groups`` (text)."""
    rows = []
    for subset in SUBSETS:
        pairs = split[split["split"] == subset]
        groups = sorted(pairs["group"].unique())
        few = len(groups) <= MAX_NAMED_GROUPS
        rows.append(
            {
                "split": subset,
                "n_pairs": len(pairs),
                "n_groups": len(groups),
                "groups": ", ".join(groups) if few else "",
            }
        )
    return pd.DataFrame(rows)
