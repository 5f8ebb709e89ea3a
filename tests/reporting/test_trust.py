import numpy as np
import pandas as pd

from image_translation.reporting.trust import describe_calibration, plan_rows
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
