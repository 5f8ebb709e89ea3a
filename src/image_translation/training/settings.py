"""Parameters of a model: its network, its objective, its training, its inference."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from image_translation.schema import Nullable, OptionalPath, OptionalText, Settings


class NetworkSettings(Settings):
    """Which network, and how wide."""

    name: Literal["unet", "autoencoder", "copy_input", "mean_target"]
    base_channels: int = Field(ge=1, le=256)


class ObjectiveSettings(Settings):
    """Weights of the terms of the loss; a baseline, which is not trained, has no use."""

    adversarial: float = Field(ge=0)
    l1: float = Field(ge=0)
    discriminator_channels: int = Field(ge=1, le=256)


class TrainingSettings(Settings):
    """How a model is trained."""

    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    accumulate: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    schedule: Literal["constant", "linear", "cosine"]
    beta1: float = Field(ge=0, lt=1)
    ema: Annotated[Annotated[float, Field(gt=0, lt=1)] | None, Nullable]
    jitter: float = Field(ge=1, le=2)
    flip: bool
    select_by: Literal["mse", "psnr", "ssim"]
    replicates: int = Field(ge=1, le=100)
    seed: int = Field(ge=0, lt=2**40)
    warm_start: OptionalPath
    device: Literal["auto", "cuda", "cpu"]
    precision: Literal["auto", "bf16", "tf32", "fp32"]
    devices: int = Field(ge=1)
    nodes: int = Field(ge=1)
    rendezvous: OptionalText
    compile: bool
    checkpoint_minutes: float = Field(gt=0)
    force: bool


class InferenceSettings(Settings):
    """The protocol by which a trained model translates."""

    batch_size: int = Field(ge=1)
    dropout: bool
    batch_statistics: bool


class ModelSettings(Settings):
    """A model: what is compared."""

    enabled: bool
    network: NetworkSettings
    objective: ObjectiveSettings
    training: TrainingSettings
    inference: InferenceSettings

    @property
    def is_trainable(self) -> bool:
        """Whether the network learns; a baseline does not."""
        return self.network.name not in ("copy_input", "mean_target")

    @model_validator(mode="after")
    def _objective_suits_network(self) -> "ModelSettings":
        has_objective = self.objective.adversarial > 0 or self.objective.l1 > 0
        if self.is_trainable and not has_objective:
            raise ValueError(
                f"objective: network {self.network.name} needs something to be trained "
                "for; set objective.l1 or objective.adversarial above 0"
            )
        return self
