"""One style for every model, the same in every figure and table.

Colours are distinguishable for readers with red-green blindness and have a contrast of
3:1 on white paper and on a dark screen (WCAG 2.2, 1.4.11). Every model also has its own
marker and line. Blue is the U-Net, orange the encoder–decoder; the darker of the two
has the adversarial loss.
"""

import hashlib
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache

from image_translation.common.names import COPY_INPUT, MEAN_TARGET

INK = "#1d1f23"
MUTED = "#5c626b"
RULE = "#d9d6cf"
"""Ink, secondary text and lines of figures; the page replaces them by its own
colours.
"""


@dataclass(frozen=True)
class ModelStyle:
    """Colour, marker and line of a model.

    Attributes:
        colour: ``#rrggbb``.
        marker: A marker of matplotlib.
        dashes: Lengths of dash and gap in points; empty for a solid line.
    """

    colour: str
    marker: str
    dashes: tuple[float, ...] = ()


STYLES: Mapping[str, ModelStyle] = {
    "pix2pix": ModelStyle("#1f6fb5", "o"),
    "unet": ModelStyle("#3d9bd6", "s", (5, 2)),
    "autoencoder_gan": ModelStyle("#b8431f", "^"),
    "autoencoder": ModelStyle("#cc811f", "D", (5, 2)),
    "residual_unet": ModelStyle("#2a8f6d", "P"),
    "pretrained_unet": ModelStyle("#c170a6", "*"),
    "vivid_unet": ModelStyle("#d84155", "H"),
    COPY_INPUT: ModelStyle("#6f7680", "X", (1, 2)),
    MEAN_TARGET: ModelStyle("#9a8d80", "v", (1, 2)),
}

_OTHER_COLOURS = ("#8a63c9", "#7d8a2e")
_OTHER_MARKERS = ("p", "h", "<", ">")


def style_of(model: str) -> ModelStyle:
    """The style of a model; also deterministic for names without a predefined style."""
    if model in STYLES:
        return STYLES[model]
    number = int(hashlib.sha256(model.encode()).hexdigest(), 16)
    return ModelStyle(
        _OTHER_COLOURS[number % len(_OTHER_COLOURS)],
        _OTHER_MARKERS[number // 7 % len(_OTHER_MARKERS)],
        ((), (5, 2), (3, 1, 1, 1))[number // 11 % 3],
    )


_FALLBACK_FONTS = (
    "Noto Sans CJK JP",
    "Noto Sans CJK KR",
    "Noto Sans CJK SC",
    "Noto Sans KR",
    "Noto Sans JP",
    "Noto Sans SC",
    "NanumGothic",
    "Malgun Gothic",
    "Apple SD Gothic Neo",
    "Hiragino Sans",
    "Microsoft YaHei",
    "WenQuanYi Zen Hei",
    "Arial Unicode MS",
)
"""Fonts of common systems with Chinese, Japanese and Korean letters."""


@cache
def fallback_fonts() -> tuple[str, ...]:
    """The installed fonts for letters that DejaVu Sans lacks; matplotlib names absent
    fonts in its log.
    """
    from matplotlib.font_manager import fontManager

    installed = set(fontManager.get_font_names())
    return tuple(font for font in _FALLBACK_FONTS if font in installed)


def figure_style() -> AbstractContextManager[None]:
    """The style in which figures are made and drawn: ticks depend on it, too."""
    import matplotlib as mpl

    return mpl.rc_context(
        {
            "font.family": ["DejaVu Sans", *fallback_fonts()],
            "font.size": 12,
            "text.color": INK,
            "text.parse_math": False,
            "figure.facecolor": "none",
            "axes.facecolor": "none",
            "axes.edgecolor": RULE,
            "axes.labelcolor": MUTED,
            "axes.titlesize": 13,
            "axes.titleweight": "bold",
            "axes.titlelocation": "left",
            "axes.titlecolor": INK,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.axisbelow": True,
            "axes.formatter.useoffset": False,
            "grid.color": RULE,
            "grid.linewidth": 0.6,
            "xtick.color": RULE,
            "ytick.color": RULE,
            "xtick.labelcolor": MUTED,
            "ytick.labelcolor": MUTED,
            "legend.frameon": False,
            "svg.image_inline": True,
        }
    )
