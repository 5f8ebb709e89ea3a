"""The training loop, top to bottom: epoch, batch, the two steps, log, checkpoint."""

import logging
import time
from contextlib import nullcontext

import torch
from torch import Tensor

from image_translation.common.torch_threads import torch_threads
from image_translation.training.batches import Batch, Batches
from image_translation.training.devices import Device
from image_translation.training.divergence import (
    DivergedError,
    check_weights,
    mean_losses,
)
from image_translation.training.inference import prepare
from image_translation.training.interruption import Stopped, interruptible
from image_translation.training.losses import (
    DISCRIMINATOR,
    LOSSES,
    Translated,
    discriminator_loss,
)
from image_translation.training.processes import (
    any_process,
    is_first,
    rank_and_world,
    share_buffers,
    sum_over_processes,
    without_sync,
)
from image_translation.training.progress import TrainingProgress
from image_translation.training.results import save_epoch
from image_translation.training.run import Run
from image_translation.training.schedule import learning_rate_factor, warm_up_factor
from image_translation.training.settings import ModelSettings
from image_translation.training.state import TrainingState, compile_networks
from image_translation.training.validation import (
    draw_samples,
    is_best,
    is_out_of_patience,
    prepare_translator,
    score,
)

logger = logging.getLogger(__name__)


def train_epochs(run: Run) -> str | None:
    """Train the remaining epochs; returns why training ended early, or None."""
    state, training, pairs = run.state, run.settings.training, run.folder.pairs
    if training.compile:
        compile_networks(state)
    batches = Batches(
        run.folder.train, training, run.folder.replicate, run.device, *rank_and_world()
    )
    total, seen = training.epochs * pairs, state.epoch * pairs + state.seen
    if seen == 0 and run.observers:
        network = prepare(state.translator, run.settings.inference.validated)
        run.report_epoch({"epoch": 0}, draw_samples(network, *run.validated))
    with (
        run.stop,
        TrainingProgress(run.folder.name, total, seen, bar=is_first()) as progress,
    ):
        for epoch in range(state.epoch + 1, training.epochs + 1):
            if any_process(is_out_of_patience(state, training.patience)):
                logger.info(
                    "%s stopped early, after epoch %d of %d: epoch %s is the best by %s",
                    run.folder.name,
                    state.epoch,
                    training.epochs,
                    state.best_epoch,
                    training.select_by,
                )
                break
            try:
                figures = _train_epoch(run, epoch, batches, progress)
            except DivergedError as error:
                failure = f"training diverged in epoch {epoch}: {error}"
                if is_first():
                    logger.error("%s: %s", run.folder.name, failure)
                return failure
            try:
                row = end_epoch(run, epoch, figures)
            except Stopped:
                # The state is consistent: from before or after the validation.
                run.save_and_stop()
            progress.figures = {
                k: v for k, v in row.items() if "/" in k or k == "epoch"
            }
    return None


def _train_epoch(
    run: Run, epoch: int, batches: Batches, progress: TrainingProgress
) -> dict[str, float]:
    """Train the rest of an epoch; returns mean losses, seconds, images per second."""
    state, training = run.state, run.settings.training
    losses = run.settings.objective.logged_losses
    factor = learning_rate_factor(training.schedule, epoch, training.epochs)
    rate = training.learning_rate * factor
    state.generator.train()
    before, started = state.seconds, time.perf_counter()

    for batch in batches.epoch(epoch, start=state.batches):
        step = (epoch - 1) * len(batches) + state.batches
        state.set_learning_rate(rate * warm_up_factor(training.warm_up, step))
        with torch_threads.adapted(run.device.kind):
            state.sums += train_batch(state, batch, run.settings, run.device)
        state.batches += 1
        state.seen += batch.total
        state.seconds = before + time.perf_counter() - started

        # log
        progress.advance(batch.total)
        if progress.is_due():
            is_alone = rank_and_world()[1] == 1  # others have losses of their own
            means = mean_losses(state, losses) if is_alone else {}
            progress.show({"epoch": epoch, **means})

        # checkpoint, between two steps
        if batch.is_last:
            run.stop_if_asked()
            if run.checkpoints.is_due():
                run.checkpoints.save(state)

    sum_over_processes(state.sums)
    means = mean_losses(state, losses)
    share_buffers(state.translator)
    check_weights(state)
    seconds = before + time.perf_counter() - started
    return {"seconds": seconds, "images_per_second": state.seen / seconds, **means}


def train_batch(
    state: TrainingState, batch: Batch, settings: ModelSettings, device: Device
) -> Tensor:
    """Train on one batch: first the discriminator, then the generator against it.

    Isola et al. 2017, 3.3. The gradients of a group of batches, and of all processes,
    are summed before the weights change. In a group of several batches the generator
    meets the discriminator from before the group, except in the last batch.

    Args:
        state: Networks and optimizers; changed.
        batch: The pairs.
        settings: Of the objective and the moving average.
        device: Device and precision.

    Returns:
        Sums over the batch of the unweighted losses ``objective.logged_losses``.
    """
    alone = nullcontext() if batch.is_last else without_sync(state.parallel.values())
    with alone:
        with device.autocast():
            predicted = state.parallel["generator"](batch.inputs)  # (N, 3, S, S)
        # Colour classes are trained by their logits, which come with the images.
        predictions, logits = predicted if state.classes else (predicted, None)
        translated = Translated(
            batch.inputs,
            batch.targets,
            predictions,
            state.discriminator,
            settings.objective.gan_loss,
            device,
            settings.objective.diff_augment,
            logits,
            state.classes,
        )
        losses: dict[str, Tensor] = {}
        if state.discriminator is not None:
            losses[DISCRIMINATOR] = discriminator_step(state, batch, translated)
        losses |= generator_step(state, batch, translated, settings)
    count = len(batch.inputs) if batch.weight else 0
    names = settings.objective.logged_losses
    return count * torch.stack([losses[name] for name in names]).detach()


def discriminator_step(
    state: TrainingState, batch: Batch, translated: Translated
) -> Tensor:
    """Train the discriminator to classify real and generated pairs; returns its loss.

    Afterwards its weights take no gradients: the generator's step leaves them as they
    are.
    """
    assert state.discriminator is not None
    state.discriminator.requires_grad_(True)
    discriminator = state.parallel["discriminator"]
    real = translated.classify(discriminator, batch.targets)
    generated = translated.classify(discriminator, translated.predictions.detach())
    loss = discriminator_loss(real, generated, translated.gan_loss)
    (batch.weight * loss).backward()
    if batch.is_last:
        state.step("discriminator")
    state.discriminator.requires_grad_(False)
    return loss


def generator_step(
    state: TrainingState, batch: Batch, translated: Translated, settings: ModelSettings
) -> dict[str, Tensor]:
    """Train the generator on the weighted sum of its losses; returns them by name."""
    weights = settings.objective.weights
    logged = [name for name, loss in LOSSES.items() if loss.is_always_logged]
    names = dict.fromkeys([*weights, *logged])
    losses = {name: LOSSES[name].function(translated) for name in names}
    total = torch.stack([weights[name] * losses[name] for name in weights]).sum()
    (batch.weight * total).backward()
    if batch.is_last:
        state.step("generator")
        if settings.training.ema is not None:
            state.update_average(settings.training.ema)
    return losses


def end_epoch(run: Run, epoch: int, figures: dict[str, float]) -> dict[str, float]:
    """Validate, save and report an epoch; returns its row of the history.

    Raises:
        InputError: The results could not be written.
    """
    state, row = run.state, {"epoch": epoch, **figures}
    if not is_first():
        state.end_epoch(row)
        return row

    # validate
    with interruptible():
        network = prepare_translator(state, run.folder.train, run.settings, run.device)
        row |= score(network, *run.validated)
    if best := is_best(row, state, run.settings.training.select_by):
        state.best_epoch = epoch
    state.end_epoch(row)

    # save and report
    save_epoch(run.folder, state, with_weights=best)
    if run.observers:
        run.report_epoch(row, draw_samples(network, *run.validated))
    if run.settings.is_trainable:
        run.checkpoints.save(state)
    return row
