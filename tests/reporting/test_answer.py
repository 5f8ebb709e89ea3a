from image_translation.reporting.answer import short_answer
from image_translation.statistics.comparison import TaskResults
from tests.reporting.examples import make_content
from tests.reporting.test_hypothesis import ALIKE, compare, shifted


def answer_of(content):
    return short_answer(
        TaskResults(content.comparison, content.verdicts, content.effects)
    )


def test_established_best_model_is_named_with_its_lead():
    results = compare(shifted({**ALIKE, "unet": 2, "pix2pix": 1}))
    best = short_answer(results).best.replace("\u00a0", " ")
    assert best.startswith("unet is best: PSNR ")
    assert "0.99 dB more than pix2pix, the next best." in best
    assert best.endswith("Established: better than every other model.")


def test_win_with_two_causes_is_not_an_effect_of_the_adversarial_loss():
    results = compare(shifted({**ALIKE, "pix2pix": 1, "unet": 1}))
    answer = short_answer(results)
    assert "Not established: " in answer.best
    assert "improves" not in answer.adversarial
    assert "confirmed" not in str(answer)


def test_effect_of_the_adversarial_loss_is_named_by_itself():
    results = compare(shifted({**ALIKE, "pix2pix": -1, "autoencoder_gan": -1}))
    said = short_answer(results).adversarial
    assert said.startswith("By itself, the adversarial loss harms MSE (+")
    assert " to " not in said  # intervals are in the report


def test_reason_why_the_best_is_not_established_is_named(content, once):
    assert "too few independent photographs (4)" in answer_of(content).best
    said = answer_of(once).best
    assert "Not established: another seed may reverse the comparison with" in said


def test_other_leaders_are_named(content):
    table = content.comparison.set_index(["model", "metric"])
    table.loc[("autoencoder", "ssim"), "mean"] = 1.0
    results = TaskResults(table.reset_index(), content.verdicts, content.effects)
    assert "autoencoder has the best mean SSIM." in short_answer(results).best


def test_baseline_that_wins_leaves_no_best_model(content):
    table = content.comparison.set_index(["model", "metric"])
    table.loc[("copy_input", "psnr"), "mean"] = 99.0
    results = TaskResults(table.reset_index(), content.verdicts, content.effects)
    answer = short_answer(results)
    assert answer.best.startswith("No trained model is better than copy_input: ")
    trained = table.drop(index=["copy_input", "mean_target"], level="model")
    means = trained["mean"].xs("psnr", level="metric")
    assert answer.model == means.idxmax()
    assert f"is {99 - means.max():.2f}\u00a0dB PSNR behind it." in answer.best


def answer_with_open(content, *models):
    """The answer if unet, the best, is undecided against some models."""
    pairs = content.verdicts[["model_a", "model_b"]]
    is_open = pairs.isin(models).any(axis=1) & pairs.isin(["unet"]).any(axis=1)
    verdicts = content.verdicts.assign(verdict="unet is better")
    verdicts.loc[is_open, "verdict"] = "undecided"
    return short_answer(TaskResults(content.comparison, verdicts, content.effects))


def test_open_models_are_named(content):
    others = set(content.comparison["model"]) - {"unet"}
    assert (
        "undecided against every other model."
        in answer_with_open(content, *others).best
    )
    answer = answer_with_open(content, "pix2pix", "autoencoder")
    assert "Not established: undecided against pix2pix and autoencoder." in answer.best
    assert answer.outcomes["pix2pix"] == "open"
    assert answer.outcomes["copy_input"] == "better"


def test_no_trained_model_is_no_answer():
    trained = ["pix2pix", "unet", "autoencoder", "autoencoder_gan"]
    answer = answer_of(make_content(without=trained))
    assert answer.best == "No trained model has been scored."
    assert "needed to separate the effect" in answer.adversarial
