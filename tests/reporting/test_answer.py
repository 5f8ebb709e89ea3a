from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from image_translation.reporting.answer import answer, relate
from image_translation.reporting.content import ReportContent

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
    told = answer(planted(content, {"pix2pix": 24, "unet": 26, "copy_input": 20}))
    assert told.lead == "Of the 2 trained models, unet has the best mean PSNR."
    assert "unet is better than pix2pix" in told.support[0]


def test_metrics_with_different_winners_are_told_apart(content):
    table = content.comparison.copy()
    won = (table["model"] == "autoencoder") & (table["metric"] == "mse")
    table.loc[won, "mean"] = 0.0
    lead = answer(replace(content, comparison=table)).lead
    assert "autoencoder has the best mean MSE" in lead
    assert "unet has the best mean PSNR and SSIM" in lead


def test_equal_means_share_the_first_place(content):
    told = answer(planted(content, {"pix2pix": 25, "unet": 25, "copy_input": 20}))
    assert "pix2pix and unet share the best mean PSNR" in told.lead


def test_trained_model_that_beats_the_copy(content):
    told = answer(planted(content, {"unet": 26, "copy_input": 23.5}))
    (unet,) = told.against_copy
    assert unet.tone == "good"
    assert unet.sentence.startswith("Better than copying the input on PSNR (+2.5")
    assert not told.copying_wins


def test_trained_model_that_loses_to_the_copy(content):
    told = answer(planted(content, {"unet": 22.4, "copy_input": 23.5}))
    (unet,) = told.against_copy
    assert unet.tone == "bad"
    assert unet.sentence.startswith("Worse than copying the input on PSNR (−1.1")
    assert told.copying_wins
    assert "every trained model on every metric" in told.copying


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
        (FAILED, "No verdict, as a training failed, on PSNR (+0.1", "gets a verdict"),
    ],
)
def test_lead_over_the_copy_without_a_claim_is_no_victory(
    content, verdict, sentence, copying
):
    told = answer(planted(content, {"unet": 23.6, "copy_input": 23.5}, verdict))
    (unet,) = told.against_copy
    assert unet.tone == "open"
    assert unet.sentence.startswith(sentence)
    assert copying in told.copying and "is better than" not in told.copying


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
def test_verdict_is_told_in_its_own_words(content, verdict, outcome, sentence):
    changed = planted(content, {"unet": 26, "pix2pix": 25.9, "copy_input": 20}, verdict)
    assert relate(changed.verdicts, "unet", "pix2pix", "psnr").outcome == outcome
    assert f"On PSNR, {sentence}" in answer(changed).support[0]


def test_copy_that_beats_one_of_two_models_is_told(content):
    told = answer(planted(content, {"unet": 26, "pix2pix": 22, "copy_input": 23.5}))
    assert told.copying_wins
    assert "pix2pix scores no better than a plain copy" in told.copying


def test_few_photographs_are_explained_with_numbers(content):
    told = answer(content)
    assert "24 test images come from 4 independent photographs" in told.few
    assert "fewer than 10" in told.few
    assert all("too few to say more" in one.sentence for one in told.against_copy)
    assert "too few independent photographs to compare unet" in told.support[0]


def test_enough_photographs_are_not_called_few(large):
    assert answer(large).few == ""


def test_lower_is_better_is_read_the_right_way_round(large):
    relation = relate(large.verdicts, "unet", "copy_input", "mse")
    assert relation.difference < 0
    assert relation.outcome == "better"


def test_relation_is_the_same_from_both_sides(large):
    one = relate(large.verdicts, "unet", "copy_input", "psnr")
    other = relate(large.verdicts, "copy_input", "unet", "psnr")
    assert (one.outcome, other.outcome) == ("better", "worse")
    assert other.difference == -one.difference
    assert (other.low, other.high) == (-one.high, -one.low)


def test_model_without_scores_is_named_with_its_reason(large):
    ((model, reason),) = answer(large).missing
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
    assert answer(planted(content, means)).lead.startswith(lead)


def test_missing_baseline_is_told(content):
    told = answer(planted(content, {"unet": 26, "pix2pix": 25}))
    assert "copy_input was not run" in told.copying


def test_exact_copies_of_the_target_raise_suspicion(content):
    table = content.scores["unet"].copy()
    table.loc[:2, "psnr"] = np.inf
    told = answer(replace(content, scores={**content.scores, "unet": table}))
    assert any("unet equal their target exactly" in text for text in told.cautions)


def test_single_training_is_a_caution(content, large):
    assert any("trained once" in text for text in answer(content).cautions)
    assert not any("trained once" in text for text in answer(large).cautions)


def test_models_that_alone_were_trained_once_are_named(large):
    table = large.comparison.copy()
    table.loc[table["model"] == "unet", "n_replicates"] = 1
    first = answer(replace(large, comparison=table)).cautions[0]
    assert first.startswith("unet was trained once.")


def test_scores_of_a_model_that_failed_are_a_caution(crashed):
    (told,) = answer(crashed).cautions
    assert told.startswith("pix2pix failed: replicate 2: training diverged in epoch 1.")
    assert "Its scores are of 2 trainings" in told and "gets no verdict" in told


def test_test_images_among_the_training_pairs_are_flagged(content):
    data = replace(content.data, leaks=("in/7.png", "in/9.png"))
    told = answer(replace(content, data=data)).cautions[0]
    assert "2 test pairs of the 24" in told
    assert "in/7.png" in told
