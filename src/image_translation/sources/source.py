"""A source: image files with their groups, subsets and credits."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from image_translation.common.fingerprint import digest


@dataclass(frozen=True)
class Source:
    """The image files of a source.

    Attributes:
        name: Name of the source in reports.
        root: Folder of the files.
        files: POSIX paths relative to ``root``, sorted.
        groups: Group by file, if the source defines groups.
        subsets: Subset by group, if the source has held-out data.
        credit: Authors and licences, if known.
        unnamable: Image files with names that are not valid UTF-8, as shown in
            messages; not in ``files``.
    """

    name: str
    root: Path
    files: tuple[str, ...]
    groups: Mapping[str, str] = field(default_factory=dict)
    subsets: Mapping[str, str] = field(default_factory=dict)
    credit: str = ""
    unnamable: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Digest that changes when a file is added, removed, renamed or modified.

        It uses names, sizes, times and permissions, without reading the files. It does
        not depend on the location of the root.
        """
        states = [(file, *_state(self.root / file)) for file in self.files]
        return digest(states, dict(self.groups), dict(self.subsets))

    def to_json(self, data: Path | None = None) -> str:
        """The source as JSON.

        Args:
            data: The folder of all data: a root inside it is stored relative to it.
        """
        is_inside = data is not None and self.root.is_relative_to(data)
        root = self.root.relative_to(data) if data and is_inside else self.root
        return json.dumps(asdict(self) | {"root": root.as_posix()}, indent=1)

    @classmethod
    def from_json(cls, text: str, data: Path = Path()) -> "Source":
        """Read a source from the result of `to_json`."""
        values = json.loads(text)
        root, files = data / values.pop("root"), tuple(values.pop("files"))
        unnamable = tuple(values.pop("unnamable", ()))
        return cls(root=root, files=files, unnamable=unnamable, **values)


def _state(path: Path) -> tuple[int, int, bool]:
    try:
        status = path.stat()
    except OSError:  # a broken link: reported as unreadable later
        return 0, 0, False
    return status.st_size, status.st_mtime_ns, os.access(path, os.R_OK)
