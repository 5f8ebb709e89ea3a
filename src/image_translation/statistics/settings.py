"""Settings of verdicts, calibration and promotion."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from image_translation.common.schema import Nullable, Settings, Text
from image_translation.metrics.registry import METRICS

Margin = Annotated[Annotated[float, Field(gt=0)] | None, Nullable]


class MarginSettings(Settings):
    """Margins of practical equality by metric; None for a metric without a margin."""

    mse: Margin
    psnr: Margin
    ssim: Margin
    mae: Margin
    ms_ssim: Margin
    gmsd: Margin
    ciede2000: Margin
    chroma_error: Margin
    colourfulness_difference: Margin
    saturation_bias: Margin


class VerdictSettings(Settings):
    """Settings of verdicts."""

    margins: MarginSettings


class CalibrationSettings(Settings):
    """Settings for the comparison of a model with itself."""

    model: Text
    trainings: int = Field(ge=4, le=100)
    replicates: int = Field(ge=1, le=50)
    deals: int = Field(ge=1, le=1000)

    @model_validator(mode="after")
    def _make_two_simulated_models(self) -> "CalibrationSettings":
        if self.trainings < 2 * self.replicates:
            raise ValueError(
                f"trainings: at least {2 * self.replicates} are required for two "
                f"simulated models with {self.replicates} trainings each"
            )
        return self


def _as_metric(name: str) -> str:
    if name not in METRICS:
        raise ValueError(f"one of {', '.join(METRICS)}")
    return name


class PromotionSettings(Settings):
    """Conditions under which a challenger replaces the champion."""

    metric: Literal["mse", "psnr", "ssim"]
    guard: Annotated[str, AfterValidator(_as_metric)]
    margin: float = Field(ge=0)
    beat_baselines: bool = True

    @property
    def rule(self) -> dict[str, str | float]:
        """Metric, guard and margin, as logged with each decision."""
        return {"metric": self.metric, "guard": self.guard, "margin": self.margin}

    @model_validator(mode="after")
    def _guard_is_another_metric(self) -> "PromotionSettings":
        if self.guard == self.metric:
            raise ValueError(
                "guard: must differ from promotion.metric, for example "
                + ("ssim" if self.metric != "ssim" else "psnr")
            )
        return self
