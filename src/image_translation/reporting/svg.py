"""Figures as inline SVG in the colours of the page."""

import io
import re
from functools import cache
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from image_translation.reporting.palette import (
    INK,
    MUTED,
    RULE,
    figure_style,
    style_of,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PAGE_COLOURS = {INK: "currentColor", MUTED: "var(--muted)", RULE: "var(--rule)"}
_DROPPED = {"metadata", "style"}


def inline_svg(figure: "Figure", prefix: str, description: str) -> str:
    """Draw a figure as an ``<svg>`` element for an HTML page.

    Text uses the page's font, the background is transparent, and ink and lines follow
    the page's theme. The same figure gives the same bytes.

    Args:
        figure: A figure of ``reporting.figures``.
        prefix: Distinguishes this figure's ids from all others on the page.
        description: Alternative text.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    buffer, dpi = io.StringIO(), figure.dpi
    plain = mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": prefix})
    with figure_style(), plain:
        # not savefig, which draws twice
        FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None})
    figure.set_dpi(dpi)
    root = ElementTree.fromstring(buffer.getvalue().encode())
    _clean(root, prefix)
    for size in ("width", "height"):
        del root.attrib[size]
    width = float(root.attrib["viewBox"].split()[2])
    root.attrib.update(
        {"role": "img", "aria-label": description, "style": f"max-width:{width:.0f}px"}
    )
    return ElementTree.tostring(root, encoding="unicode")


def _clean(element: ElementTree.Element, prefix: str) -> None:
    """Remove namespaces, metadata and fonts; make ids unique; use the page's
    colours.
    """
    element.tag = _local(element.tag)
    element.attrib = {
        _local(key): _attribute(_local(key), entry, prefix)
        for key, entry in element.attrib.items()
    }
    element.tail = None
    if element.tag not in {"text", "tspan"}:
        element.text = None
    for child in list(element):
        if _local(child.tag) in _DROPPED:
            element.remove(child)
        else:
            _clean(child, prefix)


def _attribute(key: str, entry: str, prefix: str) -> str:
    if key == "id":
        return f"{prefix}-{entry}"
    if key == "href" and entry.startswith("#"):
        return f"#{prefix}-{entry[1:]}"
    entry = entry.replace("url(#", f"url(#{prefix}-")
    if key in ("d", "x", "y", "transform"):
        # more digits than a hundredth of a pixel are invisible
        entry = re.sub(r"\d+\.\d{3,}", lambda n: _short(float(n[0]), 2), entry)
        return " ".join(entry.split())
    if key == "style":
        entry = re.sub(r"font-family:[^;]*;?\s*", "", entry)
        for drawn, shown in _PAGE_COLOURS.items():
            entry = entry.replace(drawn, shown)
    return entry


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def swatch(model: str, *, line: bool = False) -> str:
    """A model's marker in its colour, for use next to its name.

    Args:
        model: The model's name.
        line: Whether to draw the model's line through the marker.
    """
    style = style_of(model)
    dashes = f' stroke-dasharray="{" ".join(map(str, style.dashes))}"'
    stroke = (
        f'<path d="M-10 6H22" stroke="{style.colour}" stroke-width="1.6"'
        f"{dashes if style.dashes else ''}/>"
        if line
        else ""
    )
    box, kind = ("-10 0 32 12", " line") if line else ("0 0 12 12", "")
    return (
        f'<svg class="swatch{kind}" viewBox="{box}" aria-hidden="true">{stroke}'
        f'<path d="{_marker_path(style.marker)}" fill="{style.colour}"/></svg>'
    )


@cache
def _marker_path(marker: str) -> str:
    """A marker of matplotlib as SVG path data, within 1…11 in both directions."""
    from matplotlib.markers import MarkerStyle

    style = MarkerStyle(marker)
    outline: Any = style.get_path().transformed(style.get_transform()).to_polygons()
    # polygons repeat their first point at the end, where "z" closes the path
    return "".join(
        "M"
        + "L".join(f"{_short(6 + 10 * x)} {_short(6 - 10 * y)}" for x, y in points)
        + "z"
        for *points, _ in outline
    )


def _short(coordinate: float, digits: int = 1) -> str:
    return f"{coordinate:.{digits}f}".rstrip("0").removesuffix(".")
