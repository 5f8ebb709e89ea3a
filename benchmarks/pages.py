"""Write the tables of a benchmark into a page of the documentation."""

from collections.abc import Sequence
from pathlib import Path


def write_section(path: Path, name: str, lines: Sequence[str]) -> None:
    """Replace the lines between the marks of a section, or append the section.

    Args:
        path: Markdown page.
        name: Name of the section in its marks.
        lines: New content of the section.
    """
    begin, end = f"<!-- {name}: written from here -->", f"<!-- {name}: to here -->"
    page = path.read_text("utf-8")
    before, mark, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    if not mark:
        before = f"{page.rstrip()}\n\n"
    section = "\n".join([begin, "", *lines, "", end])
    path.write_text(f"{before}{section}{after or chr(10)}", "utf-8")
