"""Nodes of the model pipeline."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Literal

import pandas as pd

from image_translation.common.fingerprint import Fingerprint, fingerprint
from image_translation.common.stamps import Stamp, Stamped, make_if_stale
from image_translation.datasets.models import Workspace
from image_translation.datasets.predictions import (
    PredictionBatch,
    Predictions,
    read_predictions,
    write_predictions,
)
from image_translation.metrics import FUNCTIONS, score_stream, set_contributions
from image_translation.metrics.feature_distances import feature_contributions
from image_translation.metrics.learned import load_learned_metrics
from image_translation.metrics.settings import LearnedMetricsSettings
from image_translation.networks.registry import code_of
from image_translation.pairing.arrays import PairArrays, ScoredPairs, check_unchanged
from image_translation.pairing.external import find_predictions
from image_translation.pairing.settings import (
    ExternalSettings,
    PreparationSettings,
    SealSettings,
)
from image_translation.pipelines.clock import timestamp
from image_translation.statistics import looks
from image_translation.training.settings import InferenceSettings, ModelSettings
from image_translation.training.trained import TrainedModel


def train_model(
    train: PairArrays,
    validation: PairArrays,
    workspace: Workspace,
    settings: ModelSettings,
) -> TrainedModel:
    """Train all replicates of a model that are not up to date.

    Raises:
        InputError: The pairs were changed during the training.
    """
    from image_translation import training

    trained = training.train(
        workspace.folder.name,
        settings,
        train,
        validation,
        workspace.folder,
        workspace.observers,
    )
    check_unchanged(train, validation)
    return trained


def combine_trainings(
    members: TrainedModel, validation: PairArrays, workspace: Workspace
) -> TrainedModel:
    """Combine the trainings of a model to an ensemble, unless it is up to date.

    Args:
        members: The model whose trainings are combined.
        validation: Pairs that score the ensemble, for the choice of the best model.
        workspace: Folder and observers of the ensemble.
    """
    from image_translation.training.ensemble import combine

    return combine(
        workspace.folder.name,
        members,
        validation,
        workspace.folder,
        workspace.observers,
    )


def translate_pairs(
    trained: TrainedModel,
    scored: ScoredPairs,
    folder: Path,
    inference: InferenceSettings,
    seal: SealSettings,
) -> Predictions:
    """Translate the scored inputs with every replicate of a model.

    Args:
        trained: The model.
        scored: The pairs whose inputs are translated.
        folder: Folder of the predictions; kept if it is up to date.
        inference: How the model translates.
        seal: Whether the test set is sealed.
    """
    scored.check_seal(seal.sealed)
    model = trained.settings
    made_from = fingerprint(
        f"{__name__}._translate",
        "image_translation.training.trained.TrainedReplicate",
        *(code_of(model.network.name, model.network.output) if model else ()),
        trained=trained,
        scored_pairs=scored,
        inference=inference,
    )
    Stamp(folder).update(
        made_from,
        lambda: write_predictions(folder, _translate(trained, scored, inference)),
    )
    return read_predictions(folder)


def take_predictions(
    external: ExternalSettings,
    scored: ScoredPairs,
    split: pd.DataFrame,
    folder: Path,
    preparation: PreparationSettings,
    seal: SealSettings,
) -> tuple[TrainedModel, Predictions]:
    """Take the predictions of a model that was trained elsewhere.

    Args:
        external: Where its predictions are.
        scored: The pairs that are scored.
        split: The files of every pair.
        folder: Folder of the predictions; kept if it is up to date.
        preparation: Size of the pairs.
        seal: Whether the test set is sealed.

    Returns:
        The model, without trainings, and its predictions.

    Raises:
        InputError: A pair has no prediction or several, or an image is unusable.
    """
    scored.check_seal(seal.sealed)
    rows = split.set_index("pair_id").loc[scored.index["pair_id"]].reset_index()
    found = find_predictions(folder.parent.name, external, rows, preparation)
    made_from = fingerprint(
        "image_translation.pairing.external",
        files=found.digests(),
        scored_pairs=scored,
        fit=found.fit,
    )
    ids = scored.index["pair_id"].tolist()
    Stamp(folder).update(
        made_from,
        lambda: write_predictions(
            folder,
            (
                PredictionBatch(replicate, ids[start : start + len(images)], images)
                for replicate, start, images in found.read()
            ),
        ),
    )
    names = ", ".join(Path(path).name for path in external.folders)
    reason = f"predictions in {names}" if names else "no predictions for this task"
    status: Literal["elsewhere", "not run"] = "elsewhere" if names else "not run"
    return TrainedModel(status, reason, (), None), read_predictions(folder)


def _translate(
    trained: TrainedModel, scored: ScoredPairs, inference: InferenceSettings
) -> Iterator[PredictionBatch]:
    from image_translation import training

    pair_ids = scored.index["pair_id"].tolist()
    for number, replicate in enumerate(trained.replicates):
        generator = replicate.load_generator()
        start = 0
        for images in training.translate(generator, scored.inputs, inference):
            chunk = pair_ids[start : start + len(images)]
            yield PredictionBatch(number, chunk, images)
            start += len(images)


def score_predictions(
    predictions: Predictions,
    scored: ScoredPairs,
    learned_metrics: LearnedMetricsSettings,
    seal: SealSettings,
) -> Stamped[pd.DataFrame]:
    """Score every prediction against its target."""
    scored.check_seal(seal.sealed)
    return make_if_stale(
        _scores_fingerprint("_score", predictions, scored, learned_metrics),
        lambda: _score(predictions, scored, learned_metrics),
    )


def score_prediction_sets(
    predictions: Predictions,
    scored: ScoredPairs,
    learned_metrics: LearnedMetricsSettings,
    seal: SealSettings,
) -> Stamped[pd.DataFrame]:
    """Measure the distances between all predictions and all targets.

    The table has the format of the scores: the contribution of each image to each
    distance.
    """
    scored.check_seal(seal.sealed)
    return make_if_stale(
        _scores_fingerprint("_score_sets", predictions, scored, learned_metrics),
        lambda: _score_sets(predictions, scored, learned_metrics),
    )


def count_scoring(
    scores: pd.DataFrame, scored: ScoredPairs, scorings: pd.DataFrame | None
) -> pd.DataFrame:
    """Count evaluations with new scores of the test pairs; see `statistics.looks`."""
    from image_translation.runs.parent_runs import identify_run

    if scored.is_sealed:
        scores = scores.head(0)
    return looks.count_scoring(
        scorings, scores, scored.test_set, identify_run(), timestamp()
    )


def _scores_fingerprint(
    function: str,
    predictions: Predictions,
    scored: ScoredPairs,
    settings: LearnedMetricsSettings,
) -> Fingerprint:
    return fingerprint(
        f"image_translation.pipelines.model.nodes.{function}",
        predictions=predictions,
        scored_pairs=scored,
        subset=scored.subset,
        learned_metrics=settings,
    )


def _score(
    predictions: Predictions, scored: ScoredPairs, settings: LearnedMetricsSettings
) -> pd.DataFrame:
    functions = {**FUNCTIONS, **load_learned_metrics(settings)}
    index = scored.index[["pair_id", "group"]].reset_index(drop=True)
    pair_ids = index["pair_id"].tolist()
    tables = [index.head(0).assign(replicate=0, **dict.fromkeys(functions, 0.0))]
    for replicate in range(predictions.replicates):
        images = predictions.read_batches(pair_ids, replicate)
        scores = score_stream(images, scored.targets, functions)
        tables.append(pd.concat([index.assign(replicate=replicate), scores], axis=1))
    # an empty table only defines the columns of a model that did not run
    table = pd.concat(tables[1:] or tables, ignore_index=True)
    return table.assign(subset=scored.subset)


def _score_sets(
    predictions: Predictions, scored: ScoredPairs, settings: LearnedMetricsSettings
) -> pd.DataFrame:
    index = scored.index[["pair_id", "group"]].reset_index(drop=True)
    pair_ids, groups = index["pair_id"].tolist(), index["group"]
    nothing = set_contributions([], scored.targets[:0], [])
    tables = [pd.concat([index.head(0).assign(replicate=0), nothing], axis=1)]
    for replicate in range(predictions.replicates):
        parts = [index.assign(replicate=replicate)]
        for measure in (
            set_contributions,
            partial(feature_contributions, settings=settings),
        ):
            images = predictions.read_batches(pair_ids, replicate)
            parts.append(measure(images, scored.targets, groups))
        tables.append(pd.concat(parts, axis=1))
    # an empty table only defines the columns of a model that did not run
    return pd.concat(tables[1:] or tables, ignore_index=True)
