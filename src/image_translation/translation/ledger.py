"""What has been translated into a folder, so that it is not made again."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

NAME = ".translations.jsonl"


@dataclass(frozen=True)
class Result:
    """What became of one photograph.

    Attributes:
        input: Its path, POSIX, relative to the input folder.
        model: What translated it; empty where it could not be read.
        status: ``up to date`` means made by an earlier run.
        reason: Why it failed, or what there is to know.
        output: The translation's path, POSIX, relative to the output folder.
        width: In pixels, upright.
        height: In pixels, upright.
        format: Of the input, by content.
        mode: Pillow's name of how the input stores pixels.
        seconds: What translating took, decoding and encoding included.
        size: Of the output's file in bytes.
        fingerprint: Digest of what it was made from.
    """

    input: str
    model: str = ""
    status: Literal["translated", "up to date", "failed"] = "failed"
    reason: str = ""
    output: str = ""
    width: int | None = None
    height: int | None = None
    format: str = ""
    mode: str = ""
    seconds: float | None = None
    size: int | None = None
    fingerprint: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of all photographs.

    Attributes:
        results: In the order of the files; one a photograph and model.
        output: The folder that they are in.
    """

    results: Sequence[Result]
    output: Path

    @property
    def failures(self) -> list[Result]:
        """Those that came to nothing."""
        return [result for result in self.results if result.status == "failed"]


class Ledger:
    """The file in an output folder that says what was made of what.

    A line is added before the output comes to its place, so that every file made here
    is known. What is cut off in between has another size, or is not there.

    Args:
        output: The output folder; it exists.
    """

    def __init__(self, output: Path) -> None:
        self._output = output
        self._path = output / NAME
        self._made: dict[tuple[str, str], Result] = {}
        self._outputs: set[str] = set()
        for result in self._read():
            self._note(result)

    def find(self, file: str, model: str, fingerprint: str) -> Result | None:
        """The result that is there already, made from the same things."""
        made = self._made.get((file, model))
        if made is None or made.fingerprint != fingerprint:
            return None
        try:
            is_whole = (self._output / made.output).stat().st_size == made.size
        except OSError:
            return None
        return made if is_whole else None

    def is_own(self, output: str) -> bool:
        """Whether a file in the output folder was made here."""
        return output in self._outputs

    def add(self, result: Result) -> None:
        """Say what is about to be put into its place."""
        with self._path.open("a", encoding="utf-8") as file:
            # the line break comes first: the line before may have been cut off
            file.write("\n" + json.dumps(asdict(result), ensure_ascii=False))
        self._note(result)

    def _note(self, result: Result) -> None:
        self._made[result.input, result.model] = result
        self._outputs.add(result.output)

    def _read(self) -> list[Result]:
        if not self._path.is_file():
            return []
        results = []
        for line in self._path.read_text("utf-8").splitlines():
            try:
                results.append(Result(**json.loads(line)))
            except (ValueError, TypeError):  # the line that a cut left
                continue
        return results
