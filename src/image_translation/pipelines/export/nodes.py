"""Node of the export pipeline."""

import logging
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from image_translation.common.errors import InputError
from image_translation.common.files import atomic_folder
from image_translation.common.fingerprint import digest, fingerprint
from image_translation.common.names import BASELINES
from image_translation.common.stamps import Stamp
from image_translation.config.task_settings import TaskSettings
from image_translation.datasets.models import Workspace
from image_translation.networks.registry import code_of
from image_translation.pairing.arrays import PairArrays
from image_translation.pairing.layouts import derived_role, find_recipe
from image_translation.pairing.settings import PairingSettings
from image_translation.pipelines.comparison.report import count_subsets
from image_translation.sources import Source
from image_translation.training.trained import TrainedModel

if TYPE_CHECKING:
    from image_translation.export.card import ModelFacts
    from image_translation.export.package import ModelExport
    from image_translation.registry.chosen_models import Chosen

logger = logging.getLogger(__name__)


def export_models(
    settings: TaskSettings,
    trained: Mapping[str, TrainedModel],
    champions: Workspace,
    folder: Path,
    train: PairArrays,
    validation: PairArrays,
    source: Source,
    split: pd.DataFrame,
    comparison: pd.DataFrame | None,
    verdicts: pd.DataFrame | None,
) -> dict[str, Path]:
    """Export the champion, or the models of ``export.model``.

    Args:
        settings: All parameters of the task.
        trained: The task's models on disk, by name.
        champions: Folder of the champions.
        folder: Folder of the exports; up-to-date exports are kept.
        train: Training pairs.
        validation: Validation pairs.
        source: The source of the pairs.
        split: The used pairs with their subsets.
        comparison: The table of models, if available.
        verdicts: The table of verdicts, if available.

    Raises:
        InputError: Packages are missing, the model does not exist, or it cannot be
            exported.
    """
    from image_translation.export.card import ModelFacts
    from image_translation.export.formats import PACKAGES, require_packages
    from image_translation.registry.chosen_models import choose_models

    require_packages()
    task, export = settings.name, settings.export
    chosen = choose_models(
        task,
        export.model,
        settings.models,
        trained,
        champions.folder,
        settings.promotion.metric,
        "export.model",
    )
    exports = {}
    for model, one in chosen.items():
        _check_exportable(model, one, trained)
        is_scored = _is_scored(one, trained.get(model))
        facts = ModelFacts(
            task=task,
            model=model,
            version=one.version,
            config=one.trained.config,
            source=source.name,
            credit=source.credit,
            **_derivation(settings.pairing),
            splits=count_subsets(split),
            digests={
                "training pairs": train.fingerprint,
                "validation pairs": validation.fingerprint,
                "all pairs and their subsets": digest(split),
            },
            grey_input=settings.translate.grey_input,
            comparison=comparison if is_scored else None,
            verdicts=verdicts if is_scored else None,
        )
        versions = [version(name) for name in ("torch", *PACKAGES)]
        network = one.trained.config["network"]
        made_from = fingerprint(
            "image_translation.export",
            *code_of(network["name"], network.get("output", "rgb")),
            trained=one.trained,
            inference=one.inference,
            train_pairs=train,
            validation_pairs=validation,
            export=export,
            facts=facts,
            versions=versions,
        )
        exports[model] = folder / model
        if not Stamp(folder / model).is_stale(made_from, str(folder / model)):
            continue
        with atomic_folder(folder / model) as temporary:
            _prepare(one, train, validation, export.calibration, facts).write(temporary)
            Stamp(temporary).write(made_from)
        logger.info("Exported %s to %s", model, folder / model)
    return exports


def _prepare(
    chosen: "Chosen",
    train: PairArrays,
    validation: PairArrays,
    calibration: int,
    facts: "ModelFacts",
) -> "ModelExport":
    from image_translation.export.formats import origin_of
    from image_translation.export.package import ModelExport
    from image_translation.training.inference import MeanOfFlips, set_temperature

    generator = chosen.trained.load_generator()
    set_temperature(generator, chosen.inference)
    if chosen.inference.flips:
        generator = MeanOfFlips(generator).eval()
    origin = origin_of(chosen.trained, chosen.inference)
    return ModelExport(generator, train, validation, calibration, facts, origin)


def _check_exportable(
    model: str, chosen: "Chosen", trained: Mapping[str, TrainedModel]
) -> None:
    if chosen.trained.config["network"]["name"] in BASELINES:
        raise InputError(
            f"export.model: {model} is a baseline without weights; export a trained "
            "model"
        )
    if chosen.inference.dropout or chosen.inference.batch_statistics:
        raise InputError(
            f"{model} translates with dropout or batch statistics, which exported "
            "models do not support; export it with inference.dropout=false,"
            "inference.batch_statistics=false"
        )


def _is_scored(chosen: "Chosen", trained: TrainedModel | None) -> bool:
    """True if the tables are about the exported weights: they are about those on
    disk.
    """
    weights = chosen.trained.config["weights_sha256"]
    known = trained.replicates if trained else ()
    return weights in {replicate.config["weights_sha256"] for replicate in known}


def _derivation(pairing: PairingSettings) -> dict[str, Any]:
    if pairing.layout != "single":
        return {"derived": None, "recipe": ""}
    recipe = find_recipe(pairing)
    return {
        "derived": derived_role(pairing),
        "recipe": f"{recipe.name}: {recipe.description}, {recipe.source}",
    }
