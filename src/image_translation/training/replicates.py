"""Training of all replicates of a model."""

from collections.abc import Sequence
from pathlib import Path

from image_translation.common.stamps import note_work
from image_translation.pairing.arrays import PairArrays
from image_translation.training.fitting import fit
from image_translation.training.launch import launch
from image_translation.training.observer import Observer
from image_translation.training.output_choice import resolve_output
from image_translation.training.run_folder import RunFolder
from image_translation.training.settings import ModelSettings
from image_translation.training.trained import TrainedModel, TrainedReplicate


def train(
    name: str,
    settings: ModelSettings,
    train: PairArrays,
    validation: PairArrays,
    folder: Path,
    observers: Sequence[Observer] = (),
) -> TrainedModel:
    """Train all replicates of a model that are not up to date, as `train_replicates`.

    If the settings ask for several processes, they are launched to do the training; this
    process then reads their results.
    """
    settings = resolve_output(settings, train)
    training = settings.training
    is_alone = training.devices * training.nodes == 1 or not settings.is_trainable
    if settings.enabled and not is_alone:
        reason = _find_work(settings, train, validation, folder)
        if reason is not None:
            note_work(True, name, reason)
            launch(name, settings, train, validation, folder, observers)
        settings = settings.model_copy(
            update={"training": training.model_copy(update={"force": False})}
        )
    return train_replicates(name, settings, train, validation, folder, observers)


def _find_work(
    settings: ModelSettings, train: PairArrays, validation: PairArrays, folder: Path
) -> str | None:
    """Why a replicate has to be trained; None if all are up to date."""
    for replicate in range(settings.training.replicates):
        where = folder / f"replicate-{replicate}"
        run_folder = RunFolder(where, settings, train, validation, replicate)
        trained = run_folder.find_finished()
        if trained is None or settings.training.force:
            return run_folder.explain()
        if trained.failure is not None:
            return None
    return None


def train_replicates(
    name: str,
    settings: ModelSettings,
    train: PairArrays,
    validation: PairArrays,
    folder: Path,
    observers: Sequence[Observer] = (),
) -> TrainedModel:
    """Train all replicates of a model that are not up to date.

    A baseline has one replicate: others would be equal. After a replicate that fails, no
    more are trained.

    Args:
        name: The model's name.
        settings: Its settings.
        train: Pairs to learn from.
        validation: Pairs that choose the epoch.
        folder: The model's folder; replicate k goes to ``replicate-<k>``.
        observers: Notified of every epoch of every replicate.

    Raises:
        InputError: There are no pairs to train on or to validate with.
    """
    if not settings.enabled:
        reason = f"switched off by models.{name}.enabled=false"
        return TrainedModel("not run", reason, (), settings)
    replicates: list[TrainedReplicate] = []
    count = settings.training.replicates if settings.is_trainable else 1
    for replicate in range(count):
        trained = fit(
            settings,
            train,
            validation,
            folder / f"replicate-{replicate}",
            replicate=replicate,
            name=name,
            observers=observers,
        )
        if trained.best_epoch is not None:
            replicates.append(trained)
        if trained.failure is not None:
            reason = f"replicate {replicate}: {trained.failure}"
            return TrainedModel("failed", reason, tuple(replicates), settings)
    return TrainedModel("trained", "", tuple(replicates), settings)
