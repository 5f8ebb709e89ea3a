"""Training one replicate of a model, from settings to a folder with weights."""

import json
import logging
import math
import time
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn

from image_translation.errors import InputError
from image_translation.fingerprint import Stamp, code_digest, digest
from image_translation.metrics import METRICS, for_means
from image_translation.models import MeanTarget, count_gmac, count_parameters
from image_translation.pairing.arrays import PairArrays
from image_translation.training.augmentation import augment
from image_translation.training.checkpoint import (
    load_checkpoint,
    save_checkpoint,
    write_whole,
)
from image_translation.training.devices import Device, pick_device
from image_translation.training.inference import translate
from image_translation.training.objectives import (
    adversarial_loss,
    discriminator_loss,
    l1_loss,
)
from image_translation.training.observer import Observer
from image_translation.training.progress import TrainingProgress
from image_translation.training.settings import ModelSettings, TrainingSettings
from image_translation.training.state import TrainingState
from image_translation.training.tensors import to_tensor
from image_translation.training.trained import (
    CONFIG,
    HISTORY,
    WEIGHTS,
    TrainedReplicate,
)

logger = logging.getLogger(__name__)

CHECKPOINT = "checkpoint.pt"

VALIDATED = ("mse", "psnr", "ssim")
"""Metrics of every epoch; one of them chooses it."""

LOSSES = ("train/l1", "train/adversarial", "train/discriminator")
COLUMNS = (
    "epoch",
    "seconds",
    "images_per_second",
    *LOSSES,
    *(f"validation/{name}" for name in VALIDATED),
)

SAMPLES = 4
"""Validation pairs that observers are shown."""

# What the weights depend on, comments and layout left out.
CODE = (
    "image_translation.metrics.fidelity",
    "image_translation.metrics.registry",
    "image_translation.models",
    *(
        f"image_translation.training.{name}"
        for name in (
            "augmentation",
            "devices",
            "inference",
            "loop",
            "objectives",
            "state",
            "tensors",
        )
    ),
)


class _DivergedError(Exception):
    """A loss or a weight is not a finite number."""


def fit(
    settings: ModelSettings,
    train: PairArrays,
    validation: PairArrays,
    folder: Path,
    *,
    replicate: int = 0,
    name: str | None = None,
    observers: Sequence[Observer] = (),
) -> TrainedReplicate:
    """Train a model once, or find it trained.

    Cut off at any moment, the next call goes on after the last finished epoch and ends
    with the same weights. A training whose loss stops being a finite number ends there,
    with the best weights before (`TrainedReplicate.failure`).

    Args:
        settings: Network, objective, training and the protocol of validation.
        train: Pairs to learn from, S×S pixels.
        validation: Pairs that choose the epoch.
        folder: Where ``weights.safetensors`` (of the best epoch), ``config.json``,
            ``history.csv`` and, until it ends, the checkpoint are kept.
        replicate: Number of the replicate; added to the seed.
        name: What the log calls the model; the network's name if not given.
        observers: Told of every epoch.

    Raises:
        InputError: There is nothing to train on or to validate with.
    """
    name = f"{name or settings.network.name} replicate {replicate}"
    _check(train, validation)
    fingerprint = _fingerprint(settings, train, validation, replicate)
    finished = _find_finished(folder, fingerprint)
    if finished is not None and not settings.training.force:
        logger.info("%s is up to date", name)
        return finished

    folder.mkdir(parents=True, exist_ok=True)
    Stamp(folder).clear()
    seed = settings.training.seed + replicate
    device = pick_device()
    state = TrainingState.start(settings, train.image_size, seed, device.kind)
    _resume(state, folder, fingerprint, name, force=settings.training.force)
    cost = _known_cost(state, train.image_size, device)
    for observer in observers:
        observer.on_start(replicate, folder, settings, cost)

    def end_epoch(epoch: int, figures: dict[str, float]) -> None:
        """Validate, and keep all that an interruption must not cost."""
        scores, samples = _validate(state.generator, validation, settings, seed)
        row = {"epoch": epoch, **figures, **scores}
        state.history.append(row)
        if _is_best(row, state, settings.training.select_by):
            state.best_epoch = epoch
            _save_weights(state.generator, folder / WEIGHTS)
        _save_history(state.history, folder / HISTORY)
        for observer in observers:
            observer.on_epoch(epoch, {**figures, **scores}, samples)
        if settings.is_trainable:
            save_checkpoint(
                folder / CHECKPOINT, {"fingerprint": fingerprint, **state.dump()}
            )

    failure = None
    if settings.is_trainable:
        epochs = settings.training.epochs
        total, seen = epochs * len(train), state.epoch * len(train)
        with TrainingProgress(name, total, seen) as progress:
            for epoch in range(state.epoch + 1, epochs + 1):
                try:
                    figures = _train_epoch(state, train, settings, device, progress)
                except _DivergedError as error:
                    failure = f"training diverged in epoch {epoch}: {error}"
                    logger.error("%s: %s", name, failure)
                    break
                end_epoch(epoch, figures)
                progress.figures = {"epoch": epoch, **_shown(state.history[-1])}
    else:
        if isinstance(state.generator, MeanTarget):
            _set_mean(state.generator, train)
        end_epoch(0, {})

    config = {
        **_describe(settings, train.image_size, replicate),
        "best_epoch": state.best_epoch,
        "failure": failure,
        "fingerprint": fingerprint,
        "weights_sha256": _file_digest(folder / WEIGHTS),
        "cost": {**cost, **_spent(state.history, len(train))},
    }
    _save_history(state.history, folder / HISTORY)
    trained = _conclude(folder, config)
    for observer in observers:
        observer.on_end(trained)
    return trained


def _train_epoch(
    state: TrainingState,
    train: PairArrays,
    settings: ModelSettings,
    device: Device,
    progress: TrainingProgress,
) -> dict[str, float]:
    """See every pair once; returns mean losses, seconds and images per second."""
    epoch = state.epoch + 1
    state.generator.train()
    started = time.perf_counter()
    # Sums stay on the device: reading one makes the host wait for all that is queued.
    sums = torch.zeros(len(LOSSES) if state.discriminator else 1, device=device.kind)
    seen = 0
    for pair in _batches(train, settings.training, state.data_chance):
        inputs, targets = (images.to(device.kind) for images in pair)
        sums += len(inputs) * _step(state, inputs, targets, settings, device)
        seen += len(inputs)
        progress.advance(len(inputs))
        if progress.is_due():
            progress.show({"epoch": epoch, **_means(sums, seen)})
    losses = _means(sums, seen)
    _check_weights(state.generator)
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "images_per_second": seen / seconds, **losses}


def _step(
    state: TrainingState,
    inputs: Tensor,
    targets: Tensor,
    settings: ModelSettings,
    device: Device,
) -> Tensor:
    """Train on one batch, N×3×H×W in [-1, 1]; returns its losses, unweighted.

    The discriminator first, then the generator against it (Isola et al. 2017, 3.3).
    """
    discriminator = state.discriminator
    with device.autocast():
        predictions = state.generator(inputs)  # (N, 3, H, W) in [-1, 1]
    if discriminator is not None:
        discriminator.requires_grad_(True)
        with device.autocast():
            real = discriminator(inputs, targets)  # (N, 1, H/8-2, W/8-2), logits
            generated = discriminator(inputs, predictions.detach())
            judging = discriminator_loss(real, generated)
        _descend(judging, state.optimizers["discriminator"])

    l1 = l1_loss(predictions, targets)
    loss = settings.objective.l1 * l1
    losses = [l1]
    if discriminator is not None:
        discriminator.requires_grad_(False)  # the generator's step leaves it as it is
        with device.autocast():
            fooling = adversarial_loss(discriminator(inputs, predictions), is_real=True)
        loss = loss + settings.objective.adversarial * fooling
        losses += [fooling, judging]
    _descend(loss, state.optimizers["generator"])
    return torch.stack(losses).detach()


def _descend(loss: Tensor, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()


def _batches(
    pairs: PairArrays, training: TrainingSettings, chance: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Pairs in random order, augmented, N×3×S×S in [-1, 1]; the last batch is short."""
    order = torch.randperm(len(pairs), generator=chance).numpy()
    for start in range(0, len(pairs), training.batch_size):
        chosen = order[start : start + training.batch_size]
        yield augment(
            to_tensor(pairs.inputs[chosen]),
            to_tensor(pairs.targets[chosen]),
            jitter=training.jitter,
            flip=training.flip,
            generator=chance,
        )


def _means(sums: Tensor, seen: int) -> dict[str, float]:
    """Mean losses by name.

    Raises:
        _DivergedError: One is not finite.
    """
    means = dict(zip(LOSSES, (sums / seen).tolist(), strict=False))
    for name, value in means.items():
        if not math.isfinite(value):
            raise _DivergedError(
                f"{name} is {value}; a lower training.learning_rate may help"
            )
    return means


def _check_weights(generator: nn.Module) -> None:
    """Find a last step that went wrong, which no loss has seen."""
    if not all(
        torch.isfinite(value).all() for value in generator.state_dict().values()
    ):
        raise _DivergedError(
            "weights are not finite; a lower training.learning_rate may help"
        )


def _shown(row: dict[str, float]) -> dict[str, float]:
    """The losses and scores of an epoch, for the log."""
    return {name: value for name, value in row.items() if "/" in name}


def _set_mean(generator: MeanTarget, train: PairArrays) -> None:
    """Give the baseline the mean of all training targets."""
    mean = np.mean(train.targets, axis=0, keepdims=True, dtype=np.float64)  # (1,H,W,3)
    levels = torch.from_numpy(mean).permute(0, 3, 1, 2)
    generator.image.copy_(levels / 127.5 - 1)


def _validate(
    generator: nn.Module, validation: PairArrays, settings: ModelSettings, seed: int
) -> tuple[dict[str, float], NDArray[np.uint8]]:
    """Score the validation pairs as 8-bit images.

    Returns:
        The mean of each metric, and an H×W×3 grid of samples: a row a pair, evenly
        spread over the set, input | prediction | target.
    """
    shown = set(np.linspace(0, len(validation) - 1, SAMPLES).round().astype(int))
    values: dict[str, list[NDArray[np.float64]]] = {name: [] for name in VALIDATED}
    rows = []
    start = 0
    for predictions in translate(
        generator, validation.inputs, settings.inference, seed
    ):
        stop = start + len(predictions)
        targets = np.asarray(validation.targets[start:stop])
        for name in VALIDATED:
            values[name].append(METRICS[name].function(predictions, targets))
        for i in sorted(shown.intersection(range(start, stop))):
            parts = validation.inputs[i], predictions[i - start], validation.targets[i]
            rows.append(np.concatenate(parts, axis=1))  # (S, 3S, 3)
        start = stop
    scores = {
        f"validation/{name}": float(for_means(name, np.concatenate(parts)).mean())
        for name, parts in values.items()
    }
    return scores, np.concatenate(rows)


def _is_best(row: dict[str, float], state: TrainingState, select_by: str) -> bool:
    """Whether an epoch beats all before; the earlier one wins a draw."""
    if state.best_epoch is None:
        return True
    column = f"validation/{select_by}"
    gain = row[column] - state.row(state.best_epoch)[column]
    return gain > 0 if METRICS[select_by].higher_is_better else gain < 0


def _check(train: PairArrays, validation: PairArrays) -> None:
    for side, pairs in (("train", train), ("validation", validation)):
        if len(pairs) == 0:
            raise InputError(
                f"the {side} side of the split holds no pairs; give it more with "
                "splitting.fractions or add images to the source"
            )


def _fingerprint(
    settings: ModelSettings, train: PairArrays, validation: PairArrays, replicate: int
) -> str:
    """Digest of all that the weights depend on."""
    relevant = settings.model_dump(
        mode="json",
        exclude={
            "enabled": True,
            "training": {"force", "replicates"},
            "inference": {"batch_size"},
        },
    )
    return digest(
        relevant,
        replicate,
        train.fingerprint,
        validation.fingerprint,
        code_digest(*CODE),
    )


def _find_finished(folder: Path, fingerprint: str) -> TrainedReplicate | None:
    """What an earlier call made from the same things, if it is all there."""
    if not Stamp(folder).matches(fingerprint):
        return None
    try:
        trained = TrainedReplicate.read(folder)
    except InputError:
        return None
    # A training that failed in its first epoch is finished too, without weights.
    files = (HISTORY,) if trained.best_epoch is None else (HISTORY, WEIGHTS)
    return trained if all((folder / file).is_file() for file in files) else None


def _resume(
    state: TrainingState, folder: Path, fingerprint: str, name: str, *, force: bool
) -> None:
    """Go on from the folder's checkpoint, or clear what an earlier training left."""
    dumped = None if force else load_checkpoint(folder / CHECKPOINT, fingerprint)
    if dumped is not None and (folder / WEIGHTS).is_file():
        state.restore(dumped)
        _save_history(state.history, folder / HISTORY)
        logger.info("%s goes on after epoch %d", name, state.epoch)
        return
    for file in (CHECKPOINT, WEIGHTS, CONFIG, HISTORY):
        (folder / file).unlink(missing_ok=True)


def _conclude(folder: Path, config: dict[str, Any]) -> TrainedReplicate:
    """Declare a training finished, the stamp last."""
    text = json.dumps(config, indent=2) + "\n"
    write_whole(folder / CONFIG, lambda aside: aside.write_text(text, "utf-8"))
    Stamp(folder).write(config["fingerprint"])
    (folder / CHECKPOINT).unlink(missing_ok=True)
    return TrainedReplicate(folder, config)


def _describe(
    settings: ModelSettings, image_size: int, replicate: int
) -> dict[str, Any]:
    """What it takes to build the network again, and what it was trained for."""
    return {
        "network": settings.network.model_dump(),
        "image_size": image_size,
        "objective": settings.objective.model_dump(),
        "seed": settings.training.seed + replicate,
        "replicate": replicate,
        "select_by": settings.training.select_by,
    }


def _known_cost(
    state: TrainingState, image_size: int, device: Device
) -> dict[str, Any]:
    """The part of the cost that is known before training."""
    discriminator = state.discriminator
    return {
        "parameters": count_parameters(state.generator),
        "discriminator_parameters": (
            count_parameters(discriminator) if discriminator else 0
        ),
        "gmac": count_gmac(state.generator, image_size),
        "device": device.kind,
        "precision": device.precision,
    }


def _spent(history: list[dict[str, float]], pairs: int) -> dict[str, Any]:
    """The part of the cost that training makes."""
    epochs = sum("seconds" in row for row in history)
    seconds = sum(row.get("seconds", 0.0) for row in history)
    return {
        "seconds": seconds,
        "images_per_second": epochs * pairs / seconds if seconds else 0.0,
        "epochs": epochs,
        "samples_seen": epochs * pairs,
    }


def _save_weights(generator: nn.Module, path: Path) -> None:
    weights = {
        name: value.detach().cpu().contiguous()
        for name, value in generator.state_dict().items()
    }
    write_whole(path, lambda aside: save_file(weights, aside))


def _save_history(history: list[dict[str, float]], path: Path) -> None:
    table = pd.DataFrame(history, columns=list(COLUMNS))
    write_whole(path, lambda aside: table.to_csv(aside, index=False))


def _file_digest(path: Path) -> str | None:
    """SHA-256 of a file; None where there is none."""
    return sha256(path.read_bytes()).hexdigest() if path.is_file() else None
