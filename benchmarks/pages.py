"""Tables of a benchmark in a page of the documentation, and what else stands there."""

from collections.abc import Sequence
from pathlib import Path


def write_section(path: Path, name: str, lines: Sequence[str]) -> None:
    """Put lines between the marks of a section; at the end of a page without them.

    Args:
        path: The page, Markdown.
        name: The section's, which its marks hold.
        lines: What stands there from now on.
    """
    begin, end = f"<!-- {name}: written from here -->", f"<!-- {name}: to here -->"
    page = path.read_text("utf-8")
    before, mark, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    if not mark:
        before = f"{page.rstrip()}\n\n"
    section = "\n".join([begin, "", *lines, "", end])
    path.write_text(f"{before}{section}{after or chr(10)}", "utf-8")
