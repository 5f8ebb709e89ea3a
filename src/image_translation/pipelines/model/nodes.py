"""Nodes of the model pipeline."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pandas as pd

from image_translation.datasets.models import Workspace
from image_translation.datasets.predictions import PredictionBatch, Predictions
from image_translation.fingerprint import Deferred, code_digest, digest
from image_translation.metrics import (
    FUNCTIONS,
    score_stream,
    set_contributions,
)
from image_translation.metrics.learned import (
    feature_contributions,
    load_learned_metrics,
)
from image_translation.metrics.settings import LearnedMetricsSettings
from image_translation.pairing.arrays import PairArrays
from image_translation.training.settings import InferenceSettings, ModelSettings
from image_translation.training.trained import TrainedModel


def train_model(
    train: PairArrays,
    validation: PairArrays,
    workspace: Workspace,
    settings: dict[str, Any],
) -> TrainedModel:
    """Train all replicates of a model; what is up to date is not trained again."""
    from image_translation import training

    return training.train(
        workspace.folder.name,
        ModelSettings.model_validate(settings),
        train,
        validation,
        workspace.folder,
        workspace.observers,
    )


def translate_test_pairs(
    trained: TrainedModel, test: PairArrays, inference: dict[str, Any]
) -> Deferred[Iterator[PredictionBatch]]:
    """Translate the test inputs with every replicate of a model."""
    settings = InferenceSettings.model_validate(inference)
    return Deferred(
        digest(
            trained,
            test,
            settings,
            code_digest(
                "image_translation.models",
                "image_translation.training.inference",
                "image_translation.training.tensors",
            ),
        ),
        lambda: _translate(trained, test, settings),
    )


def _translate(
    trained: TrainedModel, test: PairArrays, settings: InferenceSettings
) -> Iterator[PredictionBatch]:
    from image_translation import training

    pair_ids = test.index["pair_id"].tolist()
    for number, replicate in enumerate(trained.replicates):
        generator = replicate.load_generator()
        start = 0
        for images in training.translate(generator, test.inputs, settings):
            chunk = pair_ids[start : start + len(images)]
            yield PredictionBatch(number, chunk, images)
            start += len(images)


def score_predictions(
    predictions: Predictions, test: PairArrays, learned_metrics: dict[str, Any]
) -> Deferred[pd.DataFrame]:
    """Score every prediction against its target."""
    settings = LearnedMetricsSettings.model_validate(learned_metrics)
    return Deferred(
        _scores_fingerprint(predictions, test, settings),
        lambda: _score(predictions, test, settings),
    )


def score_prediction_sets(
    predictions: Predictions, test: PairArrays, learned_metrics: dict[str, Any]
) -> Deferred[pd.DataFrame]:
    """Measure how far all predictions together are from all targets.

    The table has the form of the scores: what each image contributes to each distance.
    """
    settings = LearnedMetricsSettings.model_validate(learned_metrics)
    return Deferred(
        _scores_fingerprint(predictions, test, settings),
        lambda: _score_sets(predictions, test, settings),
    )


def _scores_fingerprint(
    predictions: Predictions, test: PairArrays, settings: LearnedMetricsSettings
) -> str:
    return digest(predictions, test, settings, code_digest("image_translation.metrics"))


def _score(
    predictions: Predictions, test: PairArrays, settings: LearnedMetricsSettings
) -> pd.DataFrame:
    functions = {**FUNCTIONS, **load_learned_metrics(settings)}
    index = test.index[["pair_id", "group"]].reset_index(drop=True)
    pair_ids = index["pair_id"].tolist()
    tables = [index.head(0).assign(replicate=0, **dict.fromkeys(functions, 0.0))]
    for replicate in range(predictions.replicates):
        images = predictions.read_batches(pair_ids, replicate)
        scores = score_stream(images, test.targets, functions)
        tables.append(pd.concat([index.assign(replicate=replicate), scores], axis=1))
    # An empty table only gives a model that did not run its columns.
    return pd.concat(tables[1:] or tables, ignore_index=True)


def _score_sets(
    predictions: Predictions, test: PairArrays, settings: LearnedMetricsSettings
) -> pd.DataFrame:
    index = test.index[["pair_id", "group"]].reset_index(drop=True)
    pair_ids, groups = index["pair_id"].tolist(), index["group"]
    nothing = set_contributions([], test.targets[:0], [])
    tables = [pd.concat([index.head(0).assign(replicate=0), nothing], axis=1)]
    for replicate in range(predictions.replicates):
        parts = [index.assign(replicate=replicate)]
        for measure in (
            set_contributions,
            partial(feature_contributions, settings=settings),
        ):
            images = predictions.read_batches(pair_ids, replicate)
            parts.append(measure(images, test.targets, groups))
        tables.append(pd.concat(parts, axis=1))
    # An empty table only gives a model that did not run its columns.
    return pd.concat(tables[1:] or tables, ignore_index=True)
