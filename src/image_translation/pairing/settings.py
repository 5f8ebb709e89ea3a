"""Parameters of pairing, splitting and preparation."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from image_translation.common.schema import (
    Nullable,
    OptionalText,
    Settings,
    SomeOf,
    Whole,
)
from image_translation.imaging.recipes.cartoon import CartoonSettings
from image_translation.imaging.recipes.hidden_digits import HiddenDigitsSettings
from image_translation.imaging.recipes.painterly import PainterlySettings
from image_translation.pairing.findings import KINDS

KindNames = Annotated[tuple[str, ...], SomeOf(KINDS, "finding")]
"""Names of findings."""


class PairingSettings(Settings):
    """How a source's files form pairs."""

    layout: Literal["two_folders", "side_by_side", "single"]
    input: OptionalText
    target: OptionalText
    pattern: OptionalText
    recipe: Annotated[
        Literal["grayscale", "cartoon", "painterly", "hidden_digits"] | None, Nullable
    ]
    direction: Literal["forward", "reversed"]
    cartoon: CartoonSettings
    painterly: PainterlySettings
    hidden_digits: HiddenDigitsSettings


class AuditSettings(Settings):
    """Actions on the audit's findings."""

    leave_out: KindNames
    fatal: KindNames
    near_duplicates: bool


class Fractions(Settings):
    """Share of the pairs in each subset, as far as groups allow."""

    train: float = Field(gt=0, lt=1)
    validation: float = Field(gt=0, lt=1)
    test: float = Field(gt=0, lt=1)

    @model_validator(mode="after")
    def _sum_to_one(self) -> "Fractions":
        if abs(self.train + self.validation + self.test - 1) > 1e-6:
            raise ValueError("train, validation and test must sum to 1")
        return self


class SealSettings(Settings):
    """Visibility of the test set."""

    sealed: bool


class Folders(Settings):
    """Folders that define the subsets; several as ``a|b``."""

    train: OptionalText
    validation: OptionalText
    test: OptionalText


class SplittingSettings(Settings):
    """How groups are assigned to train, validation and test."""

    fractions: Fractions
    folders: Folders
    groups: OptionalText
    table: OptionalText


def _as_absolute_paths(paths: str) -> str:
    parts = filter(None, paths.split("|"))
    return "|".join(str(Path(path).expanduser().absolute()) for path in parts)


class PreparationSettings(Settings):
    """How images are converted to arrays."""

    image_size: Annotated[Literal[32, 64, 128, 256, 512], Whole]
    fit: Literal["resize", "pad", "crop"]
    white: Annotated[Annotated[float, Field(gt=0)] | None, Nullable]


class ExternalSettings(Settings):
    """Predictions of a model that was trained elsewhere.

    Attributes:
        predictions: Folders of images, one for each training: ``a|b``; empty for a task
            without predictions of this model.
        resize: Whether images of another size are resized like the pairs.
    """

    predictions: Annotated[str, AfterValidator(_as_absolute_paths)] = ""
    resize: bool = False

    @property
    def folders(self) -> list[str]:
        """The folders, one for each replicate."""
        return self.predictions.split("|") if self.predictions else []
