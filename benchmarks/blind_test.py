"""Error and power of the blind test in simulated studies. Prints two Markdown tables.

Simulated studies of four trained models. The questions are planned as for the real blind
test, and every judge gets a random sample of them. For each image, the probability of
preferring the first of two models is drawn from a beta distribution around the true
preference. Run it with

    python benchmarks/blind_test.py --studies 1000
"""

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy
from numpy.typing import NDArray

from image_translation.reporting.blind_test import BlindTest, plan_questions
from image_translation.statistics.preferences import preference_rates

MODELS = {"pix2pix": 1, "unet": 1, "autoencoder": 1, "autoencoder_gan": 1}
PAIRS = {f"{number:04x}": str(number) for number in range(60)}
QUESTIONS = 40
JUDGES = (1, 3, 10, 20)


@dataclass(frozen=True)
class Scenario:
    """Distribution of preferences.

    Attributes:
        preference: Share of votes for the first of two models, over all images.
        spread: Sum of the parameters of the beta distribution: 2 gives a uniform
            distribution over images for a preference of 0.5, infinity equal images.
        taste: Standard deviation between judges, for each pair of models, in log-odds.
    """

    preference: float
    spread: float
    taste: float = 0.0

    def describe(self) -> str:
        """The scenario as cells of a table."""
        a, b = (self.spread * p for p in (self.preference, 1 - self.preference))
        images = "alike" if np.isinf(self.spread) else f"Beta({a:g}, {b:g})"
        return f"{self.preference:.0%} | {images} | {self.taste:g}"


SPREADS = (2.0, 10.0, np.inf)
NOTHING = (
    *(Scenario(0.5, spread) for spread in SPREADS),
    *(Scenario(0.5, spread, 1.5) for spread in (2.0, np.inf)),
)
SOMETHING = tuple(
    Scenario(share, spread) for share in (0.65, 0.8) for spread in SPREADS
)


class Pool:
    """Questions of a blind test.

    Attributes:
        questions: One row per question.
        shares: Questions per judge, for each pair of candidates.
    """

    def __init__(self, test: BlindTest) -> None:
        """Create the pool of a planned test."""
        self.shares = list(test.shares.values())
        places = {rivals: place for place, rivals in enumerate(test.shares)}
        self.questions = pd.DataFrame(
            [
                vars(question)
                | {
                    "pair": places[question.rivals],
                    "first_is_left": question.rivals[0] == question.left,
                }
                for question in test.questions
            ]
        )
        self._numbers = [
            np.flatnonzero(self.questions["pair"] == place)
            for place in range(len(places))
        ]

    def deal(self, random: np.random.Generator) -> NDArray[np.int64]:
        """Indices of the questions of one judge, drawn as in the real blind test."""
        return np.concatenate(
            [
                random.permutation(numbers)[:share]
                for numbers, share in zip(self._numbers, self.shares, strict=True)
            ]
        )


def simulate_votes(
    scenario: Scenario, judges: int, pool: Pool, random: np.random.Generator
) -> pd.DataFrame:
    """Votes of a simulated study, in the format of ``read_votes``."""
    mean, spread = scenario.preference, scenario.spread
    liked = np.full(len(pool.questions), mean)
    if np.isfinite(spread):
        liked = random.beta(spread * mean, spread * (1 - mean), len(liked))
    dealt = [pool.deal(random) for _ in range(judges)]
    question = np.concatenate(dealt)
    judge = np.repeat(np.arange(judges), [len(numbers) for numbers in dealt])
    votes = pool.questions.iloc[question].assign(judge=judge, question=question)
    tastes = scenario.taste * random.standard_normal((judges, len(pool.shares)))
    odds = scipy.special.logit(liked)[question] + tastes[judge, votes["pair"]]
    wins = random.random(len(votes)) < scipy.special.expit(odds)
    choice = np.where(wins == votes["first_is_left"], "left", "right")
    return votes.assign(choice=choice)


def study(
    scenario: Scenario, judges: int, pool: Pool, random: np.random.Generator
) -> pd.DataFrame:
    """Preference rates of a simulated study, with ``claimed`` and ``covered``."""
    table = preference_rates(simulate_votes(scenario, judges, pool, random))
    # The scenario orders candidates by name, the table puts the target second.
    swapped = table["model_a"] > table["model_b"]
    truth = np.where(swapped, 1 - scenario.preference, scenario.preference)
    return table.assign(
        claimed=table["p_adjusted"] < 0.05,
        covered=(table["ci_low"] <= truth) & (truth <= table["ci_high"]),
        of_study=(table["model_a"] == "autoencoder") & (table["model_b"] == "pix2pix"),
    )


def simulate(scenario: Scenario, judges: int, studies: int, seed: int) -> pd.DataFrame:
    """Tables of many studies, with the number of the study in ``study``."""
    pool = Pool(plan_questions(PAIRS, MODELS, QUESTIONS))
    random = np.random.default_rng([seed, judges])
    tables = [
        study(scenario, judges, pool, random).assign(study=number)
        for number in range(studies)
    ]
    return pd.concat(tables, ignore_index=True)


def measure(tables: pd.DataFrame) -> Mapping[str, float]:
    """Shares of studies with a claim, of claims, and of intervals that cover the truth."""
    of_study = tables["of_study"]
    return {
        "any": tables.groupby("study")["claimed"].any().mean(),
        "of_study": tables.loc[of_study, "claimed"].mean(),
        "others": tables.loc[~of_study, "claimed"].mean(),
        "covered": tables["covered"].mean(),
    }


def rows(studies: int, seed: int) -> Iterator[str]:
    """Yield the lines of both tables."""
    yield "| preference | images | judges' taste | judges | false claim | covered |"
    yield "|---|---|---|---|---|---|"
    for scenario in NOTHING:
        for judges in JUDGES:
            found = measure(simulate(scenario, judges, studies, seed))
            yield (
                f"| {scenario.describe()} | {judges} | {found['any']:.1%} | "
                f"{found['covered']:.1%} |"
            )
    yield ""
    yield "| preference | images | judges' taste | judges | study's pair | other pairs |"
    yield "|---|---|---|---|---|---|"
    for scenario in SOMETHING:
        for judges in JUDGES:
            found = measure(simulate(scenario, judges, max(studies // 4, 1), seed))
            yield (
                f"| {scenario.describe()} | {judges} | {found['of_study']:.0%} | "
                f"{found['others']:.0%} |"
            )


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    for row in rows(arguments.studies, arguments.seed):
        print(row, flush=True)


if __name__ == "__main__":
    main()
