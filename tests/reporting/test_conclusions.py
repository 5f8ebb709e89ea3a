from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from image_translation.reporting.conclusions import draw_conclusions, relate
from image_translation.reporting.report_content import ReportContent

OPEN = (
    "undecided (a true difference of 0.5 dB would be found in four cases out of five)"
)
EQUAL = "practically equal (within ±0.25 dB)"
DIFFER = "these trainings differ"
FAILED = "undecided (a training of unet failed)"


def planted(
    content: ReportContent,
    means: dict[str, float],
    verdict: str = "",
    n_groups: int = 20,
) -> ReportContent:
    """A comparison on PSNR alone with these means; no verdict: claim what is ahead."""
    comparison = pd.DataFrame(
        [
            {
                "model": model,
                "metric": "psnr",
                "mean": mean,
                "ci_low": mean - 1,
                "ci_high": mean + 1,
                "n_images": 60,
                "n_groups": n_groups,
                "n_replicates": 1,
                "higher_is_better": True,
            }
            for model, mean in means.items()
        ]
    )
    names = list(means)
    verdicts = pd.DataFrame(
        [
            {
                "model_a": a,
                "model_b": b,
                "metric": "psnr",
                "difference": means[a] - means[b],
                "ci_low": means[a] - means[b] - 0.5,
                "ci_high": means[a] - means[b] + 0.5,
                "p_value": 0.01,
                "p_adjusted": 0.02,
                "win_rate": 0.7,
                "n_groups": n_groups,
                "family": "secondary",
                "verdict": verdict or f"{a if means[a] > means[b] else b} is better",
            }
            for i, a in enumerate(names)
            for b in names[i + 1 :]
        ]
    )
    models = content.models[content.models["model"].isin(names)]
    return replace(content, comparison=comparison, verdicts=verdicts, models=models)


def test_best_model_is_named_first(content):
    conclusions = draw_conclusions(
        planted(content, {"pix2pix": 24, "unet": 26, "copy_input": 20})
    )
    assert conclusions.lead == "Of the 2 trained models, unet has the best mean PSNR."
    assert "unet is better than pix2pix" in conclusions.support[0]


def test_metrics_with_different_winners_are_distinguished(content):
    table = content.comparison.copy()
    won = (table["model"] == "autoencoder") & (table["metric"] == "mse")
    table.loc[won, "mean"] = 0.0
    lead = draw_conclusions(replace(content, comparison=table)).lead
    assert "autoencoder has the best mean MSE" in lead
    assert "unet has the best mean PSNR and SSIM" in lead


def test_equal_means_share_the_first_place(content):
    conclusions = draw_conclusions(
        planted(content, {"pix2pix": 25, "unet": 25, "copy_input": 20})
    )
    assert "pix2pix and unet share the best mean PSNR" in conclusions.lead


def test_trained_model_that_beats_the_copy(content):
    conclusions = draw_conclusions(planted(content, {"unet": 26, "copy_input": 23.5}))
    (unet,) = conclusions.against_copy
    assert unet.tone == "good"
    assert unet.sentence.startswith("Better than copying the input on PSNR (+2.5")
    assert not conclusions.copying_wins


def test_trained_model_that_loses_to_the_copy(content):
    conclusions = draw_conclusions(planted(content, {"unet": 22.4, "copy_input": 23.5}))
    (unet,) = conclusions.against_copy
    assert unet.tone == "bad"
    assert unet.sentence.startswith("Worse than copying the input on PSNR (−1.1")
    assert conclusions.copying_wins
    assert "every trained model on PSNR" in conclusions.copying


@pytest.mark.parametrize(
    ("verdict", "sentence", "copying"),
    [
        (OPEN, "Undecided on PSNR (+0.1", "some of these differences are undecided"),
        (
            EQUAL,
            "Practically equal to copying the input on PSNR (+0.1",
            "some of these differences are undecided",
        ),
        (
            DIFFER,
            "On these photographs this training is ahead of a copy on PSNR (+0.1",
            "another seed may reverse it",
        ),
        (
            FAILED,
            "No verdict, because a training failed, on PSNR (+0.1",
            "gets a verdict",
        ),
    ],
)
def test_lead_over_the_copy_without_a_claim_is_not_a_win(
    content, verdict, sentence, copying
):
    conclusions = draw_conclusions(
        planted(content, {"unet": 23.6, "copy_input": 23.5}, verdict)
    )
    (unet,) = conclusions.against_copy
    assert unet.tone == "open"
    assert unet.sentence.startswith(sentence)
    assert (
        copying in conclusions.copying and "is better than" not in conclusions.copying
    )


@pytest.mark.parametrize(
    ("verdict", "outcome", "sentence"),
    [
        ("unet is better", "better", "unet is better than pix2pix."),
        (DIFFER, "differ", "this training of unet scores better than that of pix2pix"),
        (EQUAL, "equal", "unet is practically equal to pix2pix."),
        (OPEN, "open", "the comparison of unet with pix2pix is undecided."),
        (FAILED, "failed", "a training failed, so there is no verdict on unet and"),
        (
            "undecided (these trainings are practically equal: within ±0.25 dB)",
            "open",
            "the comparison of unet with pix2pix is undecided.",
        ),
        (
            "too few independent photographs",
            "few",
            "there are too few independent photographs to compare unet with pix2pix.",
        ),
    ],
)
def test_every_verdict_has_its_own_phrase(content, verdict, outcome, sentence):
    changed = planted(content, {"unet": 26, "pix2pix": 25.9, "copy_input": 20}, verdict)
    assert relate(changed.verdicts, "unet", "pix2pix", "psnr").outcome == outcome
    assert f"On PSNR, {sentence}" in draw_conclusions(changed).support[0]


def test_copy_that_beats_one_of_two_models_is_reported(content):
    conclusions = draw_conclusions(
        planted(content, {"unet": 26, "pix2pix": 22, "copy_input": 23.5})
    )
    assert conclusions.copying_wins
    assert "pix2pix is worse than a copy of the input" in conclusions.copying


def test_few_photographs_are_explained_with_numbers(content):
    conclusions = draw_conclusions(content)
    assert "24 test images come from 4 independent photographs" in conclusions.few
    assert "fewer than 10" in conclusions.few
    assert all(
        "too few for a claim" in one.sentence for one in conclusions.against_copy
    )
    assert "too few independent photographs to compare unet" in conclusions.support[0]


def test_enough_photographs_give_no_caution(large):
    assert draw_conclusions(large).few == ""


def test_direction_of_a_metric_is_respected(large):
    relation = relate(large.verdicts, "unet", "copy_input", "mse")
    assert relation.difference < 0
    assert relation.outcome == "better"


def test_relation_is_antisymmetric(large):
    one = relate(large.verdicts, "unet", "copy_input", "psnr")
    other = relate(large.verdicts, "copy_input", "unet", "psnr")
    assert (one.outcome, other.outcome) == ("better", "worse")
    assert other.difference == -one.difference
    assert (other.low, other.high) == (-one.high, -one.low)


def test_model_without_scores_is_listed_with_its_reason(large):
    ((model, reason),) = draw_conclusions(large).missing
    assert model == "autoencoder_gan"
    assert reason == "failed: the loss was not a number after epoch 3"


@pytest.mark.parametrize(
    ("kept", "lead"),
    [
        ((), "No trained model has been scored"),
        (("unet",), "Only unet has been trained and scored"),
    ],
)
def test_too_few_models_for_a_comparison(content, kept, lead):
    means = {"copy_input": 23.5} | dict.fromkeys(kept, 25.0)
    assert draw_conclusions(planted(content, means)).lead.startswith(lead)


def test_missing_baseline_is_reported(content):
    conclusions = draw_conclusions(planted(content, {"unet": 26, "pix2pix": 25}))
    assert "copy_input was not run" in conclusions.copying


def test_exact_copies_of_the_target_are_a_caution(content):
    table = content.scores["unet"].copy()
    table.loc[:2, "psnr"] = np.inf
    conclusions = draw_conclusions(
        replace(content, scores={**content.scores, "unet": table})
    )
    assert any(
        "unet equal their target exactly" in text for text in conclusions.cautions
    )


def test_single_training_is_a_caution(content, large):
    assert any("trained once" in text for text in draw_conclusions(content).cautions)
    assert not any("trained once" in text for text in draw_conclusions(large).cautions)


def test_models_trained_once_are_listed(large):
    table = large.comparison.copy()
    table.loc[table["model"] == "unet", "n_replicates"] = 1
    first = draw_conclusions(replace(large, comparison=table)).cautions[0]
    assert first.startswith("unet was trained once.")


def test_scores_of_a_failed_model_are_a_caution(crashed):
    failed, improving = draw_conclusions(crashed).cautions
    assert improving.startswith("pix2pix") and "still improving" in improving
    assert failed.startswith(
        "pix2pix failed: replicate 2: training diverged in epoch 1."
    )
    assert "Its scores are from 2 trainings" in failed and "gets no verdict" in failed


def test_test_images_among_the_training_pairs_are_flagged(content):
    data = replace(content.data, leaks=("in/7.png", "in/9.png"))
    conclusions = draw_conclusions(replace(content, data=data)).cautions[0]
    assert "2 test pairs of the 24" in conclusions
    assert "in/7.png" in conclusions
