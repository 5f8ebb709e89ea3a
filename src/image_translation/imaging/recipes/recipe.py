"""What a recipe is: a function that derives the other side of a pair from one photo."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from image_translation.fingerprint import digest

Derivation = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
"""uint8 H×W×3 to uint8 H×W×3, the same output for the same image."""


@dataclass(frozen=True)
class Recipe:
    """How one side of a pair is made from the other.

    Attributes:
        name: What ``pairing.recipe`` calls it.
        make: Gives the derivation for the settings in ``pairing.<name>``, or for None
            where the recipe has none. Whatever is costly is done here, once.
        derived_side: The side that is made; the photo itself is the other one.
        description: What the derived side is, in a few words for the report.
        source: The standard or paper it follows.
        fingerprint: Digest of the settings and of what they refer to.
    """

    name: str
    make: Callable[[Any], Derivation]
    derived_side: Literal["input", "target"]
    description: str
    source: str
    fingerprint: Callable[[Any], str] = digest
