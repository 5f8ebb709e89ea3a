import numpy as np
import pandas as pd
import pytest

from image_translation.metrics import HEADLINES, compare_effects, compare_pairs
from image_translation.reporting.hypothesis import judge_hypothesis

BETTER = {"mse": -1, "psnr": 1, "ssim": 1}
SCALE = {"mse": 0.002, "psnr": 1.0, "ssim": 0.02}
MODELS = ("pix2pix", "unet", "autoencoder", "autoencoder_gan")
ALIKE = dict.fromkeys(MODELS, 0.0)


def judge(shifts, groups=30, metrics=HEADLINES):
    """Scores where a model is better than another by its shift, on every metric."""
    chance = np.random.default_rng(0)
    scores = {}
    for model, shift in shifts.items():
        frame = pd.DataFrame(
            {
                "pair_id": [f"{n:016x}" for n in range(groups)],
                "group": [f"photo-{n}" for n in range(groups)],
                "replicate": 0,
            }
        )
        for metric in metrics:
            better = BETTER[metric] * (shift + chance.normal(0, 0.1, groups))
            frame[metric] = 0.5 + SCALE[metric] * better
        scores[model] = frame
    return judge_hypothesis(compare_pairs(scores), compare_effects(scores))


def test_gan_that_wins_everywhere_confirms_it():
    found = judge({**ALIKE, "pix2pix": 1, "autoencoder_gan": 1})
    assert (found.verdict, found.tone) == ("confirmed", "good")
    assert "PSNR (+1.0" in found.sentence
    adversarial = next(c for c in found.causes if "the adversarial loss" in c)
    assert "improves MSE" in adversarial


def test_gan_that_loses_refutes_it():
    found = judge({**ALIKE, "pix2pix": -1})
    assert (found.verdict, found.tone) == ("refuted", "bad")
    assert "pix2pix is worse than autoencoder on MSE" in found.sentence


def test_win_of_the_architecture_is_not_the_gans():
    found = judge({**ALIKE, "pix2pix": 1, "unet": 1})
    assert found.verdict == "confirmed"
    architecture, adversarial = found.causes
    assert "improves" in architecture
    assert "has no effect that was found" in adversarial


def test_no_difference_decides_nothing():
    assert judge(ALIKE).verdict == "not decided"


def test_few_photographs_decide_nothing():
    found = judge({**ALIKE, "pix2pix": 1}, groups=5)
    assert found.verdict == "not decided"
    assert "pix2pix is ahead of autoencoder on MSE" in found.sentence
    assert "too few independent photographs" in found.sentence
    assert found.causes == []


@pytest.mark.parametrize("lost", ["pix2pix", "autoencoder"])
def test_missing_model_leaves_it_untested(lost):
    shifts = {model: 0.0 for model in MODELS if model != lost}
    found = judge(shifts)
    assert found.verdict == "not tested"
    assert found.causes == ()
