"""Node of the translation pipeline."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from image_translation.common.errors import InputError
from image_translation.config.task_settings import TaskSettings
from image_translation.datasets.models import Workspace
from image_translation.training.trained import TrainedModel
from image_translation.translation.ledger import Outcome

if TYPE_CHECKING:
    from image_translation.translation.translator import Translator


def translate_photographs(
    settings: TaskSettings,
    trained: Mapping[str, TrainedModel],
    champions: Workspace,
    exports: Mapping[str, Path],
) -> Outcome:
    """Translate the photographs of ``input`` to ``output``.

    Args:
        settings: All parameters of the task.
        trained: The task's models on disk, by name.
        champions: Folder of the champions.
        exports: The folders of exported models, by model.

    Raises:
        InputError: A folder is not given or does not exist, or no model is trained.
    """
    from image_translation.translation.folder import list_photos, translate_folder

    output = _path("output", settings.output)
    photos = list_photos(_path("input", settings.input), output)
    translators = _translators(settings, trained, champions.folder, exports)
    title = f"Translations of {photos.name} ({settings.name})"
    white = settings.preparation.white
    return translate_folder(photos, output, translators, title, white)


def _translators(
    settings: TaskSettings,
    trained: Mapping[str, TrainedModel],
    champions: Path,
    exports: Mapping[str, Path],
) -> dict[str, "Translator"]:
    """The translators by model name: of the champion, or of models on disk."""
    from image_translation.registry.chosen_models import choose_models
    from image_translation.translation.translator import Translator

    chosen = choose_models(
        settings.name,
        settings.translate.model,
        settings.models,
        trained,
        champions,
        settings.promotion.metric,
    )
    return {
        model: Translator.read(
            one.trained, one.inference, settings.translate, exports.get(model)
        )
        for model, one in chosen.items()
    }


def _path(name: str, given: str | None) -> Path:
    if given is None:
        raise InputError(
            f"{name}: pass it on the command line: --params "
            '"task=<task>,input=<folder or file>,output=<folder>"'
        )
    return Path(given)
