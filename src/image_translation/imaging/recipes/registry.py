"""All recipes by name."""

from collections.abc import Mapping
from types import MappingProxyType

from image_translation.imaging.recipes.cartoon import make_cartoon
from image_translation.imaging.recipes.grayscale import grayscale
from image_translation.imaging.recipes.hidden_digits import make_hidden_digits
from image_translation.imaging.recipes.painterly import (
    fingerprint_painterly,
    make_painterly,
)
from image_translation.imaging.recipes.recipe import Recipe

_ALL = (
    Recipe(
        name="grayscale",
        make=lambda _: grayscale,
        derived_role="input",
        description="The photo's luma",
        source="ITU-R Recommendation BT.601-7, section 2.5.1",
    ),
    Recipe(
        name="cartoon",
        make=make_cartoon,
        derived_role="target",
        description=(
            "The photo with flat colours, few levels of lightness and ink lines"
        ),
        source=(
            "Winnemöller, Olsen and Gooch 2006, “Real-time video abstraction”; "
            "Winnemöller, Kyprianidis and Olsen 2012, “XDoG”"
        ),
    ),
    Recipe(
        name="painterly",
        make=make_painterly,
        derived_role="target",
        description=(
            "The photo painted over in layers of curved brush strokes, with a palette "
            "and strokes measured on paintings"
        ),
        source=(
            "Hertzmann 1998, “Painterly rendering with curved brush strokes of "
            "multiple sizes”"
        ),
        fingerprint=fingerprint_painterly,
    ),
    Recipe(
        name="hidden_digits",
        make=make_hidden_digits,
        derived_role="input",
        description=("The digit blended into texture and clutter, at its own position"),
        source="Perlin 1985, “An image synthesizer”, for the texture",
    ),
)

RECIPES: Mapping[str, Recipe] = MappingProxyType({r.name: r for r in _ALL})
"""All recipes by name."""
