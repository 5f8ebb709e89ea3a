import pandas as pd

from image_translation.reporting.tuning import tuning_history, tuning_importance

TRIALS = pd.DataFrame(
    {
        "model": ["unet"] * 4,
        "trial": range(4),
        "state": ["complete", "failed", "pruned", "complete"],
        "metric": ["mse"] * 4,
        "score": [0.3, None, 0.1, 0.2],
        "training.beta1": [0.5, 0.9, 0.5, 0.9],
    }
)


def test_history_shows_scores_and_the_best_so_far():
    dots, line = tuning_history(TRIALS).data
    assert list(dots.x) == [0, 2, 3] and list(dots.y) == [0.3, 0.1, 0.2]
    assert list(line.y) == [0.3, 0.2]  # a pruned trial is no result
    assert "training.beta1: 0.9" in dots.text[2]


def test_importance_has_a_bar_for_each_model_and_parameter():
    shares = {"unet": {"a": 0.2, "b": 0.8}, "pix2pix": {"a": 1.0}}
    unet, pix2pix = tuning_importance(shares).data
    assert list(unet.y) == ["b", "a"] and list(unet.x) == [0.8, 0.2]
    assert list(pix2pix.x) == [0, 1.0]


def test_importance_without_data_has_a_note():
    (note,) = tuning_importance({"unet": {}}).layout.annotations
    assert "Too few" in note.text
