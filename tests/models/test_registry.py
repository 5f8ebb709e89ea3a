import pytest
import torch

from image_translation.models import NETWORKS, build_network


@pytest.mark.parametrize("name", NETWORKS)
def test_network_is_built_by_name(name):
    network = build_network(name, 32, 4)
    assert network(torch.zeros(1, 3, 32, 32)).shape == (1, 3, 32, 32)


def test_unknown_name_is_an_error_that_lists_the_known():
    with pytest.raises(ValueError, match="unet, autoencoder, .* not 'vgg'"):
        build_network("vgg", 32, 4)


def test_settings_and_registry_know_the_same_names():
    from typing import get_args

    from image_translation.training.settings import NetworkSettings

    annotation = NetworkSettings.model_fields["name"].annotation
    assert set(get_args(annotation)) == set(NETWORKS)
