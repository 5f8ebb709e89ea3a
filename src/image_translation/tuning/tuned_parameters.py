"""Write the selected parameters as a configuration file."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from image_translation.imaging.recipes import RECIPES
from image_translation.tuning.results import TunedModel

DATA = {"source", "pairing", "audit", "splitting", "preparation"}
"""Sections that determine the pairs."""

HEADER = """\
# Written by kedro run --pipeline=tuning. To train with these parameters:
#   kedro run --pipeline={task} --env=tuned
"""
CHOSEN = "searched"


def overlay(task: str, data: Mapping[str, Any], tuned: Sequence[TunedModel]) -> str:
    """Parameters that reproduce the best training on validation.

    They contain everything that the score depends on: the data, and all parameters of
    the models.

    Args:
        task: Name of the task.
        data: The sections ``DATA`` of the task.
        tuned: The models, each with a best trial.

    Returns:
        YAML of an environment's ``parameters_<task>.yml``.
    """
    lines = [HEADER.format(task=task), f"{task}:"]
    lines += _indented(_data(data), 1)
    for each in tuned:
        lines += [
            "",
            f"  # study {each.study}: trial {each.best}, the best of {len(each.trials)};",
            f"  # validation {each.metric} {each.score:.6g} in epoch {each.best_epoch}",
            f"  {each.model}:",
        ]
        lines += _indented(_model(each), 2, {n: CHOSEN for n in each.chosen})
    return "\n".join(lines) + "\n"


def _data(data: Mapping[str, Any]) -> dict[str, Any]:
    used = data["pairing"]["recipe"]
    pairing = {
        name: value
        for name, value in data["pairing"].items()
        if name not in RECIPES or name == used
    }
    return {**data, "pairing": pairing}


def _model(tuned: TunedModel) -> dict[str, Any]:
    block = tuned.settings.relevant()
    block["training"]["warm_start"] = tuned.settings.training.warm_start
    return block


def _indented(
    block: Mapping[str, Any], depth: int, notes: Mapping[str, str] | None = None
) -> list[str]:
    """A block as YAML, one line per value, with comments after some."""
    return list(_lines(block, depth, notes or {}, ""))


def _lines(
    block: Mapping[str, Any], depth: int, notes: Mapping[str, str], prefix: str
) -> Any:
    for key, value in block.items():
        name, margin = f"{prefix}{key}", "  " * depth
        if isinstance(value, Mapping):
            yield f"{margin}{key}:"
            yield from _lines(value, depth + 1, notes, f"{name}.")
        else:
            note = f"   # {notes[name]}" if name in notes else ""
            yield f"{margin}{key}: {_text(value)}{note}"


def _text(value: Any) -> str:
    """A value on one line, parsed back to the same value."""
    if isinstance(value, list | tuple):
        value = "|".join(value) or None
    text = yaml.safe_dump(value, width=float("inf"), allow_unicode=True)
    return (
        text.removesuffix("...\n").strip() if text.endswith("...\n") else text.strip()
    )
