"""What a source is: image files, and what is known about them."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from image_translation.fingerprint import digest


@dataclass(frozen=True)
class Source:
    """The image files of a source, and what it tells about them.

    Attributes:
        name: What the source is called in reports.
        root: The folder that the files lie in.
        files: POSIX paths relative to ``root``, sorted.
        groups: File to group, where the source knows which belong together.
        sides: Group to side of the split, where the source names its held-out data.
        credit: Authors and licences, where known.
    """

    name: str
    root: Path
    files: tuple[str, ...]
    groups: Mapping[str, str] = field(default_factory=dict)
    sides: Mapping[str, str] = field(default_factory=dict)
    credit: str = ""

    @property
    def fingerprint(self) -> str:
        """Digest that changes when a file is added, removed, renamed or written to.

        Cheap: it looks at names, sizes, times and rights, not into the files. It does not
        depend on where the root lies.
        """
        states = [(file, *_state(self.root / file)) for file in self.files]
        return digest(states, dict(self.groups), dict(self.sides))

    def to_json(self) -> str:
        """The source as JSON text, for a file."""
        return json.dumps(asdict(self) | {"root": str(self.root)}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> "Source":
        """The source that ``to_json`` wrote."""
        values = json.loads(text)
        root, files = Path(values.pop("root")), tuple(values.pop("files"))
        return cls(root=root, files=files, **values)


def _state(path: Path) -> tuple[int, int, bool]:
    try:
        status = path.stat()
    except OSError:  # a broken link: reported as unreadable later
        return 0, 0, False
    return status.st_size, status.st_mtime_ns, os.access(path, os.R_OK)
