import subprocess
import sys

import pytest
from pydantic import ValidationError

from tests.training.conftest import make_settings


def test_network_without_a_loss_is_an_error():
    with pytest.raises(ValidationError, match="set objective.l1 or"):
        make_settings("unet", objective__l1=0)


def test_baseline_ignores_the_objective():
    assert not make_settings("copy_input", objective__l1=1).is_trainable


@pytest.mark.parametrize(
    ("model", "is_trainable"), [("pix2pix", True), ("mean_target", False)]
)
def test_baselines_are_not_trainable(model, is_trainable):
    assert make_settings(model).is_trainable is is_trainable


def test_describing_models_does_not_import_torch():
    modules = ", ".join(
        f"image_translation.training{name}"
        for name in ("", ".settings", ".trained", ".observer")
    )
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_functions_are_found_even_after_their_modules_were_imported():
    import image_translation.training.loop
    import image_translation.training.replicates  # noqa: F401
    from image_translation import training

    assert all(callable(getattr(training, name)) for name in training.__all__)


def test_features_without_a_discriminator_are_an_error():
    with pytest.raises(
        ValidationError, match="feature_matching needs .* set adversarial"
    ):
        make_settings("unet", objective__feature_matching=10)


@pytest.mark.parametrize("term", ["l2", "ms_ssim", "focal_frequency"])
def test_any_loss_is_enough(term):
    settings = make_settings("unet", **{"objective__l1": 0, f"objective__{term}": 1})
    assert settings.objective.logged_losses == ["l1", term]


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("unet", "1 × L1"),
        ("pix2pix", "1 × adversarial + 100 × L1"),
        ("compared", "1 × L1 + 1 × L2 + 1 × MS-SSIM + 1 × focal frequency"),
    ],
)
def test_objective_is_described_as_a_weighted_sum(model, expected):
    assert make_settings(model).objective.describe() == expected


@pytest.mark.parametrize(
    ("changes", "image_size", "expected"),
    [
        ({"network__levels": 5}, 32, []),
        ({"network__levels": 6}, 32, ["network.levels"]),
        ({"network__levels": 6}, 64, []),
        ({"network__levels": 9, "objective__scales": 4}, 64, ["network.levels"]),
    ],
)
def test_parameters_that_do_not_suit_the_size_are_named(changes, image_size, expected):
    found = list(make_settings("pix2pix", **changes).find_unsuitable(image_size))
    assert len(found) == len(expected)
    for (name, problem), start in zip(found, expected, strict=True):
        assert name.startswith(start)
        assert f"{image_size} pixels" in problem


def test_baseline_suits_any_size():
    settings = make_settings("copy_input", network__levels=9)
    assert not list(settings.find_unsuitable(32))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("colour|cutout", ("colour", "cutout")), ("null", ()), (None, ())],
)
def test_changes_of_the_discriminators_view_are_separated_by_bars(text, expected):
    assert (
        make_settings(objective__diff_augment=text).objective.diff_augment == expected
    )


def test_unknown_change_is_named_with_the_known_ones():
    with pytest.raises(
        ValueError, match="unknown change 'blur'; known are colour, tran"
    ):
        make_settings(objective__diff_augment="blur")
