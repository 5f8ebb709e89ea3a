"""The app without its page: models, translations and scores."""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

import numpy as np
import pandas as pd
from PIL import Image

from image_translation.app.deadline import Deadline, TimedReader, TooLongError
from image_translation.app.original import compare_with_original, has_colours
from image_translation.app.settings import AppSettings
from image_translation.common import wording
from image_translation.common.errors import InputError
from image_translation.common.files import require_regular
from image_translation.imaging.decoding import (
    UnreadableImageError,
    decodable_formats,
    explain,
)
from image_translation.imaging.photo_files import (
    Photo,
    encode_photo,
    read_photo,
    result_suffix,
)
from image_translation.metrics.registry import HEADLINES
from image_translation.registry.chosen_models import (
    Chosen,
    InUse,
    choose_models,
    identify_champion,
    is_served,
    run_page,
)
from image_translation.registry.versions import WEIGHTS_TAG
from image_translation.reporting import formatting
from image_translation.statistics.comparison import MIN_GROUPS
from image_translation.statistics.looks import subset_of
from image_translation.training.settings import ModelSettings
from image_translation.training.trained import TrainedModel
from image_translation.translation.encoded_images import Translator, translate_photo
from image_translation.translation.model_selection import choose_trained
from image_translation.translation.previews import shrink
from image_translation.translation.settings import CHAMPION, TranslateSettings
from image_translation.translation.translator import describe_strategy, seen_pixels

logger = logging.getLogger(__name__)

Report = Callable[[float, str], None]
"""Receives the progress, 0 to 1, and the current step."""

PREVIEW_SIDE = 1600
PREVIEW_QUALITY = 90

KEPT_MODELS = 4
"""Maximum number of models in memory between translations."""


@dataclass(frozen=True)
class TaskModels:
    """Models and scores of a task; functions are called again for each request.

    Attributes:
        models: Settings of the task's models.
        translation: Settings of translations.
        trained: Returns the models on disk, by name.
        champions: Folder of the champions.
        metric: ``promotion.metric``, which selects the best model on validation.
        exports: Returns the folders of exported models, by model.
        comparison: Returns ``comparison.csv``, or None.
        white: ``preparation.white``.
    """

    models: Mapping[str, ModelSettings]
    translation: TranslateSettings
    trained: Callable[[], Mapping[str, TrainedModel]]
    champions: Path
    metric: str
    exports: Callable[[], Mapping[str, Path]]
    comparison: Callable[[], pd.DataFrame | None]
    white: float | None = None


@dataclass(frozen=True)
class Score:
    """A model's mean score in the comparison, formatted."""

    metric: str
    value: str
    interval: str


@dataclass(frozen=True)
class OwnScore:
    """A score of one picture against its photograph, formatted.

    Attributes:
        metric: Name of the metric.
        value: Score of the picture.
        grey: Score of the photograph in grey, as the network sees it.
    """

    metric: str
    value: str
    grey: str


@dataclass(frozen=True)
class Translation:
    """A model's translation of a photograph.

    Attributes:
        label: Label of the model.
        file: The translation at full size, named after the photograph and the model.
        before: Preview of the photograph as the network sees it.
        after: Preview of the translation.
        size: Width and height, formatted.
        seconds: Duration.
        strategy: How the picture was made, with the size that the network has seen.
        own_scores: Scores of the picture against the photograph's colours, if the network
            has seen it in grey.
        scores: Scores of the model.
        about_scores: How the scores were measured, or why there are none.
        run_page: URL of its MLflow run, if known.
    """

    label: str
    file: Path
    before: Path
    after: Path
    size: str
    seconds: float
    strategy: str
    own_scores: Sequence[OwnScore]
    scores: Sequence[Score]
    about_scores: str
    run_page: str | None


class Workbench:
    """Translates photographs with the models of all tasks.

    Args:
        tasks: Models and scores by task.
        settings: The limits.
        mlflow: URL of MLflow's UI.
    """

    def __init__(
        self, tasks: Mapping[str, TaskModels], settings: AppSettings, mlflow: str
    ) -> None:
        self.settings = settings
        self._tasks, self._mlflow = tasks, mlflow
        self._translators: OrderedDict[tuple[str, ...], Translator] = OrderedDict()

    @property
    def all_tasks(self) -> list[str]:
        """Every task, with or without trained models."""
        return list(self._tasks)

    def tasks(self) -> list[str]:
        """Tasks with a trained model."""
        return [task for task in self._tasks if self.models(task)]

    def models(self, task: str) -> dict[str, str]:
        """Choices of a task, by label, each model with the same weights once.

        The first is the champion, or without one the best model on validation.
        """
        trained = self._trained(task)
        others = {name: name for name in trained}
        if in_use := _find_champion(task, self._tasks[task].champions):
            same = trained.get(in_use.model)
            if same is not None and in_use.weights_sha256 in _weights_of(same):
                del others[in_use.model]
            label = f"{in_use.model} (in use, version {in_use.version})"
            return {label: CHAMPION, **others}
        if not trained:
            return {}
        (best,) = choose_trained(task, CHAMPION, trained, self._tasks[task].metric)
        del others[best]
        return {f"{best} (best on validation)": CHAMPION, **others}

    def all_models(self) -> list[str]:
        """Every value that `translate` accepts, over all tasks."""
        found = [name for task in self._tasks for name in self._trained(task)]
        return list(dict.fromkeys([CHAMPION, *found]))

    def _trained(self, task: str) -> dict[str, TrainedModel]:
        """The trained models of a task, by name."""
        return {
            name: model
            for name, model in self._tasks[task].trained().items()
            if model.is_trainable and model.replicates
        }

    def translate(
        self,
        task: str,
        wanted: Sequence[str],
        source: Path,
        name: str,
        folder: Path,
        report: Report = lambda share, doing: None,
    ) -> list[Translation]:
        """Translate a photograph with every selected model, exactly as the pipeline
        does.

        Args:
            task: The task.
            wanted: Values of `models`, or names of models.
            source: The photograph's file.
            name: Its name.
            folder: Folder for previews and translations.
            report: Receives the progress.

        Raises:
            InputError: The photograph is unreadable, a model does not exist, or the
                time limit is exceeded.
        """
        if task not in self._tasks:
            raise InputError(f"Unknown task {task!r}; choose one from the list")
        if not wanted:
            raise InputError("No model is selected; select at least one")
        made = []
        with self._limited(name) as deadline:
            photo = _open_photo(source, name, deadline, self._tasks[task].white)
            work = _Work(photo, name, folder, deadline, self._tasks[task].translation)
            for number, choice in enumerate(dict.fromkeys(wanted)):
                deadline.check()
                report(number / len(wanted), f"Translating ({choice})")
                made.append(self._translate(task, choice, work))
        return made

    def open_photo(self, source: Path, name: str, task: str = "") -> Photo:
        """Decode an uploaded photograph.

        Args:
            source: Its file.
            name: Its name.
            task: The selected task; empty if none is.

        Raises:
            InputError: It is not a readable photograph, or the time limit is exceeded.
        """
        white = self._tasks[task].white if task in self._tasks else None
        with self._limited(name) as deadline:
            return _open_photo(source, name, deadline, white)

    @contextmanager
    def _limited(self, name: str) -> Iterator[Deadline]:
        """Limit the time of work on a photograph, with an error for the user."""
        try:
            yield Deadline(self.settings.max_seconds)
        except TooLongError as error:
            raise InputError(
                f"{name} takes longer than {self.settings.max_seconds:g} seconds. Choose"
                " fewer models or a smaller photograph, or increase app.max_seconds in"
                " conf/local/parameters.yml"
            ) from error

    def _translate(self, task: str, choice: str, work: "_Work") -> Translation:
        labels = {value: label for label, value in self.models(task).items()}
        for name in self._trained(task):
            labels.setdefault(name, name)
        if choice not in labels:
            raise InputError(
                f"There is no trained model {choice!r} of {task}, only "
                f"{', '.join(labels) or 'none at all'}; train it: "
                f"kedro run --pipeline={task}"
            )
        results = self._tasks[task]
        trained = results.trained()
        ((model, chosen),) = choose_models(
            task, choice, results.models, trained, results.champions, results.metric
        ).items()
        start = time.perf_counter()
        translator = self._translator(task, chosen)
        translated, file, after = work.make(translator, choice, model)
        seconds = time.perf_counter() - start
        logger.info("%s by %s: %.1f s", work.size, model, seconds)
        settings = results.models.get(model)
        is_scored_so = settings is not None and settings.inference == chosen.inference
        scores, about = _scores(
            results.comparison(),
            chosen,
            trained.get(model) if is_scored_so else None,
            translator.image_size,
        )
        return Translation(
            label=labels[choice],
            file=file,
            before=work.before,
            after=after,
            size=work.size,
            seconds=seconds,
            strategy=describe_strategy(translator, *work.shape),
            own_scores=work.score(translated),
            scores=scores,
            about_scores=about,
            run_page=self._find_run_page(chosen.run_id),
        )

    def _find_run_page(self, run_id: str | None) -> str | None:
        is_there = run_id is not None and is_served(self._mlflow)
        return run_page(run_id, self._mlflow) if run_id and is_there else None

    def _translator(self, task: str, chosen: Chosen) -> Translator:
        """The translator of a model, cached while its weights are unchanged."""
        protocol = chosen.inference.model_dump_json()
        key = (task, chosen.trained.fingerprint, protocol)
        translator = self._translators.pop(key, None)
        if translator is None:
            results = self._tasks[task]
            translator = Translator.read(
                chosen.trained,
                chosen.inference,
                results.translation,
                results.exports().get(chosen.model),
            )
        self._translators[key] = translator
        while len(self._translators) > KEPT_MODELS:
            self._translators.popitem(last=False)
        return translator


class _Work:
    """A photograph during its translation; its preview is written once."""

    def __init__(
        self,
        photo: Photo,
        name: str,
        folder: Path,
        deadline: Deadline,
        translation: TranslateSettings,
    ) -> None:
        self._photo, self._folder, self._deadline = photo, folder, deadline
        self._translation = translation
        path = PurePosixPath(name)
        suffix = result_suffix(path.suffix, photo.result_format)
        self._name = str(path.with_suffix(suffix))
        self.shape = height, width = photo.pixels.shape[:2]
        self.size = f"{width} × {height}"
        self.before = write_preview(photo, folder / "before.jpg", translation)

    def make(
        self, translator: Translator, choice: str, model: str
    ) -> tuple[Photo, Path, Path]:
        """Translate the photograph by a model; returns it, its file and its preview."""
        timed = replace(translator, check=self._deadline.check)
        translated = translate_photo(timed, self._photo)
        name = PurePosixPath(self._name)
        file = self._folder / choice / f"{name.stem}-{model}{name.suffix}"
        file.parent.mkdir()
        file.write_bytes(encode_photo(translated, translator.settings.quality))
        preview = write_preview(translated, self._folder / f"after-{choice}.jpg")
        return translated, file, preview

    def score(self, translated: Photo) -> list[OwnScore]:
        """Scores against the photograph's colours, if the network does not see them."""
        if not self._grey_scores:
            return []
        scores = compare_with_original(
            translated.pixels, self._photo, self._deadline.check
        )
        return [
            OwnScore(
                formatting.label(metric),
                formatting.value(metric, score),
                formatting.value(metric, self._grey_scores[metric]),
            )
            for metric, score in scores.items()
        ]

    @cached_property
    def _grey_scores(self) -> dict[str, float]:
        """Scores of the photograph in grey; empty if its own colours are no target."""
        if not (self._translation.grey_input and has_colours(self._photo)):
            return {}
        return compare_with_original(
            self._photo.pixels,
            self._photo,
            self._deadline.check,
            lambda pixels: seen_pixels(pixels, self._translation),
        )


def _open_photo(
    source: Path, name: str, deadline: Deadline, white: float | None
) -> Photo:
    """Decode a photograph; the deadline is checked whenever the decoder reads."""
    try:
        with require_regular(source).open("rb") as file:
            photo = read_photo(cast(BinaryIO, TimedReader(file, deadline)), white)
    except (OSError, UnreadableImageError) as failure:
        deadline.check()
        error = (
            failure if isinstance(failure, UnreadableImageError) else explain(failure)
        )
        formats = ", ".join(decodable_formats())
        raise InputError(
            f"{name} cannot be translated: {error.reason}. Choose a photograph that an "
            f"image viewer opens ({formats})"
        ) from error
    deadline.check()
    return photo


def write_preview(
    photo: Photo, path: Path, seen_with: TranslateSettings | None = None
) -> Path:
    """Write a preview for the page; returns its path.

    Args:
        photo: The photograph.
        path: The file.
        seen_with: Show what a network sees with these settings.
    """
    preview = shrink(photo, PREVIEW_SIDE)
    if seen_with is not None:
        preview = Image.fromarray(seen_pixels(np.array(preview), seen_with))
    preview.save(path, "JPEG", quality=PREVIEW_QUALITY)
    return path


def _find_champion(task: str, champions: Path) -> InUse | None:
    """The champion of a task; None if it cannot be used or the store does not respond."""
    try:
        return identify_champion(task, champions)
    except InputError as error:
        logger.warning("%s", error)
        return None


def _scores(
    comparison: pd.DataFrame | None,
    chosen: Chosen,
    trained: TrainedModel | None,
    side: int,
) -> tuple[list[Score], str]:
    """A model's scores in the comparison, if they are about the same weights.

    Args:
        comparison: ``comparison.csv``.
        chosen: The model that made the picture.
        trained: The compared model; None if it was compared with another protocol.
        side: Width and height of the test images, in pixels.
    """
    if comparison is None:
        return [], "Not compared yet."
    if trained is None or chosen.trained.config[WEIGHTS_TAG] not in _weights_of(
        trained
    ):
        return [], (
            "The last comparison is of another training of this model, or of other "
            "parameters of inference."
        )
    rows = comparison[comparison["model"] == chosen.model].set_index("metric")
    known = rows.to_dict("index")
    found = [
        Score(
            formatting.label(metric),
            formatting.value(metric, row["mean"]),
            formatting.interval(metric, row["ci_low"], row["ci_high"]),
        )
        for metric in HEADLINES
        if (row := known.get(metric))
    ]
    if not found:
        return [], "Not compared yet."
    images, groups = (int(rows[name].iloc[0]) for name in ("n_images", "n_groups"))
    trust = ": too few to be trusted" if groups < MIN_GROUPS else ""
    subset = subset_of(rows)
    about = (
        f"{subset.capitalize()} scores of squares of {side} × {side} pixels: means over "
        f"{wording.count(images, f'{subset} image')} of "
        f"{wording.count(groups, 'photograph')}, with 95 % intervals{trust}"
    )
    return found, about


def _weights_of(model: TrainedModel) -> list[str]:
    return [replicate.config[WEIGHTS_TAG] for replicate in model.replicates]
