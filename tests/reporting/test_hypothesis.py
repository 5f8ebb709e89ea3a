import numpy as np
import pandas as pd
import pytest

from image_translation.metrics import HEADLINES
from image_translation.reporting.hypothesis import judge_hypothesis
from image_translation.statistics.comparison import compare_task

BETTER = {"mse": -1, "psnr": 1, "ssim": 1}
SCALE = {"mse": 0.002, "psnr": 1.0, "ssim": 0.02}
MODELS = ("pix2pix", "unet", "autoencoder", "autoencoder_gan")
ALIKE = dict.fromkeys(MODELS, 0.0)
MONET = {
    "pix2pix": (0.0060, 22.49, 0.571),
    "unet": (0.0054, 23.10, 0.607),
    "autoencoder": (0.0065, 22.09, 0.539),
    "autoencoder_gan": (0.0069, 21.82, 0.523),
}
"""Means of MSE, PSNR and SSIM, as the project published them (docs/results.md)."""


def shifted(shifts):
    """Means where a model is better than another by its shift, on every metric."""
    return {
        model: [0.5 + SCALE[m] * BETTER[m] * shift for m in HEADLINES]
        for model, shift in shifts.items()
    }


def judge(means, **options):
    """The hypothesis on scores with these means and little chance."""
    found = compare(means, **options)
    return judge_hypothesis(found.verdicts, found.effects)


def compare(means, groups=30, replicates=2, failed=()):
    chance = np.random.default_rng(0)
    scores = {}
    for model, centres in means.items():
        frames = []
        for replicate in range(replicates):
            frame = pd.DataFrame(
                {
                    "pair_id": [f"{n:016x}" for n in range(groups)],
                    "group": [f"photo-{n}" for n in range(groups)],
                    "replicate": replicate,
                }
            )
            for metric, centre in zip(HEADLINES, centres, strict=True):
                noise = chance.normal(0, 0.1, groups) + chance.normal(0, 0.01)
                frame[metric] = centre + SCALE[metric] * noise
            frames.append(frame)
        scores[model] = pd.concat(frames, ignore_index=True)
    return compare_task(scores, failed=failed)


def test_gan_that_wins_everywhere_confirms_the_hypothesis():
    found = judge(shifted({**ALIKE, "pix2pix": 1, "autoencoder_gan": 1}))
    assert (found.verdict, found.tone) == ("confirmed", "good")
    assert found.sentence.startswith("By itself, the adversarial loss improves MSE (−")
    assert "PSNR (+1.0" in found.sentence
    study = found.causes[-1]
    assert "pix2pix is better than autoencoder on MSE" in study
    assert study.endswith(", because of the adversarial loss.")


def test_gan_that_loses_refutes_the_hypothesis():
    found = judge(shifted({**ALIKE, "pix2pix": -1, "autoencoder_gan": -1}))
    assert (found.verdict, found.tone) == ("refuted", "bad")
    assert "the adversarial loss harms MSE (+" in found.sentence
    assert "pix2pix is worse than autoencoder on MSE" in found.causes[-1]
    assert found.causes[-1].endswith(", because of the adversarial loss.")


def test_win_of_the_architecture_is_not_a_win_of_the_gan():
    found = judge(shifted({**ALIKE, "pix2pix": 1, "unet": 1}))
    assert found.verdict not in ("confirmed", "confirmed in part", "refuted")
    architecture, study = found.causes
    assert "the U-Net instead of the encoder–decoder improves MSE" in architecture
    assert study.endswith(", because of the architecture.")


def test_published_numbers_of_monet_refute_the_hypothesis():
    found = judge(MONET)
    assert (found.verdict, found.tone) == ("refuted", "bad")
    assert "the adversarial loss harms MSE" in found.sentence
    architecture, study = found.causes
    assert "improves MSE" in architecture
    assert "pix2pix is better than autoencoder on MSE" in study
    assert "PSNR (+0.39" in study and "SSIM (+0.03" in study
    assert study.endswith(", because of the architecture.")


def test_cause_is_given_for_the_metrics_it_explains():
    means = shifted(ALIKE)
    means["pix2pix"][1] += 1
    means["unet"][1] += 1
    means["pix2pix"][2] += 0.02
    means["autoencoder_gan"][2] += 0.02
    study = judge(means).causes[-1]
    _, psnr, ssim = study.split("; ")
    assert "PSNR" in psnr and psnr.endswith("because of the architecture")
    assert "SSIM" in ssim and ssim.endswith("because of the adversarial loss.")


def test_win_on_one_metric_confirms_the_hypothesis_in_part():
    means = shifted(ALIKE)
    for model in ("pix2pix", "autoencoder_gan"):
        means[model][1] += 1
    assert judge(means).verdict == "confirmed in part"


def test_equal_models_do_not_confirm_the_hypothesis():
    found = judge(shifted(ALIKE), groups=60)
    assert found.verdict == "practically no effect"
    assert "has practically no effect on MSE" in found.sentence


def test_one_training_gives_a_direction_but_no_decision():
    means = shifted({**ALIKE, "pix2pix": 1, "autoencoder_gan": 1})
    means["pix2pix"][2] -= 0.1
    means["autoencoder_gan"][2] -= 0.1
    found = judge(means, replicates=1)
    assert (found.verdict, found.tone) == ("not decided", "open")
    better, worse = found.sentence.split("; it ")
    assert "gave better scores in these trainings" in better and "PSNR (+" in better
    assert "gave worse scores in these trainings" in worse and "SSIM (−" in worse
    assert "ahead of autoencoder, in these trainings, on MSE" in found.causes[-1]
    assert "because" not in found.causes[-1]


def test_few_photographs_give_no_decision():
    found = judge(shifted({**ALIKE, "pix2pix": 1}), groups=5)
    assert found.verdict == "not decided"
    assert "cannot be judged with so few independent photographs" in found.sentence
    study = found.causes[-1]
    assert "ahead of autoencoder, with few photographs, on MSE" in study
    assert "because" not in study


def test_failed_training_gives_no_decision():
    means = shifted({**ALIKE, "pix2pix": 1, "autoencoder_gan": 1})
    found = judge(means, failed=["pix2pix"])
    assert found.verdict == "not decided"
    assert "has no verdict, because a training failed, on MSE" in found.sentence
    assert "with a failed training, on MSE" in found.causes[-1]


def test_equal_scores_are_reported(groups=5):
    found = judge(dict.fromkeys(MODELS, (0.5, 20.0, 0.5)), groups=groups)
    assert "pix2pix is" in found.causes[-1]


@pytest.mark.parametrize(
    ("lost", "has_causes"),
    [("pix2pix", False), ("autoencoder", False), ("unet", True)],
)
def test_missing_model_leaves_the_hypothesis_untested(lost, has_causes):
    found = judge({m: c for m, c in shifted(ALIKE).items() if m != lost})
    assert (found.verdict, found.tone) == ("not tested", "open")
    assert bool(found.causes) == has_causes
