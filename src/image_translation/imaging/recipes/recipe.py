"""Type of a recipe: a function that derives the other image of a pair from one
photo.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from image_translation.common.fingerprint import digest

Derivation = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
"""uint8 H×W×3 to uint8 H×W×3, the same output for the same image."""


@dataclass(frozen=True)
class Recipe:
    """Derives one image of a pair from the other.

    Attributes:
        name: Value of ``pairing.recipe``.
        make: Returns the derivation for the settings in ``pairing.<name>``, or for None
            if the recipe has no settings. Expensive work is done here, once.
        derived_role: Role of the derived image; the photo has the other role.
        description: Short description of the derived image, for the report.
        source: The standard or paper that the recipe follows.
        fingerprint: Digest of the settings and of the files they refer to.
    """

    name: str
    make: Callable[[Any], Derivation]
    derived_role: Literal["input", "target"]
    description: str
    source: str
    fingerprint: Callable[[Any], str] = digest
