import numpy as np
import pytest
from PIL import Image

from image_translation.cli.options import choose_task
from image_translation.common.errors import InputError
from image_translation.datasets.models import TrainedModelsDataset, Workspace
from image_translation.pipelines.translate.nodes import translate_photographs
from image_translation.registry.versions import promote, register
from image_translation.runs.backlog import send_training
from image_translation.runs.training_run import describe_training, record_finished
from image_translation.training import train
from tests.conftest import task_settings
from tests.training.conftest import make_pairs, make_settings
from tests.translation.conftest import make_settings as make_translation

TRANSLATION = make_translation(strategy="guided")


def translating(photographs, tmp_path, **changes):
    folders = {"input": str(photographs), "output": str(tmp_path / "out")}
    return task_settings(**{"translate": TRANSLATION, **folders, **changes})


@pytest.fixture
def photographs(tmp_path):
    slope = np.linspace(30, 220, 60 * 40).reshape(40, 60).astype(np.uint8)
    (tmp_path / "photographs").mkdir()
    Image.fromarray(slope).save(tmp_path / "photographs" / "grey.jpg")
    (tmp_path / "photographs" / "broken.png").write_text("no image")
    return tmp_path / "photographs"


def test_task_parameter_selects_the_translation():
    options = {"pipeline": "translate", "params": {"task": "monet", "input": "i"}}
    chosen = choose_task(options)
    assert chosen["namespaces"] == ["monet"] and chosen["params"] == {"input": "i"}


def test_models_of_a_folder_are_found(smoke_project):
    models = TrainedModelsDataset(
        filepath=str(smoke_project / "data/smoke/06_models/colorization")
    ).load()
    assert {"unet", "pix2pix", "copy_input"} <= set(models)
    assert models["unet"].is_trainable and not models["copy_input"].is_trainable


@pytest.mark.parametrize("missing", ["input", "output"])
def test_missing_folder_is_an_error(photographs, missing, tmp_path):
    settings = translating(photographs, tmp_path, **{missing: None})
    with pytest.raises(InputError, match=f"{missing}: pass it on the command line"):
        translate_photographs(settings, {}, Workspace(tmp_path), {})


@pytest.mark.usefixtures("store")
def test_translation_without_a_trained_model_is_an_error(photographs, tmp_path):
    settings = translating(photographs, tmp_path)
    with pytest.raises(InputError, match="no model is trained for colorization"):
        translate_photographs(settings, {}, Workspace(tmp_path), {})


@pytest.mark.usefixtures("store")
def test_new_champion_is_used_for_translation(photographs, tmp_path):
    """After a promotion in the registry, without a change of code or parameters."""
    pairs = make_pairs(4), make_pairs(2, seed=1)
    settings = translating(photographs / "grey.jpg", tmp_path)
    versions = []
    for seed in (0, 1):
        learnt = make_settings("unet", training__epochs=1, training__seed=seed)
        model = train("unet", learnt, *pairs, tmp_path / f"unet {seed}")
        (replicate,) = model.replicates
        run = describe_training(
            "colorization",
            "unet",
            0,
            learnt,
            replicate.cost,
            TRANSLATION.model_dump(),
        )
        record_finished(replicate.folder, run)
        sent = send_training(replicate.folder)
        tags = {"model": "unet", "replicate": "0", "run": sent.run_id}
        versions.append(
            register("colorization", replicate, run["inference"], sent.model_id, tags)
        )
    made = []
    for version in (versions[0], versions[0], versions[1], versions[0]):
        promote(version)
        outcome = translate_photographs(
            settings, {}, Workspace(tmp_path / "champions"), {}
        )
        made.append((outcome.results[0].status, outcome.results[0].fingerprint))
    assert [status for status, _ in made] == [
        "translated",
        "up to date",
        "translated",
        "translated",
    ]
    assert made[0] == made[3] and made[0][1] != made[2][1]
