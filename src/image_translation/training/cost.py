"""The cost of a training, for ``config.json`` and the observers."""

from typing import Any

from image_translation.networks import count_gmac, count_parameters
from image_translation.training.devices import Device
from image_translation.training.state import TrainingState


def known_cost(state: TrainingState, image_size: int, device: Device) -> dict[str, Any]:
    """The cost that is known before training: parameters, operations, device."""
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


def measure_cost(history: list[dict[str, float]], pairs: int) -> dict[str, Any]:
    """The cost that training adds: time, throughput, epochs, samples.

    Args:
        history: One row for each epoch; that of a baseline has no ``seconds``.
        pairs: Training pairs in an epoch.
    """
    epochs = sum("seconds" in row for row in history)
    seconds = sum(row.get("seconds", 0.0) for row in history)
    return {
        "seconds": seconds,
        "images_per_second": epochs * pairs / seconds if seconds else 0.0,
        "epochs": epochs,
        "samples_seen": epochs * pairs,
    }
