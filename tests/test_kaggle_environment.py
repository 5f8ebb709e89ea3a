"""The environment ``kaggle``: every task's data set in its layout there."""

import struct

import numpy as np
import pytest

from image_translation.config.parameters import LayeredConfigLoader
from image_translation.pairing.manifest import USED
from image_translation.pairing.split import split_pairs
from image_translation.pipeline_registry import MODELS
from image_translation.sources import open_source
from tests.conftest import PROJECT
from tests.pairing.helpers import list_pairs, write

FACES = "face2comics_v1.0.0_by_Sxela/face2comics_v1.0.0_by_Sxela"
MONET = "monet_style_dataset/monet_style_dataset"
LAYOUTS = {
    "colorization": [("landscape Images/gray", "landscape Images/color")],
    "monet": [
        (f"{MONET}_{part}/original_{part}", f"{MONET}_{part}/stylized_{part}")
        for part in "AB"
    ],
    "cartoon": [(f"{FACES}/face", f"{FACES}/comics")],
}


@pytest.fixture(scope="module")
def parameters():
    loader = LayeredConfigLoader(
        str(PROJECT / "conf"), env="kaggle", base_env="base", default_run_env="local"
    )
    return loader["parameters"]


@pytest.mark.parametrize("task", LAYOUTS)
def test_every_pair_of_the_layout_is_found(task, parameters, tmp_path):
    folders = LAYOUTS[task]
    for number, (inputs, targets) in enumerate(folders):
        for name in range(3):
            write(tmp_path / inputs / f"{name}.jpg", 10 * number + name)
            write(tmp_path / targets / f"{name}.jpg", 100 + 10 * number + name)
    write(tmp_path / FACES / "samples/1.jpg", 999)
    pairing = parameters[task].pairing
    manifest = list_pairs(open_source(str(tmp_path), tmp_path / "raw"), pairing)
    assert (manifest["verdict"] == USED).all()
    assert len(manifest) == 3 * len(folders)


def test_mnist_is_split_as_it_came(parameters, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (30, 28, 28), dtype=np.uint8)
    for name, some in (("train", images[:24]), ("t10k", images[24:])):
        head = struct.pack(">HBB3I", 0, 8, 3, *some.shape)
        (tmp_path / f"{name}-images.idx3-ubyte").write_bytes(head + some.tobytes())
    block = parameters["hidden_digits"]
    source = open_source(str(tmp_path), tmp_path / "raw")
    pairs = list_pairs(source, block.pairing)
    split, _ = split_pairs(pairs, None, block.splitting, source)
    test = split[split["split"] == "test"]
    assert len(test) == 6
    assert test["input"].str.startswith("t10k/").all()


@pytest.mark.parametrize("task", LAYOUTS)
@pytest.mark.parametrize(
    "model", sorted(set(MODELS) - {"residual_unet", "pretrained_unet", "vivid_unet"})
)
def test_the_settings_are_those_published(task, model, parameters):
    block = parameters[task]
    assert block.source.startswith("kaggle:")
    assert block.preparation.image_size == 256
    assert block.models[model].network.base_channels == 64
    assert block.models[model].training.batch_size == 1
    assert block.models[model].training.epochs == 200
