"""The page of translated photographs: before and after."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from image_translation.reporting.templates import read_template


@dataclass(frozen=True)
class Shown:
    """A photograph on the page.

    Attributes:
        name: Its path.
        size: Width and height, formatted.
        before: Link to its preview.
        after: By model, links to the translation's preview and to the translation.
    """

    name: str
    size: str
    before: str
    after: Mapping[str, tuple[str, str]]


def render_translations(
    title: str,
    models: Sequence[str],
    photos: Sequence[Shown],
    failures: Sequence[tuple[str, str]],
    table: str,
) -> str:
    """Write the page.

    Args:
        title: Its title.
        models: Names of the models.
        photos: The photographs; links are relative to the page.
        failures: Name and reason of photographs that could not be translated.
        table: Link to the table of all results.

    Returns:
        An HTML document that loads only its previews.
    """
    return read_template("translations.html").render(
        title=title,
        models=models,
        photos=photos,
        failures=failures,
        table=table,
        href=quote,
    )
