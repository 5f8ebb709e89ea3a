"""What a replicate's folder knows of its run in MLflow.

The record is written before the store is asked anything. With the history, the weights
and the pictures that were not sent it is all that it takes to write the run again, so what
a store has missed can be sent by any later process.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from image_translation.common.files import write_text

FILE = "mlflow.json"


@dataclass(frozen=True)
class DatasetInput:
    """Data that a run was given.

    Attributes:
        name: Name in the catalog.
        context: ``train`` or ``validation``.
        fingerprint: Digest of the data.
        n_pairs: How many pairs there are.
    """

    name: str
    context: str
    fingerprint: str
    n_pairs: int


@dataclass(frozen=True)
class RunRecord:
    """A replicate's run: what is to be told of it, and what has been.

    Attributes:
        name: The run's name.
        experiment: The experiment's name, which is the task's.
        tags: Its tags.
        parameters: Its parameters by dotted name.
        inference: The protocol by which the model translates.
        translation: The strategy by which it translates photographs of any size.
        inputs: What it is trained on.
        started: When, in milliseconds since 1970.
        run_id: The run, once the store has made it.
        is_described: Whether the run has its parameters and inputs.
        model_id: The model of the run, once it is logged.
        is_left: Whether the training was left in the middle and the store has not heard.
        is_complete: Whether the store has been told everything of a finished training.
        keeps_model: Whether the store is given the model as well.
    """

    name: str
    experiment: str
    tags: Mapping[str, str]
    parameters: Mapping[str, str]
    inference: Mapping[str, Any]
    translation: Mapping[str, Any] = field(default_factory=dict)
    inputs: Sequence[DatasetInput] = ()
    started: int = 0
    run_id: str | None = None
    is_described: bool = False
    model_id: str | None = None
    is_left: bool = False
    is_complete: bool = field(default=False)
    keeps_model: bool = True

    def write(self, folder: Path) -> None:
        """Keep the record in a replicate's folder."""
        write_text(folder / FILE, json.dumps(asdict(self), indent=1) + "\n")

    def change(self, folder: Path, **values: Any) -> "RunRecord":
        """The record with other values, kept in the folder."""
        changed = replace(self, **values)
        changed.write(folder)
        return changed


def read_record(folder: Path) -> RunRecord | None:
    """The record in a replicate's folder, or None where there is none of use."""
    try:
        content = json.loads((folder / FILE).read_text("utf-8"))
        inputs = tuple(DatasetInput(**given) for given in content.pop("inputs"))
        return RunRecord(inputs=inputs, **content)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def read_run_id(folder: Path) -> str | None:
    """The child run that belongs to a replicate's folder, if there is one."""
    record = read_record(folder)
    return record.run_id if record else None
