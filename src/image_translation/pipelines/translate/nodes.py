"""Node of the translation pipeline."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from image_translation.datasets.models import Workspace
from image_translation.errors import InputError
from image_translation.training.trained import TrainedModel
from image_translation.translation.ledger import Outcome
from image_translation.translation.settings import TranslateSettings

if TYPE_CHECKING:
    from image_translation.translation.translator import Translator


def translate_photographs(
    task: str,
    settings: Mapping[str, Any],
    trained: Mapping[str, TrainedModel],
    champions: Workspace,
    exports: Mapping[str, Path],
) -> Outcome:
    """Translate the photographs of ``input`` to ``output``.

    Args:
        task: Name of the task.
        settings: All parameters of the task.
        trained: The task's models on disk, by name.
        champions: Folder of the champions.
        exports: The folders of exported models, by model.

    Raises:
        InputError: A folder is not given or does not exist, or no model is trained.
    """
    from image_translation.translation.folder import list_photos, translate_folder

    output = _path(settings, "output")
    photos = list_photos(_path(settings, "input"), output)
    translators = _translators(task, settings, trained, champions.folder, exports)
    title = f"{task.replace('_', ' ').capitalize()} of {photos.name}"
    return translate_folder(photos, output, translators, title)


def _translators(
    task: str,
    settings: Mapping[str, Any],
    trained: Mapping[str, TrainedModel],
    champions: Path,
    exports: Mapping[str, Path],
) -> dict[str, "Translator"]:
    """The translators by model name: of the champion, or of models on disk."""
    from image_translation.tracking.in_use import choose_models
    from image_translation.translation.translator import Translator

    translation = TranslateSettings.model_validate(settings["translate"])
    chosen = choose_models(task, translation.model, settings, trained, champions)
    return {
        model: Translator.read(
            one.trained, one.inference, translation, exports.get(model)
        )
        for model, one in chosen.items()
    }


def _path(settings: Mapping[str, Any], name: str) -> Path:
    if settings[name] is None:
        raise InputError(
            f"{name}: pass it on the command line: --params "
            '"task=<task>,input=<folder or file>,output=<folder>"'
        )
    return Path(settings[name])
