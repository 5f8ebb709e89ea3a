"""Settings of metrics."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, model_validator

from image_translation.common.schema import Nullable, OptionalPath, Settings


def _as_file(path: str | None) -> str | None:
    if path is not None and not Path(path).is_file():
        raise ValueError("no such file; set the path of the weights, or null")
    return path


WeightsPath = Annotated[OptionalPath, AfterValidator(_as_file)]
"""Path of an existing file, or None."""


class LearnedMetricsSettings(Settings):
    """Weights of learned metrics; metrics without weights are skipped."""

    lpips_backbone: WeightsPath
    lpips_heads: WeightsPath
    dists_backbone: WeightsPath
    dists_weights: WeightsPath
    inception: WeightsPath
    encoder: Annotated[Literal["lite0", "lite1", "lite2"] | None, Nullable] = None

    @model_validator(mode="after")
    def _come_in_pairs(self) -> "LearnedMetricsSettings":
        for first, second in (
            ("lpips_backbone", "lpips_heads"),
            ("dists_backbone", "dists_weights"),
        ):
            given = [name for name in (first, second) if getattr(self, name)]
            if len(given) == 1:
                raise ValueError(
                    f"{given[0]} works only together with "
                    f"{second if given[0] == first else first}"
                )
        return self
