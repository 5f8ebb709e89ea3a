import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import image_translation
from image_translation import networks
from image_translation.networks import NETWORKS, build_network


@pytest.mark.parametrize("name", NETWORKS)
def test_network_is_built_by_name(name):
    network = build_network(name, 32, 4)
    assert network(torch.zeros(1, 3, 32, 32)).shape == (1, 3, 32, 32)


def test_unknown_name_is_an_error_that_lists_the_known():
    with pytest.raises(
        ValueError, match="autoencoder, pretrained_unet, unet, .* not 'vgg'"
    ):
        build_network("vgg", 32, 4)


def test_file_of_a_generator_registers_it(tmp_path):
    package = tmp_path / "image_translation"
    shutil.copytree(Path(image_translation.__file__).parent, package)
    (package / "networks/generators/mine.py").write_text(
        "from torch import nn\n\n\n"
        "def build(image_size, base_channels, structure):\n"
        "    return nn.Conv2d(3, 3, 1)\n"
    )
    code = (
        "from image_translation.networks import NETWORKS, build_network\n"
        "assert 'mine' in NETWORKS\n"
        "print(build_network('mine', 32, 4))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout.startswith("Conv2d(3, 3"), result.stderr


def test_names_are_known_without_torch():
    code = "import sys, image_translation.networks; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_exported_name_is_found():
    assert all(hasattr(networks, name) for name in networks.__all__)
    with pytest.raises(AttributeError, match="no attribute 'vgg'"):
        networks.vgg  # noqa: B018
