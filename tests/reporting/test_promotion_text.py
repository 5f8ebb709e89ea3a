from dataclasses import replace

import pandas as pd
import pytest

from image_translation.registry.promotion import LOG_COLUMNS
from image_translation.reporting.page import render_report
from image_translation.reporting.promotion_text import describe_promotion

VERSION = {"version": 2, "model": "pix2pix", "replicate": 0}
RECORD = {
    "outcome": "kept",
    "reason": "psnr: no difference found",
    "in_use": {**VERSION, "version": 1, "model": "unet"},
}


@pytest.fixture
def log():
    first = {"date": "2026-01-04T02:00:00+00:00", "outcome": "promoted"}
    first |= {"reason": "the first champion", "metric": "psnr", "guard": "ssim"}
    first |= {"challenger_version": 1, "challenger_model": "unet"}
    second = {"date": "2026-01-05T02:00:00+00:00", "outcome": "kept", **RECORD}
    second |= {"metric": "psnr", "guard": "ssim"}
    second |= {"challenger_version": 2, "challenger_model": "pix2pix"}
    second |= {"champion_version": 1, "champion_model": "unet", "look": 3}
    second |= {"difference": 0.2, "ci_low": -0.1, "ci_high": 0.5, "n_groups": 12}
    second |= {"guard_difference": -0.004, "guard_ci_low": -0.008}
    second |= {"guard_ci_high": 0.001}
    return pd.DataFrame([first, second]).reindex(columns=LOG_COLUMNS)


def test_newest_decision_comes_first_with_its_numbers(log):
    described = describe_promotion(RECORD, log)
    assert described.lead == "The champion is version 1: unet, replicate 0."
    newest, oldest = described.rows
    assert (newest.challenger, newest.champion) == ("2: pix2pix", "1: unet")
    assert newest.difference.replace("\u00a0", " ") == "PSNR +0.20 dB"
    assert newest.guard == "SSIM −0.004"
    assert (newest.n_groups, newest.look) == ("12", "3")
    assert (oldest.champion, oldest.difference, oldest.look) == ("–", "–", "–")


def test_used_error_rate_is_reported(log):
    record = {**RECORD, "test": {"looks": 3, "alpha": 0.00368, "alpha_left": 0.0207}}
    described = describe_promotion(record, log.assign(alpha=[float("nan"), 0.00368]))
    assert "compared with champions on these test images 3 times" in described.spent
    assert "0.021 of it remains" in described.spent
    assert [row.alpha for row in described.rows] == ["0.0037", "–"]
    assert describe_promotion(RECORD, log).spent == ""


def test_score_of_a_winning_champion_is_called_a_maximum(log):
    assert describe_promotion(RECORD, log).selection_bias == ""
    won = log.assign(outcome="promoted")
    record = {**RECORD, "in_use": VERSION}
    assert "maximum over comparisons" in describe_promotion(record, won).selection_bias
    assert describe_promotion({**RECORD, "in_use": None}, won).selection_bias == ""


def test_sealed_test_set_does_not_hide_a_missing_champion(log):
    record = {**RECORD, "in_use": None, "outcome": "not decided", "is_sealed": True}
    assert describe_promotion(record, log).lead == "There is no champion."


def test_without_a_champion_the_section_says_so(log):
    assert "no champion" in describe_promotion({**RECORD, "in_use": None}, log).lead


def test_unknown_champion_is_not_called_missing(log):
    record = {**RECORD, "in_use": None, "outcome": "not decided"}
    assert "could not be determined" in describe_promotion(record, log).lead


def test_report_has_the_section_after_a_decision(content, log):
    assert 'id="promotion"' not in render_report(content)
    page = render_report(replace(content, promotion=RECORD, promotions=log))
    assert 'href="#promotion"' in page
    assert "PSNR +0.20" in page.replace("\u00a0", " ")
