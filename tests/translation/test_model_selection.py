from dataclasses import replace

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


def write_psnr(replicate, value):
    history = replicate.history()
    history["validation/psnr"] = value
    history.to_csv(replicate.folder / "history.csv", index=False)


def test_best_on_validation_is_used_without_a_champion(trained, caplog):
    caplog.set_level("INFO")
    for model, values in {"unet": (5, 9), "autoencoder": (8,)}.items():
        for replicate, value in zip(trained[model].replicates, values, strict=True):
            write_psnr(replicate, value)
    (chosen,) = choose_trained("monet", "champion", trained).items()
    assert chosen == ("unet", trained["unet"].replicates[1])
    assert "monet has no champion yet: using unet" in caplog.text
    write_psnr(trained["autoencoder"].replicates[0], 10)
    assert list(choose_trained("monet", "champion", trained)) == ["autoencoder"]


def test_lower_error_is_better(trained):
    (replicate,) = trained["autoencoder"].replicates
    by_mse = replace(replicate, config={**replicate.config, "select_by": "mse"})
    other = {"autoencoder": replace(trained["autoencoder"], replicates=(by_mse,))}
    from image_translation.translation.model_selection import validation_rank

    history = by_mse.history()
    assert validation_rank(by_mse, "mse") == -history["validation/mse"].iloc[-1]
    assert choose_trained("monet", "champion", other)


@pytest.mark.parametrize(
    ("criteria", "best"),
    [
        (("swd", "swd"), "unet"),  # the same for both
        (("swd", "psnr"), "autoencoder"),  # not comparable: by PSNR
        (("last", "last"), "autoencoder"),  # no metric at all: by PSNR
    ],
)
def test_models_are_compared_by_one_metric(trained, tmp_path, criteria, best):
    values = {"unet": (10, 20), "autoencoder": (12, 30)}
    models = {}
    for (name, (psnr, swd)), select_by in zip(values.items(), criteria, strict=True):
        folder = tmp_path / name
        folder.mkdir()
        replicate = trained[name].replicates[0]
        history = replicate.history()
        history["validation/psnr"], history["validation/swd"] = psnr, swd
        history.to_csv(folder / "history.csv", index=False)
        config = {**replicate.config, "select_by": select_by}
        changed = replace(replicate, folder=folder, config=config)
        models[name] = replace(trained[name], replicates=(changed,))
    assert list(choose_trained("monet", "champion", models)) == [best]


def test_all_selects_the_trained_models(trained):
    assert list(choose_trained("monet", "all", trained)) == ["unet", "autoencoder"]


def test_given_model_can_be_a_baseline(trained):
    assert list(choose_trained("monet", "copy_input", trained)) == ["copy_input"]


@pytest.mark.parametrize("wanted", ["pix2pix", "nonsense"])
def test_untrained_model_is_an_error(trained, wanted):
    with pytest.raises(InputError, match=f"no trained {wanted} for monet, only unet"):
        choose_trained("monet", wanted, trained)


@pytest.mark.parametrize("wanted", ["all", "champion"])
def test_no_trained_model_is_an_error(wanted):
    with pytest.raises(InputError, match="kedro run --pipeline=monet"):
        choose_trained("monet", wanted, {})
