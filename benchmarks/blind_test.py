"""How often does the blind test claim a preference? Prints a markdown table.

Simulated studies of four trained models: the questions are planned as for the page,
every judge draws other ones from the pool, and an image's viewers choose the first of
two models with a probability of their own, drawn from a beta distribution around the
true preference. Run it with

    python benchmarks/blind_test.py --studies 1000
"""

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from image_translation.metrics.preferences import preference_rates
from image_translation.reporting.blind_test import BlindTest, Question, plan_questions

MODELS = {"pix2pix": 1, "unet": 1, "autoencoder": 1, "autoencoder_gan": 1}
PAIRS = {f"{number:04x}": str(number) for number in range(60)}
QUESTIONS = 40
JUDGES = (1, 3, 10, 20)


@dataclass(frozen=True)
class Scenario:
    """What people like.

    Attributes:
        preference: Share that likes the first of two models better, over all images.
        spread: Sum of the beta distribution's parameters: 2 for images that differ
            uniformly where nothing is preferred, infinite for images that are alike.
        taste: Deviation between judges, for each two models, in log-odds.
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
    *(Scenario(0.5, spread, 1.5) for spread in SPREADS),
)
SOMETHING = tuple(
    Scenario(share, spread) for share in (0.65, 0.8) for spread in SPREADS
)


def deal(test: BlindTest, random: np.random.Generator) -> list[tuple[int, Question]]:
    """The questions of one judge, as the page draws them, with their numbers."""
    left = dict(test.shares)
    dealt = []
    for number in random.permutation(len(test.questions)):
        question = test.questions[number]
        if left[question.rivals] > 0:
            left[question.rivals] -= 1
            dealt.append((number, question))
    return dealt


def simulate_votes(
    scenario: Scenario, judges: int, test: BlindTest, random: np.random.Generator
) -> pd.DataFrame:
    """Votes of a study, as ``read_votes`` gives them."""
    mean, spread = scenario.preference, scenario.spread
    n = len(test.questions)
    liked = (
        np.full(n, mean)
        if np.isinf(spread)
        else random.beta(spread * mean, spread * (1 - mean), n)
    )
    odds = np.log(liked) - np.log1p(-liked)
    rows = []
    for judge in range(judges):
        taste = {r: scenario.taste * random.standard_normal() for r in test.shares}
        for number, question in deal(test, random):
            first, _ = question.rivals
            share = 1 / (1 + np.exp(-odds[number] - taste[question.rivals]))
            wins = random.random() < share
            rows.append(
                {
                    "judge": judge,
                    "question": number,
                    "kind": question.kind,
                    "pair_id": question.pair_id,
                    "group": question.group,
                    "left": question.left,
                    "right": question.right,
                    "choice": "left" if wins == (first == question.left) else "right",
                }
            )
    return pd.DataFrame(rows)


def study(
    scenario: Scenario, judges: int, test: BlindTest, random: np.random.Generator
) -> pd.DataFrame:
    """The table of a simulated study, with ``claimed`` and ``covered``."""
    table = preference_rates(simulate_votes(scenario, judges, test, random))
    # The table puts the target second, the scenario goes by the alphabet.
    swapped = table["model_a"] > table["model_b"]
    truth = np.where(swapped, 1 - scenario.preference, scenario.preference)
    return table.assign(
        claimed=table["p_adjusted"] < 0.05,
        covered=(table["ci_low"] <= truth) & (truth <= table["ci_high"]),
        of_study=(table["model_a"] == "autoencoder") & (table["model_b"] == "pix2pix"),
    )


def simulate(scenario: Scenario, judges: int, studies: int, seed: int) -> pd.DataFrame:
    """All tables of many studies, with the study's number in ``study``."""
    test = plan_questions(PAIRS, MODELS, QUESTIONS)
    random = np.random.default_rng([seed, judges])
    tables = [
        study(scenario, judges, test, random).assign(study=number)
        for number in range(studies)
    ]
    return pd.concat(tables, ignore_index=True)


def measure(tables: pd.DataFrame) -> Mapping[str, float]:
    """Shares of studies with a claim, of claims, and of intervals that hold the truth."""
    of_study = tables["of_study"]
    return {
        "any": tables.groupby("study")["claimed"].any().mean(),
        "of_study": tables.loc[of_study, "claimed"].mean(),
        "others": tables.loc[~of_study, "claimed"].mean(),
        "covered": tables["covered"].mean(),
    }


def rows(studies: int, seed: int) -> Iterator[str]:
    """Both tables, line by line."""
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
