"""Parameters of pairing, splitting and preparation."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

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


class PreparationSettings(Settings):
    """How images are converted to arrays."""

    image_size: Annotated[Literal[32, 64, 128, 256, 512], Whole]
    fit: Literal["resize", "pad", "crop"]
    white: Annotated[Annotated[float, Field(gt=0)] | None, Nullable]
