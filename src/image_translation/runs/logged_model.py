"""Trained replicates as MLflow models, loaded and served by MLflow's own tools."""

import base64
import io
import shutil
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

import image_translation
from image_translation.common.files import share_bytes
from image_translation.runs.store import client, local_folder
from image_translation.training.settings import InferenceSettings
from image_translation.training.trained import (
    CONFIG,
    HISTORY,
    WEIGHTS,
    TrainedReplicate,
)

FILES = "artifacts"
"""Folder of a logged model that holds the files of the replicate."""

REQUIREMENTS = (
    "mlflow",
    "numpy",
    "pandas",
    "pillow",
    "pydantic",
    "safetensors",
    "scipy",
)

# Code that a translation does not need.
_EXCLUDED = shutil.ignore_patterns(
    "__pycache__",
    "app",
    "cli",
    "datasets",
    "hooks",
    "pipelines",
    "registry",
    "reporting",
    "runs",
    "sources",
    "tuning",
)


def log_model(
    run_id: str,
    trained: TrainedReplicate,
    inference: InferenceSettings,
    translation: Mapping[str, Any],
    name: str,
    tags: Mapping[str, str],
) -> str:
    """Log a trained replicate as a model of its run.

    The model is complete: weights, their description, and the code that reads them. Nothing
    is pickled, and requirements are listed, not inferred. In a store on the same file system,
    the weights are a hard link to those of the replicate.

    Args:
        run_id: The run that trained it.
        trained: The replicate.
        inference: The protocol by which it translates.
        translation: The strategy by which it translates photographs of any size.
        name: Name of the model in MLflow.
        tags: Tags of the model.

    Returns:
        The model's id in MLflow.
    """
    from mlflow.entities import LoggedModelOutput

    run = client().get_run(run_id)
    model = client().create_logged_model(
        run.info.experiment_id,
        name=name,
        source_run_id=run_id,
        tags=dict(tags),
        params=run.data.params,
        model_type="image translation",
    )
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        _save(folder, trained, inference, translation, model.model_id, run_id)
        client().log_model_artifacts(model.model_id, str(folder))
    if stored := local_weights(model.artifact_location):
        share_bytes(stored, trained.folder / WEIGHTS)
    client().finalize_logged_model(model.model_id, "READY")
    client().log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
    return model.model_id


def local_weights(location: str) -> Path | None:
    """The weights of a logged model on this machine, or None.

    Args:
        location: Where MLflow keeps the model.
    """
    folder = local_folder(location)
    weights = folder and folder / FILES / WEIGHTS
    return weights if weights and weights.is_file() else None


def _save(
    folder: Path,
    trained: TrainedReplicate,
    inference: InferenceSettings,
    translation: Mapping[str, Any],
    model_id: str,
    run_id: str,
) -> None:
    """Write a replicate in MLflow's model format."""
    from mlflow import pyfunc
    from mlflow.models import Model, ModelSignature
    from mlflow.types.schema import AnyType, ColSpec, Schema

    images = Schema([ColSpec(AnyType(), "image")])
    code = folder.with_name("code") / image_translation.__name__
    shutil.copytree(Path(image_translation.__file__).parent, code, ignore=_EXCLUDED)
    pyfunc.save_model(
        folder,
        python_model=str(Path(__file__).with_name("served_model.py")),
        artifacts={
            name: str(trained.folder / file)
            for name, file in (
                ("weights", WEIGHTS),
                ("config", CONFIG),
                ("history", HISTORY),
            )
        },
        code_paths=[str(code)],
        pip_requirements=[
            f"torch=={version('torch').partition('+')[0]}",
            *(f"{name}=={version(name)}" for name in REQUIREMENTS),
        ],
        signature=ModelSignature(inputs=images, outputs=images),
        input_example=pd.DataFrame({"image": [_example(trained.config["image_size"])]}),
        model_config={
            "inference": inference.model_dump(mode="json"),
            "translation": dict(translation),
        },
        mlflow_model=Model(model_uuid=model_id, run_id=run_id, model_id=model_id),
    )


def _example(size: int) -> str:
    """A small picture of a slope, as base64 text of a PNG file."""
    slope = np.linspace(0, 255, size, dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(np.broadcast_to(slope, (size, size)).copy()).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()
