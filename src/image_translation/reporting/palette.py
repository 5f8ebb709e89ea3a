"""One look for every model, the same in every figure and table.

Colours stand apart for readers with red-green blindness and reach a contrast of 3:1
on white paper and on a dark screen (WCAG 2.2, 1.4.11). No colour stands alone: every
model has its own marker and line, too. Blue is the U-Net, orange the encoder-decoder;
the darker of the two has the adversarial loss.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

INK = "#1d1f23"
MUTED = "#5c626b"
RULE = "#d9d6cf"
"""Ink, secondary text and lines of figures; the page gives them its own colours."""


@dataclass(frozen=True)
class Look:
    """How a model is drawn.

    Attributes:
        colour: ``#rrggbb``.
        marker: A marker of matplotlib's.
        dashes: Lengths of dash and gap in points; empty for a solid line.
    """

    colour: str
    marker: str
    dashes: tuple[float, ...] = ()


LOOKS: Mapping[str, Look] = {
    "pix2pix": Look("#1f6fb5", "o"),
    "unet": Look("#3d9bd6", "s", (5, 2)),
    "autoencoder_gan": Look("#b8431f", "^"),
    "autoencoder": Look("#cc811f", "D", (5, 2)),
    "recommended": Look("#2a8f6d", "P"),
    "copy_input": Look("#6f7680", "X", (1, 2)),
    "mean_target": Look("#9a8d80", "v", (1, 2)),
}

_OTHER_COLOURS = ("#c25584", "#8a63c9", "#7d8a2e")
_OTHER_MARKERS = ("p", "h", "<", ">", "*")


def look_of(model: str) -> Look:
    """How to draw a model; the same for the same name, also for a name of your own."""
    if model in LOOKS:
        return LOOKS[model]
    number = int(hashlib.sha256(model.encode()).hexdigest(), 16)
    return Look(
        _OTHER_COLOURS[number % len(_OTHER_COLOURS)],
        _OTHER_MARKERS[number // 7 % len(_OTHER_MARKERS)],
        ((), (5, 2), (3, 1, 1, 1))[number // 11 % 3],
    )
