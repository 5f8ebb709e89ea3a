"""The ensemble of a model: the mean of its trainings, as a model with one training."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from image_translation.common.fingerprint import file_digest, fingerprint
from image_translation.common.stamps import Stamp
from image_translation.networks.registry import code_of
from image_translation.pairing.arrays import PairArrays
from image_translation.training.observer import Observer
from image_translation.training.trained import (
    CONFIG,
    HISTORY,
    WEIGHTS,
    TrainedModel,
    TrainedReplicate,
)

MIN_MEMBERS = 2


def combine(
    name: str,
    model: TrainedModel,
    validation: PairArrays,
    folder: Path,
    observers: Sequence[Observer] = (),
) -> TrainedModel:
    """Combine the trainings of a model, unless the ensemble is up to date.

    Args:
        name: Name of the ensemble.
        model: The model whose trainings are the members.
        validation: Pairs that score the ensemble.
        folder: Folder of the ensemble; its only replicate goes to ``replicate-0``.
        observers: Notified of the ensemble as of a training with one validation.

    Returns:
        The ensemble; not run without several trainings, or if it is switched off.
    """
    settings = model.settings
    if settings is None or (reason := _obstacle(model)):
        return TrainedModel("not run", reason if settings else "", (), settings)
    home, network = folder / "replicate-0", settings.network
    made_from = fingerprint(
        __name__,
        *code_of(network.name, network.output),
        members=model.replicates,
        inference=settings.inference.model_dump(mode="json", exclude={"batch_size"}),
        validation_pairs=validation,
    )
    if Stamp(home).is_stale(made_from, name):
        _combine(model, validation, home, made_from, observers)
    return TrainedModel("trained", "", (TrainedReplicate.read(home),), settings)


def _obstacle(model: TrainedModel) -> str:
    """Why a model has no ensemble, or nothing."""
    if model.settings is not None and not model.settings.ensemble:
        return "switched off by ensemble=false"
    if model.status != "trained":
        return f"{model.status}: {model.reason}"
    if len(model.replicates) < MIN_MEMBERS:
        return f"an ensemble needs training.replicates={MIN_MEMBERS} or more"
    return ""


def _combine(
    model: TrainedModel,
    validation: PairArrays,
    home: Path,
    made_from: str,
    observers: Sequence[Observer],
) -> None:
    # Torch is imported only if there is work.
    from image_translation.networks.ensemble import Ensemble
    from image_translation.training.inference import prepare
    from image_translation.training.results import (
        save_config,
        save_history,
        save_weights,
    )
    from image_translation.training.validation import draw_samples, score

    settings = model.settings
    assert settings is not None
    network = Ensemble(member.load_generator() for member in model.replicates).eval()
    home.mkdir(parents=True, exist_ok=True)
    Stamp(home).clear()
    # A new ensemble does not resume an old one.
    (home / HISTORY).unlink(missing_ok=True)
    cost = _cost(model, network)
    for observer in observers:
        observer.on_start(0, home, settings, cost)
    translator, seed = prepare(network, settings.inference), settings.training.seed
    row = {"epoch": 0, **score(translator, validation, settings, seed)}
    samples = draw_samples(translator, validation, settings, seed)
    for observer in observers:
        observer.on_epoch(0, row, samples)
    save_weights(network, home)
    save_history([row], home)
    first = model.replicates[0].config
    config = {
        **first,
        "replicate": 0,
        "members": len(model.replicates),
        "best_epoch": 0,
        "fingerprint": made_from,
        "weights_sha256": file_digest(home / WEIGHTS),
        "cost": cost,
    }
    save_config(config, home)
    Stamp(home).write(made_from, [home / file for file in (WEIGHTS, HISTORY, CONFIG)])
    for observer in observers:
        observer.on_end(TrainedReplicate(home, config))


def _cost(model: TrainedModel, network: Any) -> dict[str, Any]:
    """Size and operations of all members, and the cost of their trainings."""
    from image_translation.networks import count_gmac, count_parameters

    first, costs = model.replicates[0], [member.cost for member in model.replicates]
    sums = {
        name: sum(cost[name] for cost in costs)
        for name in ("discriminator_parameters", "seconds", "epochs", "samples_seen")
    }
    seconds = sums["seconds"]
    return {
        **first.cost,
        **sums,
        "parameters": count_parameters(network),
        "gmac": count_gmac(network, first.config["image_size"]),
        "images_per_second": sums["samples_seen"] / seconds if seconds else 0.0,
    }
