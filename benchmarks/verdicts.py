"""Do verdicts and intervals keep their promise? Prints markdown tables.

Simulated scores with a known truth. Every model has an effect of its own on every
photograph, of deviation 1, the unit of all deviations here; metrics are correlated by
0.8; each training shifts all photographs, and adds noise of its own to each. Run it with

    python benchmarks/verdicts.py --simulations 400
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from image_translation.metrics import (
    METRICS,
    bootstrap_mean,
    compare_effects,
    compare_pairs,
)
from image_translation.metrics.comparison import EFFECTS, TRAININGS_DIFFER

CORRELATION = 0.8
NOISE = 0.2
"""Deviation of a photograph's score from training to training."""

UNEQUAL_SEEDS = (0.43, 0.08, 0.21)
"""Seed deviations of three models in real trainings, in dB of PSNR."""

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Scenario:
    """Scores to simulate.

    Attributes:
        groups: Independent photographs.
        replicates: Trainings of each model.
        seeds: Seed deviations, dealt to the models in turn.
        shape: Of the effects of photographs: ``normal``, ``skewed`` (lognormal, skewness
            6), ``skewed differences`` (some models skewed, others not), ``outliers``
            (3 % fail by 5 deviations) or ``unequal groups`` (1 to 60 images each).
        models: Number of models.
        metrics: Number of metrics.
    """

    groups: int
    replicates: int = 3
    seeds: Sequence[float] = (0.0,)
    shape: str = "normal"
    models: int = 5
    metrics: int = 10

    def describe(self) -> str:
        """The scenario as cells of a table."""
        seeds = "/".join(f"{seed:g}" for seed in self.seeds)
        return f"{self.groups} | {self.replicates} | {seeds} | {self.shape}"


def simulate(
    scenario: Scenario, random: np.random.Generator, shifts: Values | None = None
) -> dict[str, pd.DataFrame]:
    """Scores of exchangeable models, by name; ``shifts`` are added to their means."""
    names = list(METRICS)[: scenario.metrics]
    sizes = _group_sizes(scenario, random)
    group = np.repeat(np.arange(scenario.groups), sizes)
    scores = {}
    for model in range(scenario.models):
        effects = _effects(scenario, model, random)[group]
        seed = scenario.seeds[model % len(scenario.seeds)]
        frames = []
        for replicate in range(scenario.replicates):
            values = effects + seed * _correlated((1, scenario.metrics), random)
            values = values + NOISE * _correlated(values.shape, random)
            if shifts is not None:
                values = values + shifts[model]
            frame = pd.DataFrame(values, columns=names)
            frames.append(
                frame.assign(
                    pair_id=np.arange(len(group)), group=group, replicate=replicate
                )
            )
        scores[f"model {model}"] = pd.concat(frames, ignore_index=True)
    return scores


def _correlated(shape: tuple[int, ...], random: np.random.Generator) -> Values:
    common = random.standard_normal((*shape[:-1], 1))
    own = random.standard_normal(shape)
    return CORRELATION**0.5 * common + (1 - CORRELATION) ** 0.5 * own


def _group_sizes(scenario: Scenario, random: np.random.Generator) -> NDArray[np.intp]:
    if scenario.shape != "unequal groups":
        return np.ones(scenario.groups, dtype=np.intp)
    return np.minimum(random.pareto(1.0, scenario.groups) + 1, 60).astype(np.intp)


def _effects(scenario: Scenario, model: int, random: np.random.Generator) -> Values:
    normal = _correlated((scenario.groups, scenario.metrics), random)
    skewed = (np.exp(normal) - np.exp(0.5)) / np.sqrt((np.e - 1) * np.e)
    if scenario.shape == "outliers":
        failed = random.random((scenario.groups, 1)) < 0.03
        return normal - 5 * failed
    if scenario.shape == "skewed":
        return skewed
    if scenario.shape == "skewed differences":
        return skewed if model % 2 else 0.1 * normal
    return normal


ERRORS = (
    *(
        Scenario(groups, replicates, (seed,))
        for groups, replicates, seed in product(
            (10, 20, 50, 150, 300), (3, 5), (0.0, 0.1, 0.3)
        )
    ),
    *(
        Scenario(groups, 3, (0.1,), shape)
        for shape in ("skewed", "skewed differences", "outliers", "unequal groups")
        for groups in (10, 20, 50, 150, 300)
    ),
    *(
        Scenario(groups, replicates, UNEQUAL_SEEDS)
        for groups, replicates in product((10, 50, 300), (3, 5))
    ),
)


def makes_false_claim(scenario: Scenario, random: np.random.Generator) -> bool:
    """Whether any of exchangeable models is called better."""
    verdicts = compare_pairs(simulate(scenario, random))["verdict"]
    return bool(verdicts.str.endswith("is better").any())


POWERS = tuple(Scenario(groups, 3, models=7) for groups in (8, 10, 12, 14, 20))
SHIFT = 1.5


def share_found(scenario: Scenario, random: np.random.Generator) -> float:
    """Share of true differences that are found.

    One model is better by 1.5 deviations of differences on all metrics.
    """
    shifts = np.zeros((scenario.models, 1))
    shifts[0] = SHIFT * (2 * (1 + NOISE**2 / scenario.replicates)) ** 0.5
    table = compare_pairs(simulate(scenario, random, _improve(shifts, scenario)))
    true = (table["model_a"] == "model 0") | (table["model_b"] == "model 0")
    return float((table.loc[true, "verdict"] == "model 0 is better").mean())


def _improve(shifts: Values, scenario: Scenario) -> Values:
    """Shifts towards the better side of each metric."""
    measures = list(METRICS.values())[: scenario.metrics]
    signs = np.array([1 if measure.higher_is_better else -1 for measure in measures])
    return shifts * signs


NAMED = tuple(
    Scenario(groups, replicates, (0.0 if replicates == 1 else seed,), models=3)
    for groups in (15, 20, 50, 148)
    for replicates, seed in ((1, 0.0), (3, 0.0), (3, 0.1))
)


def power_at_named_size(scenario: Scenario, simulations: int) -> float:
    """Share of differences found that are as large as the verdicts name."""
    random = np.random.default_rng(1)
    named = np.mean(
        [
            compare_pairs(simulate(scenario, random))["detectable_difference"].mean()
            for _ in range(max(20, simulations // 4))
        ]
    )
    shifts = np.zeros((scenario.models, 1))
    shifts[0] = named
    found = []
    for _ in range(simulations):
        table = compare_pairs(simulate(scenario, random, _improve(shifts, scenario)))
        true = table["model_a"] == "model 0"
        found.append(_is_found(table.loc[true, "verdict"], scenario).mean())
    return float(np.mean(found))


def _is_found(verdicts: pd.Series, scenario: Scenario) -> pd.Series:
    one = scenario.replicates == 1
    return verdicts == (TRAININGS_DIFFER if one else "model 0 is better")


COVERAGE = (
    *(
        Scenario(groups, 1, (0.0,), shape)
        for shape in ("normal", "skewed", "outliers", "unequal groups")
        for groups in (3, 5, 10, 15, 50, 150)
    ),
    *(Scenario(groups, 3, (0.3,)) for groups in (10, 50, 150)),
)


def covers(scenario: Scenario, random: np.random.Generator) -> bool:
    """Whether the interval of a model holds its true mean."""
    one = replace(scenario, models=1, metrics=1)
    (scores,) = simulate(one, random).values()
    interval = bootstrap_mean(scores["mse"], scores["group"], scores["replicate"])
    truth = -0.15 if scenario.shape == "outliers" else 0.0
    return interval.low <= truth <= interval.high


EFFECT_COVERAGE = tuple(
    Scenario(groups, 3, (seed,), models=4, metrics=1)
    for groups in (15, 50, 150)
    for seed in (0.0, 0.1, 0.3)
)


def covers_effects(scenario: Scenario, random: np.random.Generator) -> Values:
    """Whether the intervals of the three effects hold the truth, 0."""
    names = ("pix2pix", "unet", "autoencoder_gan", "autoencoder")
    scores = dict(zip(names, simulate(scenario, random).values(), strict=True))
    table = compare_effects(scores).set_index("effect").loc[list(EFFECTS)]
    return ((table["ci_low"] <= 0) & (table["ci_high"] >= 0)).to_numpy(float)


def _share(
    check: Callable[[Scenario, np.random.Generator], object],
    scenario: Scenario,
    simulations: int,
) -> Values:
    random = np.random.default_rng(0)
    return np.mean([check(scenario, random) for _ in range(simulations)], axis=0)


def tables(simulations: int, rows: int | None = None) -> Iterator[str]:
    """The tables, line by line; only the first rows of each where a number is given."""
    cells = "groups | trainings | seed deviation | photographs"
    yield "Five exchangeable models, ten metrics: tasks with a false claim."
    yield ""
    yield f"| {cells} | tasks with a false claim |"
    yield "|---|---|---|---|---|"
    for scenario in islice(ERRORS, rows):
        share = _share(makes_false_claim, scenario, simulations)
        yield f"| {scenario.describe()} | {share:.1%} |"
    yield ""
    yield "Seven models, ten metrics, one model better by 1.5 deviations on all."
    yield ""
    yield f"| {cells} | true differences found |"
    yield "|---|---|---|---|---|"
    for scenario in islice(POWERS, rows):
        share = _share(share_found, scenario, max(20, simulations // 4))
        yield f"| {scenario.describe()} | {share:.2f} |"
    yield ""
    yield "Differences of the size that “undecided” names, of three models."
    yield ""
    yield f"| {cells} | found |"
    yield "|---|---|---|---|---|"
    for scenario in islice(NAMED, rows):
        share = power_at_named_size(scenario, simulations)
        yield f"| {scenario.describe()} | {share:.2f} |"
    yield ""
    yield "95 % intervals that hold the truth."
    yield ""
    yield f"| what | {cells} | share |"
    yield "|---|---|---|---|---|---|"
    for scenario in islice(COVERAGE, rows):
        share = _share(covers, scenario, 5 * simulations)
        yield f"| mean | {scenario.describe()} | {share:.1%} |"
    for scenario in islice(EFFECT_COVERAGE, rows):
        shares = _share(covers_effects, scenario, 2 * simulations)
        for effect, share in zip(EFFECTS, shares, strict=True):
            yield f"| {effect} | {scenario.describe()} | {share:.1%} |"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=400)
    parser.add_argument("--rows", type=int, help="of each table; all if not given")
    arguments = parser.parse_args()
    for row in tables(arguments.simulations, arguments.rows):
        print(row, flush=True)


if __name__ == "__main__":
    main()
