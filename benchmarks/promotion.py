"""Error of promotion over many looks at one test set. Prints a Markdown table.

A champion is compared with one challenger after another on the same simulated test
images. The unit of scores is the standard deviation, between groups, of the difference
between two models; the part common to all models cancels. Run it with

    python benchmarks/promotion.py --simulations 2000
"""

import argparse
from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import ttest_1samp

from image_translation.statistics.promotion_rule import decide_promotion, spend
from image_translation.statistics.settings import PromotionSettings

GROUPS = (50, 148, 300)
LOOKS = 30
SHOWN_LOOKS = (1, 10, 30)
GAINS = (0.3, 0.5)
"""True advantages of a challenger, in standard deviations of the differences."""

RULE = PromotionSettings(metric="psnr", guard="ssim", margin=1.0)
"""The guard has no effect here, since its scores are equal."""

PRESELECTED = 20.0
"""The rule is applied only to challengers whose paired t-test gives a p-value of at most
this many times the level of the look. Two tests of a mean do not differ by this factor,
and hopeless challengers would take nearly all of the time."""


def simulate_model(
    common: NDArray[np.float64], gain: float, random: np.random.Generator
) -> pd.DataFrame:
    """Scores of a model that is better than the common part by ``gain``; single-image groups."""
    own = random.standard_normal(len(common)) * 0.5**0.5
    names = [f"{number:04x}" for number in range(len(common))]
    scores = {"psnr": common + own + gain, "ssim": 0.5}
    return pd.DataFrame({"pair_id": names, "group": names, "replicate": 0, **scores})


def t_test(challenger: pd.DataFrame, champion: pd.DataFrame) -> float:
    """Two-sided p-value of a paired t-test if the challenger is ahead, else 1."""
    difference = challenger["psnr"] - champion["psnr"]
    return ttest_1samp(difference, 0).pvalue if difference.mean() > 0 else 1.0


def is_ever_promoted(groups: int, random: np.random.Generator) -> tuple[bool, bool]:
    """Whether any of ``LOOKS`` challengers, none of them better, is promoted.

    Returns:
        Whether the rule promotes one, and whether a level of 0.05 at every look does.
    """
    common = 2 * random.standard_normal(groups)
    champion = simulate_model(common, 0, random)
    by_rule = by_each = False
    for look in range(1, LOOKS + 1):
        challenger = simulate_model(common, 0, random)
        p_value = t_test(challenger, champion)
        by_each |= p_value < 0.05
        if not by_rule and p_value < PRESELECTED * spend(look):
            decision = decide_promotion(challenger, champion, RULE, look)
            by_rule = decision.is_promoted
    return by_rule, by_each


def is_promoted_at(groups: int, gain: float, random: np.random.Generator) -> list[bool]:
    """Whether a better challenger is promoted at each of ``SHOWN_LOOKS``."""
    common = 2 * random.standard_normal(groups)
    scores = [simulate_model(common, shift, random) for shift in (gain, 0)]
    metric = decide_promotion(*scores, RULE).metric
    return [metric.gain > 0 and metric.p_value < spend(look) for look in SHOWN_LOOKS]


def rows(simulations: int, power_simulations: int) -> Iterator[str]:
    """Yield the lines of the table."""
    yield (
        "| groups | promoted, none better | the same with p < 0.05 at every look | gain "
        f"| power at look {' | at look '.join(map(str, SHOWN_LOOKS))} |"
    )
    yield "|---" * (4 + len(SHOWN_LOOKS)) + "|"
    for groups in GROUPS:
        random = np.random.default_rng(groups)
        errors = [is_ever_promoted(groups, random) for _ in range(simulations)]
        wrong = " | ".join(format_share(column) for column in zip(*errors, strict=True))
        for gain in GAINS:
            found = [
                is_promoted_at(groups, gain, random) for _ in range(power_simulations)
            ]
            power = " | ".join(
                format_share(column) for column in zip(*found, strict=True)
            )
            yield f"| {groups} | {wrong} | {gain} | {power} |"


def format_share(hits: tuple[bool, ...]) -> str:
    """Share with its standard error, in percent."""
    share = np.mean(hits)
    return f"{100 * share:.1f} ± {100 * (share * (1 - share) / len(hits)) ** 0.5:.1f} %"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=2000)
    parser.add_argument("--power-simulations", type=int, default=400)
    given = parser.parse_args()
    for row in rows(given.simulations, given.power_simulations):
        print(row, flush=True)


if __name__ == "__main__":
    main()
