"""Record of the translations in a folder, used to skip them."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

NAME = ".translations.jsonl"


@dataclass(frozen=True)
class Result:
    """Result for one photograph.

    Attributes:
        input: POSIX path relative to the input folder.
        model: The model; empty if the photograph is unreadable.
        status: ``up to date`` means translated by an earlier run.
        reason: Reason of a failure, or a remark.
        output: POSIX path of the translation relative to the output folder.
        width: In pixels, upright.
        height: In pixels, upright.
        format: Of the input, by content.
        mode: Pillow mode of the input.
        seconds: Duration of the translation, including decoding and encoding.
        size: Size of the output file in bytes.
        fingerprint: Digest of the inputs of the translation.
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
    """Results for all photographs.

    Attributes:
        results: In the order of the files; one per photograph and model.
        output: The output folder.
    """

    results: Sequence[Result]
    output: Path

    @property
    def failures(self) -> list[Result]:
        return [result for result in self.results if result.status == "failed"]


class Ledger:
    """The file in an output folder that records the inputs of every translation.

    A line is appended before the output is written, so every output is recorded. An
    incomplete output is missing or has a different size.

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
        """The existing result of the same file, model and fingerprint, or None."""
        made = self._made.get((file, model))
        if made is None or made.fingerprint != fingerprint:
            return None
        try:
            is_whole = (self._output / made.output).stat().st_size == made.size
        except OSError:
            return None
        return made if is_whole else None

    def is_own(self, output: str) -> bool:
        """True if a file in the output folder was written by this tool."""
        return output in self._outputs

    def add(self, result: Result) -> None:
        """Record a result, before its file is written."""
        with self._path.open("a", encoding="utf-8") as file:
            # start with a line break: the previous line may be incomplete
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
            except (ValueError, TypeError):  # an incomplete line
                continue
        return results
