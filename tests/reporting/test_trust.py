import numpy as np
import pandas as pd
import pytest

from image_translation.reporting.trust import (
    describe_calibration,
    judge_trust,
    plan_rows,
)
from image_translation.statistics.calibration import CALIBRATION_COLUMNS
from image_translation.statistics.planning import PLAN_COLUMNS


def test_calibration_is_described_with_its_numbers():
    rows = [("unet", deal, 3, 4, 60, int(deal == 0) * 2) for deal in range(50)]
    described = describe_calibration(pd.DataFrame(rows, columns=CALIBRATION_COLUMNS))
    assert "12 trainings of unet" in described
    assert (
        "of 3,000 comparisons of the model with itself 2 were called different"
        in described
    )
    assert "in 1 of 50 assignments" in described


def test_calibration_without_false_claims_is_described():
    rows = [("unet", 0, 3, 4, 60, 0)]
    described = describe_calibration(pd.DataFrame(rows, columns=CALIBRATION_COLUMNS))
    assert "none was called different" in described


def test_text_without_calibration_is_empty():
    assert describe_calibration(None) == ""
    assert plan_rows(None) == ((), ())


def test_plan_has_one_row_per_metric():
    plan = pd.DataFrame(
        [
            ("psnr", 0.25, 3, np.nan, 1.5, 0.2),
            ("psnr", 0.25, 5, 1234.0, 1.5, 0.2),
            ("ssim", 0.005, 3, 80.0, 0.02, 0.001),
            ("ssim", 0.005, 5, 70.0, 0.02, 0.001),
        ],
        columns=PLAN_COLUMNS,
    )
    replicates, (psnr, ssim) = plan_rows(plan)
    assert replicates == [3, 5]
    assert list(psnr.groups) == ["over 100,000", "1,234"]
    assert (ssim.metric, list(ssim.groups)) == ("SSIM", ["80", "70"])


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        (["better", "equal"], "Yes: every comparison with the best model is decided"),
        (
            ["better", "open", "worse"],
            "Partly: 1 of 3 comparisons with the best model is decided",
        ),
        (["better", "differ"], "Partly: the results are of single trainings"),
        (["differ"], "Partly: the results are of single trainings"),
        (["open", "failed"], "No: no difference from the best model is established"),
        ([], "No: no difference from the best model is established"),
        (
            ["few", "few"],
            "No: there are too few independent photographs for a verdict",
        ),
    ],
)
def test_trust_follows_from_the_comparisons_with_the_best_model(outcomes, expected):
    trust = judge_trust(outcomes)
    assert f"{trust.word}: {trust.reason}" == expected


def test_sealed_test_set_limits_trust_and_seen_test_images_end_it():
    assert judge_trust(["better"], is_sealed=True).word == "Partly"
    assert judge_trust(["better"], is_leaky=True).word == "No"
