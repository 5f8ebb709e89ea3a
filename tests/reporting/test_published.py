"""What of a run is not as published."""

from image_translation.common.schema import flatten
from image_translation.config.parameters import LayeredConfigLoader
from image_translation.reporting.published import (
    NETWORKS,
    PUBLISHED,
    differences,
    shared_differences,
)
from image_translation.training.settings import ModelSettings
from tests.conftest import PROJECT

CONF = PROJECT / "conf"


def settings_of(environment="base", task="colorization"):
    loader = LayeredConfigLoader(
        str(CONF), env=environment, base_env="base", default_run_env="base"
    )
    return flatten(loader["parameters"][task].model_dump())


def found(settings, model):
    return {d.setting: (d.here, d.published) for d in differences(settings, model)}


def as_published(model):
    """All settings of a model with their published values."""
    settings = {"preparation.image_size": 256}
    for name, published in PUBLISHED.items():
        if not name.startswith("preparation."):
            settings[f"{model}.{name}"] = published.values[0]
    return settings


def test_every_published_setting_exists():
    known = {
        f"{block}.{name}"
        for block, field in ModelSettings.model_fields.items()
        if block not in ("enabled", "ensemble")
        for name in field.annotation.model_fields
    }
    assert set(PUBLISHED) - known == {"preparation.image_size"}


def test_defaults_differ_in_size_width_and_training():
    rows = found(settings_of(), "pix2pix")
    assert rows["preparation.image_size"] == ("128", "256")
    assert rows["network.base_channels"] == ("32", "64")
    assert rows["objective.discriminator_channels"] == ("32", "64")
    assert rows["training.batch_size"] == ("16", "1, or 4 for large data sets")
    assert rows["training.schedule"] == ("constant", "constant, then linear to zero")
    assert rows["inference.dropout"] == ("off", "on")
    assert not {"objective.l1", "training.learning_rate", "training.jitter"} & set(rows)


def test_models_have_only_their_own_settings():
    autoencoder = found(settings_of(), "autoencoder")
    assert "network.base_channels" in autoencoder
    # no discriminator, no dropout, and no weight that L1 alone could have
    assert not any(
        name.startswith("objective.") or name.endswith(".dropout")
        for name in autoencoder
    )
    assert found(settings_of(), "residual_unet") == {}


def test_environment_with_the_published_settings_differs_in_few():
    rows = found(settings_of("kaggle"), "pix2pix")
    assert set(rows) == {
        "training.select_by",
        "inference.dropout",
        "inference.batch_statistics",
    }


def test_published_settings_do_not_differ():
    for model in NETWORKS:
        assert differences(as_published(model), model) == []
    rounded = as_published("unet") | {"unet.training.jitter": 1.117}
    assert differences(rounded, "unet") == []


def test_changed_setting_is_found_under_a_tasks_name_too():
    settings = {f"monet.{name}": v for name, v in as_published("pix2pix").items()}
    settings["monet.pix2pix.objective.l1"] = 10.0
    settings["monet.pix2pix.training.ema"] = 0.999
    assert found(settings, "pix2pix") == {
        "objective.l1": ("10", "100"),
        "training.ema": ("0.999", "none"),
    }


def test_same_difference_of_all_models_names_none():
    settings = as_published("unet") | as_published("pix2pix")
    settings["preparation.image_size"] = 64
    settings["unet.training.epochs"] = 12
    image_size, epochs = shared_differences(
        settings, ["unet", "pix2pix", "residual_unet"]
    )
    assert (image_size.difference.here, image_size.models) == ("64", ())
    assert (epochs.difference.here, list(epochs.models)) == ("12", ["unet"])
