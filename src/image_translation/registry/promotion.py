"""Decide on promotions and apply them to the registry.

The rule is in `statistics.promotion_rule`. This module registers the challenger, evaluates
the champion, counts looks at the test images and moves the alias.
"""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from image_translation.common.errors import InputError
from image_translation.common.names import TRAIN, VALIDATION
from image_translation.metrics.registry import FUNCTIONS, score_stream
from image_translation.pairing.arrays import PairArrays
from image_translation.registry import versions
from image_translation.runs.backlog import send_training
from image_translation.runs.store import connection
from image_translation.runs.training_run import (
    describe_training,
    read_training,
    record_finished,
)
from image_translation.statistics.promotion_rule import (
    Candidate,
    Decision,
    decide_promotion,
    unspent,
)
from image_translation.statistics.settings import PromotionSettings
from image_translation.training.settings import CLASSES, InferenceSettings
from image_translation.training.trained import TrainedModel, TrainedReplicate
from image_translation.translation.model_selection import (
    baseline_ahead,
    best_on_validation,
)

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

logger = logging.getLogger(__name__)

_CHANGED = "the champion changed during this decision; the next run decides"
_ANOTHER_TEMPERATURE = (
    "inference.temperature was changed after the training, whose version keeps the former "
    "one; set it back, or train with training.force=true"
)
SEALED = "the test set is sealed"

Outcome = Literal["promoted", "kept", "unchanged", "not decided", "rolled back"]

LOG_COLUMNS = [
    "date",
    "outcome",
    "reason",
    "challenger_version",
    "challenger_model",
    "challenger_replicate",
    "challenger_weights",
    "champion_version",
    "champion_model",
    "champion_weights",
    "metric",
    "challenger_score",
    "champion_score",
    "difference",
    "ci_low",
    "ci_high",
    "p_value",
    "guard",
    "guard_difference",
    "guard_ci_low",
    "guard_ci_high",
    "margin",
    "n_images",
    "n_groups",
    "test",
    "look",
    "alpha",
    "alpha_left",
]
"""Columns of ``promotions.csv``: one row per decision. ``look`` is the number of the
comparison on these test images, empty for a decision without one; ``alpha`` is its
significance level, ``alpha_left`` the sum of the levels of all later ones."""

PAIR_LOOKS_COLUMNS = ["pair_id", "look"]
"""Columns of ``pair_looks.csv``: the number of the last look at each test pair."""


@dataclass(frozen=True)
class Promotion:
    """A decision, as tables and a record.

    Attributes:
        record: Content of ``promotion.json``.
        log: Content of ``promotions.csv``, including this decision if it is new.
        pair_looks: Content of ``pair_looks.csv``, including this look; None for a
            decision by hand.
    """

    record: dict[str, Any]
    log: pd.DataFrame
    pair_looks: pd.DataFrame | None = None


def decide(
    task: str,
    settings: PromotionSettings,
    trained: Mapping[str, TrainedModel],
    scores: Mapping[str, pd.DataFrame],
    test: PairArrays,
    folder: Path,
    log: pd.DataFrame | None,
    translation: Mapping[str, Any] | None = None,
    split: pd.DataFrame | None = None,
    pair_looks: pd.DataFrame | None = None,
    *,
    is_sealed: bool = False,
) -> Promotion:
    """Choose the challenger, compare it with the champion, and promote it if better.

    A completed comparison of the same two versions on the same test images by the same
    rule is not repeated, and known weights are not registered again. If the split has
    changed since the champion was trained, test images in groups with its training or
    validation files are excluded.

    Each look at the test images spends a part of one error rate
    (`statistics.promotion_rule.spend`). Its number is one more than the highest number of
    any of its test pairs. So the count continues when a test set grows, and restarts for
    a test set without previously compared pairs.

    Args:
        task: Name of the task.
        settings: Metric, guard and margin.
        trained: All models, by name.
        scores: Their scores on the test images, by name.
        test: The test images.
        folder: Folder of the champions.
        log: Earlier decisions, or None.
        translation: Parameters of translating photographs, logged with a model that was
            trained without tracking.
        split: ``split.csv``; without it, no test images are excluded.
        pair_looks: Number of the last look at each test pair, or None.
        is_sealed: True if the test set is sealed; then nothing is decided.

    Returns:
        The decision. An error of MLflow gives the outcome ``not decided``.
    """
    from mlflow.exceptions import MlflowException

    log = pd.DataFrame(columns=LOG_COLUMNS) if log is None else log
    seen = (
        pd.DataFrame(columns=PAIR_LOOKS_COLUMNS) if pair_looks is None else pair_looks
    )
    case = _Case(
        task, settings, test, folder, log, seen, translation or {}, split, is_sealed
    )
    chosen = best_on_validation(trained, settings.metric)
    if connection.is_lost:
        return case.end("not decided", "MLflow could not be reached", chosen)
    try:
        if is_sealed:
            case.champion = versions.find_version(task, versions.CHAMPION)
            return case.end("not decided", SEALED, chosen)
        if chosen is None:
            case.champion = versions.find_version(task, versions.CHAMPION)
            return case.end("kept", "no model was trained")
        if settings.beat_baselines:
            case.baseline = baseline_ahead(trained, chosen, settings.metric)
        return _register_and_decide(
            case, chosen, trained[chosen.model], scores[chosen.model]
        )
    except (MlflowException, OSError) as error:
        connection.note(error)
        problem = "could not be reached" if connection.is_lost else "rejected a request"
        # After the comparison, its look at the test images counts.
        is_new = case.decision is not None
        return case.end("not decided", f"MLflow {problem}", chosen, is_new=is_new)


def roll_back(task: str, log: pd.DataFrame | None) -> Promotion:
    """Restore the previous champion; later runs do not promote the one rolled back.

    Args:
        task: Name of the task.
        log: Earlier decisions, or None.

    Raises:
        InputError: The champion or its predecessor is missing.
    """
    before, now = versions.roll_back(task)
    reason = f"version {before.version} was rolled back to version {now.version}"
    return _by_hand(task, "rolled back", reason, before, now, log)


def promote_by_hand(task: str, number: int, log: pd.DataFrame | None) -> Promotion:
    """Make a version the champion without a comparison.

    Args:
        task: Name of the task.
        number: Number of the version.
        log: Earlier decisions, or None.

    Raises:
        InputError: The version does not exist, or was not registered by this project.
    """
    before = versions.find_version(task, versions.CHAMPION)
    now = versions.promote_by_hand(task, number)
    reason = f"version {number} was promoted by hand"
    return _by_hand(task, "promoted", reason, before, now, log)


def _by_hand(
    task: str,
    outcome: Outcome,
    reason: str,
    before: "ModelVersion | None",
    now: "ModelVersion",
    log: pd.DataFrame | None,
) -> Promotion:
    logger.info("%s: %s", task, reason)
    row = {
        "date": _now(),
        "outcome": outcome,
        "reason": reason,
        **_columns("challenger", now),
        **_columns("champion", before),
    }
    record = {
        "task": task,
        "date": row["date"],
        "outcome": outcome,
        "reason": reason,
        "challenger": _describe(now),
        "champion": _describe(before),
        "in_use": _describe(now),
        "metric": None,
        "guard": None,
        "margin": None,
        "test": None,
    }
    log = pd.DataFrame(columns=LOG_COLUMNS) if log is None else log
    return Promotion(record, _appended(log, row))


@dataclass
class _Case:
    """The state of one decision."""

    task: str
    settings: PromotionSettings
    test: PairArrays
    folder: Path
    log: pd.DataFrame
    pair_looks: pd.DataFrame
    translation: Mapping[str, Any]
    split: pd.DataFrame | None = None
    is_sealed: bool = False
    challenger: "ModelVersion | None" = None
    champion: "ModelVersion | None" = None
    decision: Decision | None = None
    baseline: str | None = None

    @property
    def looks(self) -> int:
        """Number of the last look at any of these test images, 0 if there was none.

        Looks older than ``pair_looks.csv`` are counted from the log.
        """
        is_here = self.pair_looks["pair_id"].isin(self.test.index["pair_id"])
        is_logged = self.log["test"] == self.test.fingerprint
        looks = [*self.pair_looks.loc[is_here, "look"], 0]
        return int(max(*looks, self.log.loc[is_logged, "look"].notna().sum()))

    def counted(self, looks: int) -> pd.DataFrame:
        """``pair_looks.csv`` with a new number for these test images."""
        now = pd.DataFrame({"pair_id": self.test.index["pair_id"], "look": looks})
        is_here = self.pair_looks["pair_id"].isin(now["pair_id"])
        others = self.pair_looks[~is_here]
        table = now if others.empty else pd.concat([others, now])
        return table.sort_values("pair_id", ignore_index=True)

    def earlier(self) -> pd.Series | None:
        """The earlier decision on the same versions, images and rule, or None."""
        if self.challenger is None or self.champion is None:
            return None
        wanted = {
            **_columns("challenger", self.challenger),
            **_columns("champion", self.champion),
            "test": self.test.fingerprint,
            **self.settings.rule,
        }
        same = self.log["look"].notna() & (self.log["outcome"] != "not decided")
        for column, value in wanted.items():
            same &= self.log[column] == value
        return self.log[same].iloc[-1] if same.any() else None

    def end_without_champion(self, error: InputError, chosen: Candidate) -> Promotion:
        """The result if the champion cannot be read."""
        logger.warning("The champion of %s cannot be used: %s", self.task, error)
        ended = self.end("not decided", str(error), chosen)
        return replace(ended, record={**ended.record, "is_champion_lost": True})

    def end(
        self,
        outcome: Outcome,
        reason: str,
        chosen: Candidate | None = None,
        *,
        is_new: bool = False,
    ) -> Promotion:
        """The result with its record, and with a row in the log if it is new."""
        logger.info("%s: %s (%s)", self.task, outcome, reason)
        decision = self.decision
        looks = self.looks + (decision is not None)
        in_use = self.challenger if outcome == "promoted" else self.champion
        record = {
            "task": self.task,
            "date": _now(),
            "outcome": outcome,
            "reason": reason,
            "challenger": _describe(self.challenger) or (chosen and chosen._asdict()),
            "champion": _describe(self.champion),
            "in_use": _describe(in_use),
            "metric": decision and _known(asdict(decision.metric)),
            "guard": decision and _known(asdict(decision.guard)),
            "margin": self.settings.margin,
            "is_sealed": self.is_sealed,
            "test": None
            if self.is_sealed
            else {
                "fingerprint": self.test.fingerprint,
                "images": len(self.test),
                "groups": int(self.test.index["group"].nunique()),
                "looks": looks,
                "alpha": decision and decision.alpha,
                "alpha_left": unspent(looks),
            },
        }
        pair_looks = self.counted(looks) if decision is not None else self.pair_looks
        if not is_new:
            return Promotion(record, self.log, pair_looks)
        row = {
            "date": record["date"],
            "outcome": outcome,
            "reason": reason,
            **_columns("challenger", self.challenger),
            **_columns("champion", self.champion),
            **self.settings.rule,
            "test": self.test.fingerprint,
        }
        if decision is not None:
            row |= _numbers(decision) | {
                "look": looks,
                "alpha": decision.alpha,
                "alpha_left": unspent(looks),
            }
        return Promotion(record, _appended(self.log, row), pair_looks)


def _register_and_decide(
    case: _Case, chosen: Candidate, model: TrainedModel, scores: pd.DataFrame
) -> Promotion:
    """Register the challenger and compare it with the champion, if there is one."""
    (trained,) = (r for r in model.replicates if r.replicate == chosen.replicate)
    case.champion = versions.find_version(case.task, versions.CHAMPION)
    case.challenger = _register(case, chosen, model, trained)
    if _is_scored_differently(model, trained):
        return case.end("not decided", _ANOTHER_TEMPERATURE, chosen)
    return _decide(case, chosen, scores)


def _decide(case: _Case, chosen: Candidate, scores: pd.DataFrame) -> Promotion:
    """Promote the challenger if it is better than the champion.

    Without a champion, it must be better than the baselines on validation.
    """
    assert case.challenger is not None
    if versions.is_same(case.champion, case.challenger):
        return _confirm(case, chosen)
    if case.champion is None and (last := versions.last_promoted(case.task)):
        reason = (
            f"no version has the alias {versions.CHAMPION}; to restore version "
            f"{last.version}, run kedro promote --task={case.task} "
            f"--version={last.version} with the --env of this run"
        )
        return case.end("kept", reason, chosen)
    if rolled_back := case.challenger.tags.get(versions.ROLLED_BACK_TAG):
        reason = f"version {case.challenger.version} was rolled back on {rolled_back}"
        return case.end("kept", reason, chosen)
    if case.champion is None:
        return _crown(case, chosen, case.challenger)
    earlier = case.earlier()
    if earlier is not None:
        reason = f"already decided on {earlier['date']}: {earlier['reason']}"
        return case.end("kept", reason, chosen)
    own_scores = scores[scores["replicate"] == chosen.replicate]
    return _compare(case, chosen, case.challenger, own_scores)


def _crown(case: _Case, chosen: Candidate, challenger: "ModelVersion") -> Promotion:
    """Make the challenger the first champion, unless a baseline is as good."""
    if case.baseline:
        reason = (
            f"nothing is worth using yet: on validation, {case.baseline} is as good as "
            f"or better than {chosen.model}, the best model (promotion.beat_baselines)"
        )
        return case.end("kept", reason, chosen)
    versions.promote(challenger)
    return case.end("promoted", "the first champion", chosen, is_new=True)


def _confirm(case: _Case, chosen: Candidate) -> Promotion:
    """Keep the champion, which is also the challenger, if its files can be read."""
    try:
        versions.champion(case.task, case.folder)
    except InputError as error:
        return case.end_without_champion(error, chosen)
    return case.end("unchanged", "the challenger is the champion", chosen)


def _compare(
    case: _Case, chosen: Candidate, challenger: "ModelVersion", own_scores: pd.DataFrame
) -> Promotion:
    """Compare the two on the test images and apply the decision."""
    try:
        champion = versions.champion(case.task, case.folder)
    except InputError as error:
        return case.end_without_champion(error, chosen)
    if champion is None:
        return case.end("not decided", _CHANGED, chosen)
    seen = versions.read_training_files(champion.tags["run"]) or frozenset()
    test = _unseen(case, seen)
    if obstacle := _obstacle(champion, test):
        reason = (
            f"{obstacle}. To promote the challenger anyway, run kedro promote "
            f"--task={case.task} --version={challenger.version} with the --env of this "
            "run"
        )
        return case.end("kept", reason, chosen)
    own_scores = own_scores[own_scores["pair_id"].isin(test.index["pair_id"])]
    case.decision = decide_promotion(
        own_scores, _score(champion, case, test), case.settings, case.looks + 1
    )
    now = versions.find_version(case.task, versions.CHAMPION)
    if not versions.is_same(case.champion, now):
        return case.end("not decided", _CHANGED, chosen, is_new=True)
    if case.decision.is_promoted:
        versions.promote(challenger)
    reason = case.decision.reason
    if n_seen := len(case.test) - len(test):
        reason += (
            f"; excluding {n_seen} test images in groups with training or validation "
            "files of the champion"
        )
    if _is_of_other_pairs(case, seen):
        note = "the champion was trained on other pairs, none of which is in this data"
        logger.warning(
            "%s: %s. Give each data set a name (--params name=<name>), so that each has "
            "its own champion",
            case.task,
            note,
        )
        reason += f"; {note}"
    outcome: Outcome = "promoted" if case.decision.is_promoted else "kept"
    return case.end(outcome, reason, chosen, is_new=True)


def _obstacle(champion: versions.Champion, test: PairArrays) -> str | None:
    """Why the champion cannot be compared on these test images, or None."""
    size = champion.trained.config["image_size"]
    if len(test) == 0:
        return (
            "all groups of these test images contain training or validation files of "
            "the champion"
        )
    if size != test.image_size:
        return (
            f"the champion was trained at {size} pixels, but the test images have "
            f"{test.image_size}; they cannot be compared"
        )
    try:
        champion.trained.load_generator()
    except InputError as error:
        return f"the champion cannot be compared: {error}"
    return None


def _unseen(case: _Case, seen: frozenset[str]) -> PairArrays:
    """Exclude groups with training or validation files of the champion."""
    if case.split is None:
        return case.test
    groups = set(case.split.loc[_are_among(case.split, seen), "group"])
    is_seen = case.test.index["group"].isin(groups).to_numpy()
    return _without(case.test, is_seen) if is_seen.any() else case.test


def _is_of_other_pairs(case: _Case, seen: frozenset[str]) -> bool:
    """Whether the data contains none of the files that the champion was trained on."""
    return (
        bool(seen) and case.split is not None and not _are_among(case.split, seen).any()
    )


def _are_among(split: pd.DataFrame, seen: frozenset[str]) -> "pd.Series[bool]":
    return split[["input_sha256", "target_sha256"]].isin(seen).any(axis=1)


def _without(pairs: PairArrays, is_excluded: NDArray[np.bool_]) -> PairArrays:
    arrays = pairs.inputs[~is_excluded], pairs.targets[~is_excluded]
    return PairArrays(*arrays, pairs.index[~is_excluded], pairs.fingerprint)


def _register(
    case: _Case, chosen: Candidate, model: TrainedModel, trained: TrainedReplicate
) -> "ModelVersion":
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST

    if read_training(trained.folder) is None and model.settings is not None:
        # trained without tracking
        described = describe_training(
            case.task,
            chosen.model,
            chosen.replicate,
            model.settings,
            trained.cost,
            case.translation,
        )
        record_finished(trained.folder, described)
    sent, training = send_training(trained.folder), read_training(trained.folder)
    if connection.is_lost:
        raise ConnectionError(connection.failure)
    if training is None or sent.run_id is None or sent.model_id is None:
        raise MlflowException(
            f"MLflow has no model of {trained.folder}", RESOURCE_DOES_NOT_EXIST
        )
    tags = {
        "model": chosen.model,
        "replicate": str(chosen.replicate),
        "run": sent.run_id,
    }
    version = versions.register(
        case.task, trained, training["inference"], sent.model_id, tags
    )
    if case.split is not None:
        versions.log_training_files(sent.run_id, _training_files(case.split))
    versions.set_challenger(version)
    return version


def _is_scored_differently(model: TrainedModel, trained: TrainedReplicate) -> bool:
    """Whether the scores are by another temperature than that of the registered model."""
    training, settings = read_training(trained.folder), model.settings
    if training is None or settings is None or settings.network.output != CLASSES:
        return False
    registered = InferenceSettings.model_validate(training["inference"])
    return registered.temperature != settings.inference.temperature


def _training_files(split: pd.DataFrame) -> set[str]:
    """Digests of the training and validation files."""
    known = split[split["split"].isin([TRAIN, VALIDATION])]
    return set(known["input_sha256"]) | set(known["target_sha256"])


def _score(champion: versions.Champion, case: _Case, test: PairArrays) -> pd.DataFrame:
    """The champion's scores on test images."""
    from image_translation.training.inference import translate

    logger.info("%s: evaluating the champion on the test images", case.task)
    predictions = translate(
        champion.trained.load_generator(),
        test.inputs,
        InferenceSettings.model_validate(champion.inference),
    )
    names = (case.settings.metric, case.settings.guard)
    scores = score_stream(
        predictions, test.targets, {name: FUNCTIONS[name] for name in names}
    )
    index = test.index[["pair_id", "group"]].reset_index(drop=True)
    return pd.concat([index.assign(replicate=0), scores], axis=1)


def _describe(version: "ModelVersion | None") -> dict[str, Any] | None:
    if version is None:
        return None
    replicate = version.tags.get("replicate", "0")
    return {
        "version": int(version.version),
        "model": version.tags.get("model", ""),
        "replicate": int(replicate) if replicate.isdecimal() else 0,
        "run": version.tags.get("run", ""),
        "weights_sha256": version.tags.get(versions.WEIGHTS_TAG, ""),
    }


def _known(numbers: dict[str, Any]) -> dict[str, Any]:
    """Replace NaN by None, since JSON has no NaN."""
    return {
        name: None if isinstance(value, float) and np.isnan(value) else value
        for name, value in numbers.items()
    }


def _columns(role: str, version: "ModelVersion | None") -> dict[str, Any]:
    known = _describe(version)
    if known is None:
        return {}
    columns = {
        f"{role}_version": known["version"],
        f"{role}_model": known["model"],
        f"{role}_replicate": known["replicate"],
        f"{role}_weights": known["weights_sha256"],
    }
    return {name: value for name, value in columns.items() if name in LOG_COLUMNS}


def _numbers(decision: Decision) -> dict[str, Any]:
    metric, guard = decision.metric, decision.guard
    return {
        "challenger_score": metric.challenger,
        "champion_score": metric.champion,
        "difference": metric.difference,
        "ci_low": metric.ci_low,
        "ci_high": metric.ci_high,
        "p_value": metric.p_value,
        "guard_difference": guard.difference,
        "guard_ci_low": guard.ci_low,
        "guard_ci_high": guard.ci_high,
        "n_images": metric.n_images,
        "n_groups": metric.n_groups,
    }


def _appended(log: pd.DataFrame, row: Mapping[str, Any]) -> pd.DataFrame:
    new = pd.DataFrame([{name: row.get(name, np.nan) for name in LOG_COLUMNS}])
    return new if log.empty else pd.concat([log, new], ignore_index=True)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
