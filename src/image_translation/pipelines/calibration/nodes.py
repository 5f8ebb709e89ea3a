"""Node of the calibration pipeline."""

from pathlib import Path

import pandas as pd

from image_translation import metrics
from image_translation.common.fingerprint import fingerprint
from image_translation.common.stamps import Stamped, make_all_if_stale
from image_translation.config.task_settings import TaskSettings
from image_translation.datasets.models import Workspace
from image_translation.networks.registry import code_of
from image_translation.pairing.arrays import PairArrays, ScoredPairs
from image_translation.statistics.calibration import calibrate
from image_translation.training.output_choice import resolve_output
from image_translation.training.settings import ModelSettings


def calibrate_verdicts(
    train: PairArrays,
    validation: PairArrays,
    scored: ScoredPairs,
    workspace: Workspace,
    settings: TaskSettings,
) -> tuple[Stamped[pd.DataFrame], ...]:
    """Train a model with many seeds, and compare it with itself.

    Existing trainings of the task are reused. The scores select nothing, so they do not
    count as an evaluation on the test pairs.

    Args:
        train: Training pairs.
        validation: Pairs that select the epochs.
        scored: The scored pairs of the task.
        workspace: Folder next to those of the models.
        settings: All parameters of the task.

    Returns:
        Scores of all trainings, and one row per deal.
    """
    calibration = settings.calibration
    model = resolve_output(settings.models[calibration.model], train)
    many = model.training.model_copy(update={"replicates": calibration.trainings})
    model = model.model_copy(update={"enabled": True, "training": many})
    scored.check_seal(settings.test.sealed)
    made_from = fingerprint(
        __name__,
        *code_of(model.network.name, model.network.output),
        train_pairs=train,
        validation_pairs=validation,
        scored_pairs=scored,
        model=model.relevant(exclude_defaults=True),
        inference=model.inference,
        calibration=calibration,
        verdicts=settings.verdicts,
    )
    folder = workspace.folder.parent / calibration.model

    def make() -> tuple[pd.DataFrame, pd.DataFrame]:
        scores = _score_trainings(
            calibration.model, model, train, validation, scored, folder
        )
        return scores, calibrate(
            scores,
            calibration.model,
            calibration.replicates,
            calibration.deals,
            margins=settings.verdicts.margins.model_dump(),
        )

    return make_all_if_stale(made_from, make, 2)


def _score_trainings(
    name: str,
    model: ModelSettings,
    train: PairArrays,
    validation: PairArrays,
    scored: PairArrays,
    folder: Path,
) -> pd.DataFrame:
    from image_translation import training

    trained = training.train(name, model, train, validation, folder)
    index = scored.index[["pair_id", "group"]].reset_index(drop=True)
    tables = []
    for number, replicate in enumerate(trained.replicates):
        images = training.translate(
            replicate.load_generator(), scored.inputs, model.inference
        )
        scores = metrics.score_stream(images, scored.targets)
        tables.append(pd.concat([index.assign(replicate=number), scores], axis=1))
    return pd.concat(tables, ignore_index=True)
