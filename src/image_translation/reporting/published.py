"""Settings of a run that differ from the published ones."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from image_translation.reporting import formatting
from image_translation.training.losses import LOSSES

NETWORKS = {
    "pix2pix": "unet",
    "unet": "unet",
    "autoencoder": "autoencoder",
    "autoencoder_gan": "autoencoder",
}
"""The models of the 2×2 and their networks."""

ALL = tuple(NETWORKS)
ADVERSARIAL = ("pix2pix", "autoencoder_gan")

PAPER = "Isola et al. 2017"
CODE = "the authors' PyTorch code"

Value = bool | float | str | None


@dataclass(frozen=True)
class Published:
    """A published value of a setting.

    Attributes:
        values: The values that count as published.
        text: Text for the report.
        source: Reference of the value.
        models: The models that have the setting.
    """

    values: tuple[Value, ...]
    text: str
    source: str = PAPER
    models: tuple[str, ...] = ALL


@dataclass(frozen=True)
class Difference:
    """A setting that differs from the published one."""

    setting: str
    here: str
    published: str
    source: str


@dataclass(frozen=True)
class SharedDifference:
    """The same difference of several models; without names if all models have it."""

    difference: Difference
    models: Sequence[str]


_UNETS = tuple(name for name, network in NETWORKS.items() if network == "unet")

PUBLISHED: Mapping[str, Published] = {
    "preparation.image_size": Published((256,), "256", f"{PAPER}; the study"),
    "network.base_channels": Published((64,), "64", f"{PAPER}, 6.1; the study"),
    "network.output": Published(("rgb",), "rgb"),
    "network.upsampling": Published(("transposed",), "transposed", f"{PAPER}, 6.1"),
    "network.normalization": Published(("batch",), "batch", f"{PAPER}, 6.1"),
    "network.attention": Published((False,), "off"),
    "network.blocks": Published((0,), "none"),
    "network.levels": Published(
        (None,),
        "down to 1×1 (U-Net), 8×8 (encoder–decoder)",
        f"{PAPER}, 6.1; the study",
    ),
    "network.dropout": Published((0.5,), "0.5", f"{PAPER}, 6.1", _UNETS),
    "objective.l1": Published((100,), "100", f"{PAPER}, 4.2", ADVERSARIAL),
    "objective.adversarial": Published((1,), "1", f"{PAPER}, 3.1", ADVERSARIAL),
    "objective.gan_loss": Published(
        ("cross_entropy",), "cross_entropy", f"{PAPER}, 3.1", ADVERSARIAL
    ),
    "objective.discriminator_channels": Published(
        (64,), "64", f"{PAPER}, 6.1.2", ADVERSARIAL
    ),
    "objective.scales": Published((1,), "1", f"{PAPER}, 6.1.2", ADVERSARIAL),
    "objective.spectral_norm": Published((False,), "off", models=ADVERSARIAL),
    "objective.diff_augment": Published((None,), "none", models=ADVERSARIAL),
    **{
        f"objective.{name}": Published(
            (0,), "0", models=ADVERSARIAL if loss.needs_discriminator else ALL
        )
        for name, loss in LOSSES.items()
        if name not in ("l1", "adversarial")
    },
    "training.epochs": Published(
        (200,), "200, fewer for large data sets", f"{PAPER}, 6.2"
    ),
    "training.batch_size": Published(
        (1, 4), "1, or 4 for large data sets", f"{PAPER}, 6.2"
    ),
    "training.accumulate": Published((1,), "1"),
    "training.learning_rate": Published((2e-4,), "0.0002", f"{PAPER}, 3.3"),
    "training.beta1": Published((0.5,), "0.5", f"{PAPER}, 3.3"),
    "training.schedule": Published(("linear",), "constant, then linear to zero", CODE),
    "training.ema": Published((None,), "none"),
    "training.jitter": Published((286 / 256,), "286 / 256", f"{PAPER}, 6.2"),
    "training.flip": Published((True,), "on", f"{PAPER}, 6.2"),
    "training.gamma": Published((1,), "none"),
    "training.chroma": Published((0,), "none"),
    "training.patience": Published((None,), "none"),
    "training.select_by": Published(("last",), "last", CODE),
    "inference.dropout": Published((True,), "on", f"{PAPER}, 3.3", _UNETS),
    "inference.batch_statistics": Published((True,), "on", f"{PAPER}, 3.3"),
    "inference.flips": Published((False,), "off"),
}
"""Isola, Zhu, Zhou & Efros (2017), "Image-to-image translation with conditional
adversarial networks", and the study's autoencoder. The paper also has the
encoder–decoder, and L1 without the adversarial loss (4.2, 4.3), with the same
training.
"""


def differences(settings: Mapping[str, object], model: str) -> list[Difference]:
    """The settings of a model of the 2×2 that differ from the published ones.

    Args:
        settings: Dotted name → value, of all models of a task.
        model: Its name.

    Returns:
        In the order of `PUBLISHED`; empty for other models and unknown settings.
    """
    return list(_differences(settings, model)) if model in NETWORKS else []


def _differences(settings: Mapping[str, object], model: str) -> Iterator[Difference]:
    for name, published in PUBLISHED.items():
        if model not in published.models:
            continue
        inner = name if name.startswith("preparation.") else f"{model}.{name}"
        keys = [key for key in settings if key == inner or key.endswith(f".{inner}")]
        if keys and not any(_is(settings[keys[0]], v) for v in published.values):
            here = _text(settings[keys[0]])
            yield Difference(name, here, published.text, published.source)


def shared_differences(
    settings: Mapping[str, object], models: Sequence[str]
) -> list[SharedDifference]:
    """The differences of several models, without repetitions.

    Args:
        settings: As for `differences`.
        models: Their names; models outside the 2×2 are ignored.
    """
    known = [model for model in models if model in NETWORKS]
    found: dict[Difference, list[str]] = {}
    for model in known:
        for difference in differences(settings, model):
            found.setdefault(difference, []).append(model)
    order = list(PUBLISHED)
    return [
        SharedDifference(difference, models if models != known else ())
        for difference, models in sorted(
            found.items(), key=lambda item: order.index(item[0].setting)
        )
    ]


def _is(here: object, published: Value) -> bool:
    """True if a value equals the published one, to three digits."""
    if published is None:
        return here is None or here in ((), [])
    if isinstance(published, bool) or isinstance(here, bool):
        return here is published
    if isinstance(published, str) or not isinstance(here, int | float):
        return here == published
    return math.isclose(here, published, rel_tol=1e-3)


def _text(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else formatting.text(value)
