"""What the page does, apart from the page: models, translations and their scores."""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from image_translation.app.deadline import Deadline, TooLongError
from image_translation.app.settings import AppSettings
from image_translation.errors import InputError
from image_translation.imaging.decoding import FORMAT_SUFFIXES, UnreadableImageError
from image_translation.imaging.photo import (
    Photo,
    encode_photo,
    read_photo,
    result_suffix,
)
from image_translation.metrics.comparison import MIN_GROUPS
from image_translation.metrics.looks import subset_of
from image_translation.metrics.registry import HEADLINES
from image_translation.reporting import words
from image_translation.tracking.in_use import (
    Chosen,
    choose_models,
    name_in_use,
    run_page,
)
from image_translation.training.trained import TrainedModel
from image_translation.translation.choice import choose_trained
from image_translation.translation.encoded import Translator, translate_photo
from image_translation.translation.previews import shrink
from image_translation.translation.settings import CHAMPION, TranslateSettings

logger = logging.getLogger(__name__)

Report = Callable[[float, str], None]
"""Told how far work is, 0 to 1, and what is done."""

PREVIEW_SIDE = 1600
PREVIEW_QUALITY = 90

KEPT_MODELS = 4
"""So many are kept in memory between translations."""


@dataclass(frozen=True)
class TaskResults:
    """What a task has come to so far; what may change is asked for again each time.

    Attributes:
        settings: All parameters of the task.
        trained: Gives the models on disk, by name.
        champions: Where models that are in use are kept.
        exports: Gives the folders of exported models, by model.
        comparison: Gives ``comparison.csv``, or None where there is none yet.
    """

    settings: Mapping[str, Any]
    trained: Callable[[], Mapping[str, TrainedModel]]
    champions: Path
    exports: Callable[[], Mapping[str, Path]]
    comparison: Callable[[], pd.DataFrame | None]


@dataclass(frozen=True)
class Score:
    """A model's mean score in the comparison, in words."""

    metric: str
    value: str
    interval: str


@dataclass(frozen=True)
class Translation:
    """What a model made of a photograph.

    Attributes:
        label: What the model is called.
        file: The translation at full size, with the name that it is to have.
        before: Preview of the photograph.
        after: Preview of the translation.
        size: Width and height, in words.
        seconds: What it took.
        scores: The model's.
        about_scores: What there is to know about them.
        run_page: Its run in MLflow, where that is known.
    """

    label: str
    file: Path
    before: Path
    after: Path
    size: str
    seconds: float
    scores: Sequence[Score]
    about_scores: str
    run_page: str | None


class Workbench:
    """Translates photographs with the models of all tasks.

    Args:
        tasks: What there is, by task.
        settings: The limits.
        mlflow: Where MLflow's own interface is served.
    """

    def __init__(
        self, tasks: Mapping[str, TaskResults], settings: AppSettings, mlflow: str
    ) -> None:
        self.settings = settings
        self._tasks, self._mlflow = tasks, mlflow
        self._translators: OrderedDict[tuple[str, ...], Translator] = OrderedDict()

    @property
    def all_tasks(self) -> list[str]:
        """Every task, whether anything is trained for it or not."""
        return list(self._tasks)

    def tasks(self) -> list[str]:
        """Tasks for which there is a model."""
        return [task for task in self._tasks if self.models(task)]

    def models(self, task: str) -> dict[str, str]:
        """What can be chosen for a task, by what it is called on the page.

        The first is the model in use, or where there is none, the best on validation.
        """
        trained = {
            name: model
            for name, model in self._tasks[task].trained().items()
            if model.is_learnt and model.replicates
        }
        choices = {name: name for name in trained}
        if in_use := _name_in_use(task):
            model, version = in_use
            return {f"{model} (in use, version {version})": CHAMPION, **choices}
        if not trained:
            return {}
        (best,) = choose_trained(task, CHAMPION, trained)
        return {f"{best} (best on validation)": CHAMPION, **choices}

    def translate(
        self,
        task: str,
        wanted: Sequence[str],
        source: Path,
        name: str,
        folder: Path,
        report: Report = lambda share, doing: None,
    ) -> list[Translation]:
        """Translate a photograph by every wanted model, as the pipeline does.

        Args:
            task: The task.
            wanted: Values of `models`.
            source: The photograph's file.
            name: What it is called.
            folder: Where previews and translations go.
            report: Told how far it is.

        Raises:
            InputError: The photograph cannot be read, there is no such model, or it
                takes longer than it may.
        """
        if task not in self._tasks:
            raise InputError(f"There is no task {task!r}; choose one of the list")
        if not wanted:
            raise InputError("No model is chosen; tick at least one")
        deadline = Deadline(self.settings.max_seconds)
        photo = open_photo(source, name)
        work = _Work(photo, name, folder, deadline)
        made = []
        try:
            for number, choice in enumerate(dict.fromkeys(wanted)):
                deadline.check()
                report(number / len(wanted), f"Translating ({choice})")
                made.append(self._translate(task, choice, work))
        except TooLongError as error:
            raise InputError(
                f"{name} takes longer than {self.settings.max_seconds:g} seconds. Choose"
                " fewer models or a smaller photograph, or raise app.max_seconds in"
                " conf/local/parameters.yml"
            ) from error
        return made

    def _translate(self, task: str, choice: str, work: "_Work") -> Translation:
        labels = {value: label for label, value in self.models(task).items()}
        if choice not in labels:
            raise InputError(
                f"There is no trained model {choice!r} of {task}, only "
                f"{', '.join(labels) or 'none at all'}; train it: "
                f"kedro run --pipeline={task}"
            )
        results = self._tasks[task]
        trained = results.trained()
        ((model, chosen),) = choose_models(
            task, choice, results.settings, trained, results.champions
        ).items()
        start = time.perf_counter()
        file, after = work.make(self._translator(task, chosen), choice)
        seconds = time.perf_counter() - start
        logger.info("%s by %s: %.1f s", work.size, model, seconds)
        scores, about = _scores(results.comparison(), chosen, trained.get(model))
        return Translation(
            label=labels[choice],
            file=file,
            before=work.before,
            after=after,
            size=work.size,
            seconds=seconds,
            scores=scores,
            about_scores=about,
            run_page=run_page(chosen.run_id, self._mlflow) if chosen.run_id else None,
        )

    def _translator(self, task: str, chosen: Chosen) -> Translator:
        """What translates, from memory where it is the same as before."""
        protocol = chosen.inference.model_dump_json()
        key = (task, chosen.trained.fingerprint, protocol)
        translator = self._translators.pop(key, None)
        if translator is None:
            results = self._tasks[task]
            translator = Translator.read(
                chosen.trained,
                chosen.inference,
                TranslateSettings.model_validate(results.settings["translate"]),
                results.exports().get(chosen.model),
            )
        self._translators[key] = translator
        while len(self._translators) > KEPT_MODELS:
            self._translators.popitem(last=False)
        return translator


class _Work:
    """A photograph on its way; its preview is made once."""

    def __init__(
        self, photo: Photo, name: str, folder: Path, deadline: Deadline
    ) -> None:
        self._photo, self._folder, self._deadline = photo, folder, deadline
        path = PurePosixPath(name)
        suffix = result_suffix(path.suffix, photo.result_format)
        self._name = str(path.with_suffix(suffix))
        height, width, _ = photo.pixels.shape
        self.size = f"{width} × {height}"
        self.before = write_preview(photo, folder / "before.jpg")

    def make(self, translator: Translator, choice: str) -> tuple[Path, Path]:
        """Translate it; returns the file and its preview."""
        timed = replace(translator, check=self._deadline.check)
        translated = translate_photo(timed, self._photo)
        file = self._folder / choice / self._name
        file.parent.mkdir()
        file.write_bytes(encode_photo(translated, translator.settings.quality))
        preview = write_preview(translated, self._folder / f"after-{choice}.jpg")
        return file, preview


def open_photo(source: Path, name: str) -> Photo:
    """Decode a photograph that somebody gave.

    Args:
        source: Its file.
        name: What it is called.

    Raises:
        InputError: It is no photograph that can be read.
    """
    try:
        return read_photo(source)
    except UnreadableImageError as error:
        formats = ", ".join(sorted(FORMAT_SUFFIXES))
        raise InputError(
            f"{name} cannot be translated: {error.reason}. Choose a photograph that an "
            f"image viewer opens ({formats})"
        ) from error


def write_preview(photo: Photo, path: Path) -> Path:
    """Write what a page shows of a photograph; returns where."""
    shrink(photo, PREVIEW_SIDE).save(path, "JPEG", quality=PREVIEW_QUALITY)
    return path


def _name_in_use(task: str) -> tuple[str, int] | None:
    """The model in use; a store that does not answer leaves those on disk to choose."""
    try:
        return name_in_use(task)
    except InputError as error:
        logger.warning("%s", error)
        return None


def _scores(
    comparison: pd.DataFrame | None, chosen: Chosen, trained: TrainedModel | None
) -> tuple[list[Score], str]:
    """A model's scores in the comparison, where they are those of its weights."""
    if comparison is None:
        return [], "Not compared yet."
    replicates = trained.replicates if trained else ()
    weights = [replicate.config["weights_sha256"] for replicate in replicates]
    if chosen.trained.config["weights_sha256"] not in weights:
        return [], "The last comparison is of another training of this model."
    rows = comparison[comparison["model"] == chosen.model].set_index("metric")
    known = rows.to_dict("index")
    found = [
        Score(
            words.label(metric),
            words.value(metric, row["mean"]),
            words.interval(metric, row["ci_low"], row["ci_high"]),
        )
        for metric in HEADLINES
        if (row := known.get(metric))
    ]
    if not found:
        return [], "Not compared yet."
    images, groups = (int(rows[name].iloc[0]) for name in ("n_images", "n_groups"))
    about = (
        f"Means over {words.count(images, f'{subset_of(rows)} image')} of "
        f"{words.count(groups, 'photograph')}, with 95 % intervals"
    )
    return found, about + (": too few to be trusted." if groups < MIN_GROUPS else ".")
