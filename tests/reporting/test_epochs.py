"""Chosen epochs, those that were not chosen, and convergence."""

from dataclasses import replace

import pandas as pd
import pytest

from image_translation.reporting import formatting
from image_translation.reporting.epochs import (
    convergence,
    describe_improving,
    epoch_rows,
)


def history(psnr, swd, replicate=0, adversarial=True):
    return pd.DataFrame(
        {
            "replicate": replicate,
            "epoch": range(1, len(psnr) + 1),
            "train/adversarial": 1.0 if adversarial else float("nan"),
            "validation/psnr": psnr,
            "validation/swd": swd,
        }
    )


@pytest.fixture
def with_histories(content):
    def change(histories, best, select_by="psnr"):
        models = pd.DataFrame(
            {"model": list(best), "best_epoch": list(best.values())}, dtype=object
        )
        settings = {f"task.{m}.training.select_by": select_by for m in best}
        return replace(content, histories=histories, models=models, settings=settings)

    return change


def summarize(rows):
    return [(r.training, r.epoch, r.criteria, r.is_chosen) for r in rows]


def test_selected_epoch_is_listed_with_the_most_realistic_one(with_histories):
    content = with_histories(
        {"pix2pix": history([18.0, 19.4, 19.2], [170, 152, 130])}, {"pix2pix": "2"}
    )
    rows = epoch_rows(content)
    assert summarize(rows) == [
        ("0", "2", "chosen (PSNR), best PSNR", True),
        ("0", "3", "best SWD", False),
    ]
    assert [row.psnr for row in rows] == [
        formatting.value("psnr", v) for v in (19.4, 19.2)
    ]
    assert [row.swd for row in rows] == [formatting.value("swd", v) for v in (152, 130)]


def test_last_epoch_is_listed_with_both_criteria(with_histories):
    content = with_histories(
        {"pix2pix": history([19.0, 18.5, 18.0], [150, 100, 120])},
        {"pix2pix": "3"},
        select_by="last",
    )
    assert summarize(epoch_rows(content)) == [
        ("0", "3", "chosen (last)", True),
        ("0", "1", "best PSNR", False),
        ("0", "2", "best SWD", False),
    ]


def test_one_epoch_may_be_all_three(with_histories):
    content = with_histories(
        {"pix2pix": history([18.0, 19.0], [150, 100])}, {"pix2pix": "2"}, "swd"
    )
    assert summarize(epoch_rows(content)) == [
        ("0", "2", "chosen (SWD), best PSNR, best SWD", True)
    ]


def test_every_replicate_has_its_own_epochs_even_if_failed(with_histories):
    both = pd.concat([history([18, 19], [9, 5]), history([19, 18], [9, 5], 2)])
    content = with_histories({"pix2pix": both}, {"pix2pix": "2, 1"})
    assert summarize(epoch_rows(content)) == [
        ("0", "2", "chosen (PSNR), best PSNR, best SWD", True),
        ("2", "1", "chosen (PSNR), best PSNR", True),
        ("2", "2", "best SWD", False),
    ]


def test_models_without_adversarial_loss_are_skipped(with_histories):
    content = with_histories(
        {"unet": history([18, 19], [9, 5], adversarial=False)}, {"unet": "2"}
    )
    assert epoch_rows(content) == []


def test_trainings_that_end_at_their_best_are_counted(with_histories):
    both = pd.concat([history([18, 19], [9, 5]), history([19, 18], [9, 5], 1)])
    content = with_histories(
        {
            "pix2pix": both,
            "unet": history([18, 19], [5, 9], adversarial=False),
            "copy_input": history([20], [9], adversarial=False).assign(epoch=0),
        },
        {"pix2pix": "2, 1", "unet": "2", "copy_input": "0"},
    )
    found = convergence(content)
    assert (found.trainings, found.by) == (3, {"psnr": 2, "swd": 2})
    assert "in 2 by PSNR and in 2 by SWD" in found.sentence
    assert "may not have converged" in found.sentence


def test_earlier_best_epoch_counts_as_converged(with_histories):
    content = with_histories({"unet": history([19.0, 19.0], [5, 5])}, {"unet": "1"})
    assert convergence(content).by == {"psnr": 0, "swd": 0}
    assert "have converged" not in convergence(content).sentence


def test_text_without_trainings_is_empty(with_histories):
    content = with_histories({}, {})
    assert convergence(content).sentence == ""
    assert epoch_rows(content) == []


def test_early_stops_are_listed_with_the_budget(with_histories):
    content = with_histories(
        {"unet": history([18.0, 19.0, 18.0], [150, 100, 120])}, {"unet": "2"}
    )
    settings = {"task.unet.training.epochs": 9, "task.unet.training.patience": 1}
    stopped = convergence(replace(content, settings=settings)).sentence
    assert (
        "Stopped early (training.patience): unet replicate 0 after epoch 3 of 9."
        in (stopped)
    )
    without = settings | {"task.unet.training.patience": None}
    assert "early" not in convergence(replace(content, settings=without)).sentence


@pytest.mark.parametrize(
    ("psnr", "is_named"),
    [
        ([18.0], True),
        ([18.0, 18.4], True),
        ([18.0, 18.2], False),
        ([15.0, 18.0, 19.0, 19.1, 19.2, 19.3], False),
        ([15.0, 18.0, 19.0, 19.1, 19.2, 19.6], True),
        ([15.0, 18.0, 19.0, 19.1, 18.0, 18.6], False),
    ],
)
def test_model_that_improves_until_its_end_is_named(with_histories, psnr, is_named):
    histories = {"unet": history(psnr, [100] * len(psnr))}
    said = describe_improving(with_histories(histories, {}))
    assert said.startswith("unet was still improving") == is_named
