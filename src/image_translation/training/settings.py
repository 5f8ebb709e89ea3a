"""Settings of a model: network, objective, training, inference."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, create_model, model_validator

from image_translation.common.names import BASELINES
from image_translation.common.schema import (
    Nullable,
    OneOf,
    OptionalPath,
    OptionalText,
    Settings,
    SomeOf,
)
from image_translation.networks.registry import NETWORKS
from image_translation.training.diff_augment import CHANGES
from image_translation.training.losses import GAN_LOSSES, LOSSES, with_discriminator

MAX_SCALES = 4
"""A fifth discriminator would get pairs too small for a logit, at any image size."""

# A default here is the behaviour before the parameter was added, so that older models can
# still be read. The defaults of runs are in conf/base.


class NetworkSettings(Settings):
    """Name, width and structure of a network (`image_translation.networks.Structure`)."""

    name: Annotated[str, OneOf(NETWORKS)]
    base_channels: int = Field(ge=1, le=256)
    output: Literal["rgb", "residual", "lab", "ycbcr", "classes", "auto"] = "rgb"
    upsampling: Literal["transposed", "resize", "shuffle"] = "transposed"
    normalization: Literal["batch", "instance", "group", "none"] = "batch"
    attention: bool = False
    dropout: float = Field(default=0.5, ge=0, lt=1)
    levels: Annotated[Annotated[int, Field(ge=2, le=10)] | None, Nullable] = None
    blocks: int = Field(default=0, ge=0, le=8)
    encoder: Literal["lite0", "lite1", "lite2"] = "lite0"


_WEIGHTS: Any = {name: (float, Field(default=0, ge=0)) for name in LOSSES}
_LossWeights = create_model("_LossWeights", __base__=Settings, **_WEIGHTS)


class ObjectiveSettings(_LossWeights):
    """A weight for each loss of ``LOSSES``, and the discriminator; unused by baselines."""

    rebalancing: float = Field(default=0.5, ge=0, lt=1)
    gan_loss: Annotated[str, OneOf(GAN_LOSSES)] = "cross_entropy"
    discriminator_channels: int = Field(ge=1, le=256)
    scales: int = Field(default=1, ge=1, le=MAX_SCALES)
    spectral_norm: bool = False
    diff_augment: Annotated[tuple[str, ...], SomeOf(CHANGES, "change")] = ()

    @property
    def weights(self) -> dict[str, float]:
        """Weights above 0 by loss; those that need the discriminator come first."""
        weights = {n: getattr(self, n) for n in LOSSES if getattr(self, n)}
        first = sorted(weights, key=lambda name: not LOSSES[name].needs_discriminator)
        return {name: weights[name] for name in first}

    @property
    def has_discriminator(self) -> bool:
        """Whether a discriminator is trained with the generator."""
        return "adversarial" in self.weights

    @property
    def logged_losses(self) -> list[str]:
        """Names of the losses that a training logs, in the order of the history."""
        weights = self.weights
        return with_discriminator(
            name
            for name, loss in LOSSES.items()
            if name in weights or loss.is_always_logged
        )

    def describe(self) -> str:
        """The weighted sum of the losses, such as ``1 × adversarial + 100 × L1``."""
        return " + ".join(
            f"{weight:g} × {LOSSES[name].label}"
            for name, weight in self.weights.items()
        )

    @model_validator(mode="after")
    def _has_the_discriminator_it_needs(self) -> "ObjectiveSettings":
        for name in self.weights:
            if LOSSES[name].needs_discriminator and not self.has_discriminator:
                raise ValueError(
                    f"{name} needs a discriminator; set adversarial above 0, or {name} "
                    "only for models that have one"
                )
        return self


AUTO: Literal["auto"] = "auto"
"""``network.output``: chosen from the training pairs, see ``output_choice``."""

CLASSES: Literal["classes"] = "classes"
"""``network.output``: colour classes, which a loss of their own trains."""

LAST: Literal["last"] = "last"
"""``training.select_by``: the last epoch."""

PREVIOUS: Literal["previous"] = "previous"
"""``training.warm_start``: the weights of the training before."""


class TrainingSettings(Settings):
    """Settings of training."""

    epochs: int = Field(ge=1)
    pairs: Annotated[Annotated[int, Field(ge=1)] | None, Nullable] = None
    batch_size: int = Field(ge=1)
    accumulate: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    schedule: Literal["constant", "linear", "cosine"]
    warm_up: int = Field(default=0, ge=0)
    beta1: float = Field(ge=0, lt=1)
    weight_decay: float = Field(default=0, ge=0)
    encoder_weights: Annotated[
        Literal["imagenet"] | OptionalPath, Field(union_mode="left_to_right")
    ] = None
    encoder_rate: float = Field(default=1, gt=0, le=1)
    ema: Annotated[Annotated[float, Field(gt=0, lt=1)] | None, Nullable]
    jitter: float = Field(ge=1, le=2)
    random_jitter: bool = False
    gamma: float = Field(default=1, ge=1, le=4)
    chroma: float = Field(default=0, ge=0, le=1)
    flip: bool
    select_by: Literal["mse", "psnr", "ssim", "swd", "last"]
    patience: Annotated[Annotated[int, Field(ge=1)] | None, Nullable] = None
    replicates: int = Field(ge=1, le=100)
    seed: int = Field(ge=0, lt=2**40)
    warm_start: Annotated[
        Literal["previous"] | OptionalPath, Field(union_mode="left_to_right")
    ]
    device: Literal["auto", "cuda", "cpu"]
    precision: Literal["auto", "bf16", "tf32", "fp32"]
    threads: Literal["auto"] | Annotated[int, Field(ge=1)] = "auto"
    devices: int = Field(ge=1)
    nodes: int = Field(ge=1)
    rendezvous: OptionalText
    compile: bool
    checkpoint_minutes: float = Field(gt=0)
    force: bool

    @model_validator(mode="after")
    def _stops_by_a_metric(self) -> "TrainingSettings":
        if self.patience is not None and self.select_by == LAST:
            raise ValueError(
                "patience needs a validation metric: set select_by to mse, psnr, ssim or "
                "swd, or patience to null"
            )
        return self

    @property
    def fixed_threads(self) -> int | None:
        """Number of CPU threads; None adapts it to the load of the machine."""
        return None if self.threads == "auto" else self.threads


class InferenceSettings(Settings):
    """The protocol of inference."""

    batch_size: int = Field(ge=1)
    dropout: bool
    batch_statistics: bool
    flips: bool = False
    temperature: float = Field(default=0.38, ge=0.01, le=1)

    @property
    def validated(self) -> "InferenceSettings":
        """The protocol of validation: the default temperature.

        The temperature can thus be changed without another choice of the epoch.
        """
        default = type(self).model_fields["temperature"].default
        return self.model_copy(update={"temperature": default})


class ModelSettings(Settings):
    """Settings of a model."""

    enabled: bool
    ensemble: bool = False
    network: NetworkSettings
    objective: ObjectiveSettings
    training: TrainingSettings
    inference: InferenceSettings

    def relevant(self, *, exclude_defaults: bool = False) -> dict[str, Any]:
        """Everything that weights depend on, except those to start from, and processes.

        Args:
            exclude_defaults: Whether to leave out fields with default values.
        """
        return self.model_dump(
            mode="json",
            exclude_defaults=exclude_defaults,
            exclude={
                "enabled": True,
                "ensemble": True,
                "training": {
                    "checkpoint_minutes",
                    "device",
                    "devices",
                    "encoder_weights",
                    "force",
                    "nodes",
                    "rendezvous",
                    "replicates",
                    "threads",
                    "warm_start",
                },
                "inference": {"batch_size", "temperature"},
            },
        )

    @property
    def is_trainable(self) -> bool:
        """True if the network is trained, false for a baseline."""
        return self.network.name not in BASELINES

    def find_unsuitable(self, image_size: int) -> Iterator[tuple[str, str]]:
        """Yield parameters that do not suit an image size, with the problem.

        Args:
            image_size: Height and width in pixels.
        """
        if not self.is_trainable:
            return
        levels, most = self.network.levels, image_size.bit_length() - 1
        if levels is not None and levels > most:
            yield (
                "network.levels",
                f"must be at most {most} for images of {image_size} pixels",
            )

    @model_validator(mode="after")
    def _objective_suits_network(self) -> "ModelSettings":
        if self.is_trainable and not self.objective.weights:
            raise ValueError(
                f"objective: network {self.network.name} needs a loss; set "
                "objective.l1 or objective.adversarial above 0"
            )
        return self

    @model_validator(mode="after")
    def _losses_suit_output(self) -> "ModelSettings":
        if not self.is_trainable:
            return self
        output, weights = self.network.output, self.objective.weights
        for name in weights:
            needed = LOSSES[name].needs_output
            if needed not in (None, output):
                raise ValueError(
                    f"objective.{name} needs network.output={needed}, but it is "
                    f"{output}; set both, for this model alone, or objective.{name}=0"
                )
        trains = [name for name, loss in LOSSES.items() if loss.needs_output == output]
        if trains and not set(trains) & weights.keys():
            raise ValueError(
                f"network.output={output} needs objective.{trains[0]} above 0; set both, "
                "for this model alone, or choose another output"
            )
        return self
