from dataclasses import replace

import pandas as pd
import pytest

from image_translation.common.errors import InputError
from image_translation.training import train
from image_translation.translation.model_selection import choose_trained
from tests.training.conftest import make_pairs, make_settings


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model with two replicates, a second one, a baseline and one that did not run."""
    folder = tmp_path_factory.mktemp("models")
    pairs = make_pairs(4), make_pairs(2, seed=1)
    settings = {
        "unet": make_settings("unet", training__epochs=1, training__replicates=2),
        "autoencoder": make_settings("autoencoder", training__epochs=1),
        "copy_input": make_settings("copy_input"),
        "pix2pix": make_settings("pix2pix", enabled=False),
    }
    return {
        name: train(name, setting, *pairs, folder / name)
        for name, setting in settings.items()
    }


def write_curves(replicate, **curves):
    """Give a replicate a history of its own."""
    values = {f"validation/{name}": curve for name, curve in curves.items()}
    history = pd.DataFrame({"epoch": range(1, 1 + len(curves["psnr"])), **values})
    history.to_csv(replicate.folder / "history.csv", index=False)


def write_values(trained, unet, autoencoder):
    """Give every replicate a constant PSNR, and an MSE of the same order."""
    for model, values in {"unet": unet, "autoencoder": autoencoder}.items():
        for replicate, value in zip(trained[model].replicates, values, strict=True):
            write_curves(replicate, psnr=[value], mse=[value / 100])


def test_best_on_validation_is_used_without_a_champion(trained, caplog):
    caplog.set_level("INFO")
    write_values(trained, unet=(5, 13), autoencoder=(8,))
    (chosen,) = choose_trained("monet", "champion", trained, "psnr").items()
    assert chosen == ("unet", trained["unet"].replicates[1])
    assert "monet has no champion yet: using unet" in caplog.text


def test_baseline_that_is_ahead_is_a_warning(trained, caplog):
    write_values(trained, unet=(18, 18), autoencoder=(5,))
    write_curves(trained["copy_input"].replicates[0], psnr=[18], mse=[0.2])
    choose_trained("monet", "champion", trained, "psnr")
    assert "copy_input is as good as or better than unet" in caplog.text
    caplog.clear()
    write_curves(trained["copy_input"].replicates[0], psnr=[17.9], mse=[0.2])
    choose_trained("monet", "champion", trained, "psnr")
    assert "Nothing is worth using yet" not in caplog.text


def test_best_model_is_the_best_on_average(trained):
    write_values(trained, unet=(5, 13), autoencoder=(10,))
    assert list(choose_trained("monet", "champion", trained, "psnr")) == ["autoencoder"]


def test_lower_error_is_better(trained):
    write_values(trained, unet=(5, 13), autoencoder=(10,))
    (chosen,) = choose_trained("monet", "champion", trained, "mse").items()
    assert chosen == ("unet", trained["unet"].replicates[0])


def test_last_epochs_decide(trained):
    write_values(trained, unet=(20, 20), autoencoder=(0,))
    write_curves(trained["autoencoder"].replicates[0], psnr=[1, 21, 22, 23])
    assert list(choose_trained("monet", "champion", trained, "psnr")) == ["autoencoder"]


def test_failed_model_is_used_only_by_name(trained):
    write_values(trained, unet=(5, 6), autoencoder=(10,))
    failed = replace(trained["autoencoder"], status="failed")
    models = {**trained, "autoencoder": failed}
    assert list(choose_trained("monet", "champion", models, "psnr")) == ["unet"]
    assert choose_trained("monet", "autoencoder", models, "psnr")


def test_all_selects_the_trained_models(trained):
    assert list(choose_trained("monet", "all", trained, "psnr")) == [
        "unet",
        "autoencoder",
    ]


def test_given_model_can_be_a_baseline(trained):
    assert list(choose_trained("monet", "copy_input", trained, "psnr")) == [
        "copy_input"
    ]


def test_error_says_how_to_make_an_ensemble(trained):
    with pytest.raises(InputError, match=r"--params models\.unet\.ensemble=true"):
        choose_trained("monet", "unet_ensemble", trained, "psnr")


@pytest.mark.parametrize("wanted", ["pix2pix", "nonsense"])
def test_untrained_model_is_an_error(trained, wanted):
    with pytest.raises(InputError, match=f"no trained {wanted} for monet, only unet"):
        choose_trained("monet", wanted, trained, "psnr")


@pytest.mark.parametrize("wanted", ["all", "champion"])
def test_no_trained_model_is_an_error(wanted):
    with pytest.raises(InputError, match="kedro run --pipeline=monet"):
        choose_trained("monet", wanted, {}, "psnr")


def test_error_says_how_to_switch_an_optional_model_on(trained):
    with pytest.raises(InputError, match=r"--params monet\.vivid_unet\.enabled=true"):
        choose_trained("monet", "vivid_unet", trained, "psnr")
