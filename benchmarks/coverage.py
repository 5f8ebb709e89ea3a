"""Do the intervals and verdicts keep their promise? Prints a markdown table.

Simulated scores with a known truth: groups of 1 to 8 images, half of an image's
variance its group's; each replicate shifted by its seed. Run it with

    python benchmarks/coverage.py --simulations 2000
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from image_translation.metrics import bootstrap_mean, compare_pairs
from image_translation.metrics.comparison import NO_DIFFERENCE

NOISE = 0.2
"""Deviation of an image's score from seed to seed, in image deviations."""


@dataclass(frozen=True)
class Scenario:
    """Scores to simulate; deviations in units of the deviation between images."""

    groups: int
    replicates: int
    seed_deviation: float
    skewed: bool = False

    def describe(self) -> str:
        """The scenario as cells of a table."""
        shape = "skewed" if self.skewed else "normal"
        return f"{self.groups} | {self.replicates} | {self.seed_deviation} | {shape}"


COVERAGE = (
    *(Scenario(groups, 1, 0.0, skew) for groups in (50, 200) for skew in (False, True)),
    Scenario(10, 1, 0.0),
    *(
        Scenario(groups, replicates, 0.3)
        for replicates in (3, 4, 5)
        for groups in (50, 200)
    ),
    Scenario(50, 3, 0.0),
    Scenario(50, 3, 0.3, skewed=True),
)
IDENTICAL = (Scenario(50, 1, 0.0), Scenario(50, 3, 0.3), Scenario(50, 5, 0.3))


def simulate_images(scenario: Scenario, random: np.random.Generator) -> pd.DataFrame:
    """Groups and what is common to all models: ``group, score`` with a mean of 0."""
    sizes = random.integers(1, 9, size=scenario.groups)
    group = np.repeat(np.arange(scenario.groups), sizes)
    effects = (
        random.exponential(size=scenario.groups) - 1
        if scenario.skewed
        else random.standard_normal(scenario.groups)
    )
    own = random.standard_normal(len(group))
    return pd.DataFrame({"group": group, "score": (effects[group] + own) * 0.5**0.5})


def simulate_scores(
    scenario: Scenario, images: pd.DataFrame, random: np.random.Generator
) -> pd.DataFrame:
    """Scores of a model whose true mean is that of the images' population, 0."""
    parts = []
    for replicate in range(scenario.replicates):
        seed = scenario.seed_deviation * random.standard_normal()
        noise = NOISE * random.standard_normal(len(images))
        parts.append(
            images.assign(
                score=images["score"] + seed + noise,
                replicate=replicate,
                pair_id=np.arange(len(images)),
            )
        )
    return pd.concat(parts, ignore_index=True)


def is_covered(scenario: Scenario, random: np.random.Generator) -> bool:
    """Whether the interval of a simulated model holds its true mean."""
    scores = simulate_scores(scenario, simulate_images(scenario, random), random)
    interval = bootstrap_mean(scores["score"], scores["group"], scores["replicate"])
    return interval.low <= 0 <= interval.high


def is_undecided(scenario: Scenario, random: np.random.Generator) -> bool:
    """Whether two models of one true mean are found not to differ."""
    images = simulate_images(scenario, random)
    scores = {
        model: simulate_scores(scenario, images, random).rename(
            columns={"score": "ssim"}
        )
        for model in ("a", "b")
    }
    return compare_pairs(scores)["verdict"].str.startswith(NO_DIFFERENCE).all()


def rows(simulations: int) -> Iterator[str]:
    """The table, line by line."""
    yield "| what | groups | replicates | seed deviation | groups' scores | share |"
    yield "|---|---|---|---|---|---|"
    for what, check, scenarios in (
        ("95 % interval holds the truth", is_covered, COVERAGE),
        ("identical models: no difference", is_undecided, IDENTICAL),
    ):
        for scenario in scenarios:
            random = np.random.default_rng(0)
            share = np.mean([check(scenario, random) for _ in range(simulations)])
            yield f"| {what} | {scenario.describe()} | {share:.1%} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=2000)
    for row in rows(parser.parse_args().simulations):
        print(row, flush=True)


if __name__ == "__main__":
    main()
