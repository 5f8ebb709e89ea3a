"""The selected epochs, the alternatives, and whether training had converged."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from image_translation.common import wording
from image_translation.metrics import MEASURES
from image_translation.reporting import formatting
from image_translation.reporting.report_content import ReportContent

LATE = 1 / 3
"""Share of the epochs in which a training that has converged improves no more."""

CRITERIA = ("psnr", "swd")
"""Fidelity and realism, as named in the history of every epoch."""


@dataclass(frozen=True)
class EpochRow:
    """A selected epoch of a training, or an alternative.

    Attributes:
        model: The model.
        training: Number of the replicate.
        epoch: Number of the epoch.
        criteria: Criteria that selected it, or would have.
        psnr: On validation pairs, formatted.
        swd: On validation pairs, formatted.
        is_chosen: Whether its weights are compared.
    """

    model: str
    training: str
    epoch: str
    criteria: str
    psnr: str
    swd: str
    is_chosen: bool


@dataclass(frozen=True)
class Convergence:
    """Number of trainings whose last epoch was the best.

    Attributes:
        trainings: Total number of trainings.
        by: Criterion → number of trainings whose last epoch is the best by it.
        early: Model, replicate, last epoch and budget of each training that stopped
            early.
    """

    trainings: int
    by: Mapping[str, int]
    early: Sequence[str] = ()

    @property
    def sentence(self) -> str:
        """The counts and their consequence; empty without a training."""
        if not self.trainings:
            return ""
        counts = " and ".join(
            f"in {self.by[name]} by {formatting.label(name)}" for name in CRITERIA
        )
        counted = (
            f"Of {wording.count(self.trainings, 'training')}, the last epoch was the best "
            f"on the validation pairs {counts}."
        )
        if self.early:
            counted += f" Stopped early (training.patience): {', '.join(self.early)}."
        if not any(self.by.values()):
            return counted
        return (
            f"{counted} A training whose last epoch is its best may not have converged: "
            "longer training may change the values and the order of the models."
        )


def convergence(content: ReportContent) -> Convergence:
    """Count the trainings whose last epoch is the best by each criterion."""
    histories = [history for _, _, history in _trainings(content)]
    return Convergence(
        len(histories),
        {
            name: sum(
                _best(history, name) == history["epoch"].max() for history in histories
            )
            for name in CRITERIA
        },
        list(_early_stops(content)),
    )


def describe_improving(content: ReportContent) -> str:
    """Name the models whose trainings had not converged; empty without one."""
    improving = [
        model for model, _, history in _trainings(content) if _is_improving(history)
    ]
    if not improving:
        return ""
    margin = formatting.value("psnr", MEASURES["psnr"].margin or 0)
    verb = "was" if len(set(improving)) == 1 else "were"
    return (
        f"{wording.join_words(dict.fromkeys(improving))} {verb} still improving: by more "
        f"than {margin} on the validation pairs in the last third of the epochs, or "
        "trained for one epoch only. Longer training (training.epochs) may change the "
        "values and the order of the models."
    )


def _is_improving(history: pd.DataFrame) -> bool:
    values = history["validation/psnr"].to_numpy()
    early = len(values) - max(1, round(LATE * len(values)))
    gain = values.max() - values[:early].max() if early else math.inf
    return bool(gain > (MEASURES["psnr"].margin or 0))


def epoch_rows(content: ReportContent) -> list[EpochRow]:
    """The selected epoch of each adversarial training, and the best by each
    criterion.
    """
    rows = []
    for model, replicate, history in _trainings(content):
        if history.get("train/adversarial", pd.Series(dtype=float)).notna().any():
            chosen = _chosen(content, model, replicate)
            rows += _rows(content, model, replicate, history, chosen)
    return rows


def _trainings(content: ReportContent) -> Iterator[tuple[str, int, pd.DataFrame]]:
    """Model, replicate and history of every training."""
    wanted = ["epoch", *(f"validation/{name}" for name in CRITERIA)]
    for model, history in content.histories.items():
        if not set(wanted) <= set(history):
            continue
        known = history[history["epoch"] > 0].dropna(subset=wanted)
        for replicate in known["replicate"].unique():
            yield model, int(replicate), known[known["replicate"] == replicate]


def _early_stops(content: ReportContent) -> Iterator[str]:
    for model, replicate, history in _trainings(content):
        budget, patience = (
            formatting.setting_values(content.settings, f"{model}.training.{name}")
            for name in ("epochs", "patience")
        )
        last = str(int(history["epoch"].max()))
        if patience not in ([], ["None"]) and budget and last != budget[0]:
            yield f"{model} replicate {replicate} after epoch {last} of {budget[0]}"


def _best(history: pd.DataFrame, metric: str) -> int:
    """The first of the best epochs by a metric."""
    values = history[f"validation/{metric}"].to_numpy()
    best = values.argmax() if MEASURES[metric].higher_is_better else values.argmin()
    return int(history["epoch"].iloc[int(best)])


def _chosen(content: ReportContent, model: str, replicate: int) -> int | None:
    """The epoch whose weights are saved, if known."""
    known = content.models.loc[content.models["model"] == model, "best_epoch"]
    replicates = list(dict.fromkeys(content.histories[model]["replicate"]))
    epochs = formatting.text(known.iloc[0]).split(", ") if len(known) else []
    by_replicate = dict(zip(replicates, epochs, strict=False))
    epoch = by_replicate.get(replicate, "")
    return int(epoch) if epoch.isdecimal() else None


def _rows(
    content: ReportContent,
    model: str,
    replicate: int,
    history: pd.DataFrame,
    chosen: int | None,
) -> list[EpochRow]:
    criteria: dict[int, list[str]] = {}
    if chosen is not None:
        by = formatting.setting_values(content.settings, f"{model}.training.select_by")
        how = f" ({by[0] if by[0] == 'last' else by[0].upper()})" if by else ""
        criteria[chosen] = [f"chosen{how}"]
    for name in CRITERIA:
        criteria.setdefault(_best(history, name), []).append(
            f"best {formatting.label(name)}"
        )
    values = {
        name: dict(zip(history["epoch"], history[f"validation/{name}"], strict=True))
        for name in CRITERIA
    }
    return [
        EpochRow(
            model,
            str(replicate),
            str(epoch),
            ", ".join(reasons),
            formatting.value("psnr", values["psnr"][epoch]),
            formatting.value("swd", values["swd"][epoch]),
            is_chosen=epoch == chosen,
        )
        for epoch, reasons in criteria.items()
        if epoch in values["psnr"]
    ]
