"""Recipes: functions that derive the other side of a pair from one photo."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Derivation = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]


@dataclass(frozen=True)
class Recipe:
    """How one side of a pair is made from the other.

    Attributes:
        name: What ``pairing.recipe`` calls it.
        derive: uint8 H×W×3 to uint8 H×W×3, the same output for the same image.
        derived_side: The side that is made; the photo itself is the other one.
        description: One sentence for the report.
        source: The standard or paper it follows.
    """

    name: str
    derive: Derivation
    derived_side: Literal["input", "target"]
    description: str
    source: str


def grayscale(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Luma of ITU-R BT.601 in three equal channels.

    Y' = 0.299 R' + 0.587 G' + 0.114 B' on the gamma-encoded values, rounded.

    Args:
        image: uint8, H×W×3, sRGB.

    Returns:
        uint8, H×W×3.

    >>> grayscale(np.uint8([[[255, 0, 0]]])).tolist()
    [[[76, 76, 76]]]
    """
    weighted = image.astype(np.uint32) @ np.array([299, 587, 114], np.uint32)
    luma = ((weighted + 500) // 1000).astype(np.uint8)  # (H, W)
    return np.repeat(luma[..., None], 3, axis=2)


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        recipe.name: recipe
        for recipe in (
            Recipe(
                name="grayscale",
                derive=grayscale,
                derived_side="input",
                description="The input is the photo's luma.",
                source="ITU-R Recommendation BT.601-7, section 2.5.1",
            ),
        )
    }
)
"""All recipes by name."""
