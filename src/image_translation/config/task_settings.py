"""Type of all parameters of a task."""

import os
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, create_model

from image_translation.common.names import BASELINES, ENSEMBLE
from image_translation.common.schema import OptionalPath, OptionalText, Secret, Settings
from image_translation.export.settings import ExportSettings
from image_translation.metrics.settings import LearnedMetricsSettings
from image_translation.pairing.settings import (
    AuditSettings,
    ExternalSettings,
    PairingSettings,
    PreparationSettings,
    SealSettings,
    SplittingSettings,
)
from image_translation.pipeline_registry import MODELS
from image_translation.reporting.settings import ReportSettings
from image_translation.sources import is_path
from image_translation.statistics.settings import (
    CalibrationSettings,
    PromotionSettings,
    VerdictSettings,
)
from image_translation.training.settings import ModelSettings
from image_translation.translation.settings import ServedSettings, TranslateSettings
from image_translation.tuning.settings import TuningSettings

ALL_MODELS = (*MODELS, *BASELINES)


def _as_absolute(source: str | None) -> str | None:
    """Resolve a folder against the working directory; keep other sources."""
    if source is None or not is_path(source):
        return source
    return os.path.abspath(Path(source).expanduser())


class TaskSections(Settings):
    """The sections of a task; each can be set for all tasks or for one."""

    source: Annotated[OptionalText, AfterValidator(_as_absolute), Secret]
    pairing: PairingSettings
    audit: AuditSettings
    splitting: SplittingSettings
    preparation: PreparationSettings
    test: SealSettings
    learned_metrics: LearnedMetricsSettings
    verdicts: VerdictSettings
    calibration: CalibrationSettings
    promotion: PromotionSettings
    report: ReportSettings
    votes: OptionalPath
    input: OptionalPath
    output: OptionalPath
    translate: TranslateSettings
    tuning: TuningSettings
    export: ExportSettings


_BLOCKS: Any = {model: (ModelSettings, ...) for model in ALL_MODELS}
_ModelBlocks = create_model("_ModelBlocks", __base__=Settings, **_BLOCKS)


class TaskSettings(_ModelBlocks, TaskSections):
    """All parameters of a task: its sections, and one block for each model.

    Attributes:
        name: Name of the task; not a parameter, and not in ``model_dump``.
        external: Settings of models whose predictions were made elsewhere, by name.
    """

    name: str = Field(exclude=True)
    external: dict[str, ExternalSettings] = Field(default_factory=dict)

    @property
    def models(self) -> dict[str, ModelSettings]:
        """Settings by model; an ensemble has those of its members."""
        models = {model: getattr(self, model) for model in ALL_MODELS}
        ensembles = {f"{m}{ENSEMBLE}": models[m] for m in MODELS if models[m].ensemble}
        return {**models, **ensembles}

    @property
    def served(self) -> ServedSettings:
        """How models of the task translate photographs outside of the project."""
        return ServedSettings(
            **self.translate.model_dump(), white=self.preparation.white
        )
