"""Error, power and coverage of verdicts and intervals. Prints Markdown tables.

Scores are simulated with a known truth. Every model has a random effect on every
photograph with standard deviation 1, the unit of all deviations here. Metrics have a
correlation of 0.8. Each training shifts the scores of all photographs and adds
independent noise to each. Run it with

    python benchmarks/verdicts.py --simulations 400
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, islice, product

import numpy as np
import pandas as pd
import scipy
from numpy.typing import NDArray

from image_translation.metrics import METRICS
from image_translation.statistics.comparison import (
    EFFECTS,
    SIGNIFICANCE,
    TRAININGS_DIFFER,
    compare_effects,
    compare_pairs,
)
from image_translation.statistics.estimates import bootstrap_mean
from image_translation.statistics.multiple_testing import step_down

CORRELATION = 0.8
NOISE = 0.2
"""Standard deviation of a photograph's score between trainings."""

UNEQUAL_SEEDS = (0.43, 0.08, 0.21)
"""Seed deviations of three models in real trainings, in dB of PSNR."""

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Scenario:
    """Scores to simulate.

    Attributes:
        groups: Independent photographs.
        replicates: Trainings of each model.
        seeds: Seed deviations, assigned to the models in turn.
        shape: Distribution of the effects of photographs: ``normal``, ``skewed``
            (lognormal, skewness 6), ``skewed differences`` (some models skewed, others
            not), ``outliers`` (3 % are 5 deviations lower) or ``unequal groups`` (1 to
            60 images each).
        models: Number of models.
        metrics: Number of metrics.
        noise: Standard deviation of a photograph's score between trainings.
    """

    groups: int
    replicates: int = 3
    seeds: Sequence[float] = (0.0,)
    shape: str = "normal"
    models: int = 5
    metrics: int = 10
    noise: float = NOISE

    def describe(self) -> str:
        """The scenario as cells of a table."""
        seeds = "/".join(f"{seed:g}" for seed in self.seeds)
        return f"{self.groups} | {self.replicates} | {seeds} | {self.shape}"


def simulate(
    scenario: Scenario, random: np.random.Generator, shifts: Values | None = None
) -> dict[str, pd.DataFrame]:
    """Scores of exchangeable models by name; ``shifts`` are added to their means."""
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
            values = values + scenario.noise * _correlated(values.shape, random)
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
        for groups in (10, 15, 20, 50, 150, 300)
    ),
    *(
        Scenario(groups, replicates, UNEQUAL_SEEDS)
        for groups, replicates in product((10, 50, 150, 300), (3, 5))
    ),
    Scenario(300, 3, UNEQUAL_SEEDS, models=3),
)


def makes_false_claim(scenario: Scenario, random: np.random.Generator) -> bool:
    """Whether any verdict names a better model although all are exchangeable."""
    verdicts = compare_pairs(simulate(scenario, random))["verdict"]
    return bool(verdicts.str.endswith("is better").any())


POWERS = tuple(Scenario(groups, 3, models=7) for groups in (8, 10, 12, 14, 16, 20))
SHIFT = 1.5


def share_found(scenario: Scenario, random: np.random.Generator) -> Values:
    """Shares of true differences found by verdicts and by plain sign flips.

    One model is better by 1.5 standard deviations of the differences on all metrics. The
    plain test ignores seeds: step-down maximum of paired t statistics with flipped signs
    of photographs (Westfall & Young 1993).
    """
    shifts = np.zeros((scenario.models, 1))
    shifts[0] = SHIFT * (2 * (1 + scenario.noise**2 / scenario.replicates)) ** 0.5
    scores = simulate(scenario, random, _improve(shifts, scenario))
    table = compare_pairs(scores)
    true = (table["model_a"] == "model 0") | (table["model_b"] == "model 0")
    found = table.loc[true, "verdict"] == "model 0 is better"
    return np.array([found.mean(), _share_found_by_flips(scores, random)])


def _share_found_by_flips(
    scores: dict[str, pd.DataFrame], random: np.random.Generator
) -> float:
    metrics = [name for name in METRICS if name in scores["model 0"]]
    means = [frame.groupby("group")[metrics].mean() for frame in scores.values()]
    differences = np.hstack([a - b for a, b in combinations(means, 2)])
    signs = random.choice([-1.0, 1.0], (4_999, len(differences)))
    flipped = signs @ differences / len(differences)
    squares = (differences**2).mean(axis=0) - flipped**2
    reference = np.abs(flipped) / np.sqrt(squares / (len(differences) - 1))
    observed = np.abs(scipy.stats.ttest_1samp(differences, 0).statistic)
    adjusted, _ = step_down(observed, reference, SIGNIFICANCE)
    of_model_0 = (len(means) - 1) * len(metrics)
    return float((adjusted[:of_model_0] < SIGNIFICANCE).mean())


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
    """Share found of differences as large as the detectable difference in verdicts.

    One model is better than the others on one metric.
    """
    random = np.random.default_rng(1)
    metric = list(METRICS)[0]
    named = np.mean(
        [
            _against_others(simulate(scenario, random), metric)[
                "detectable_difference"
            ].mean()
            for _ in range(max(40, simulations // 4))
        ]
    )
    shifts = np.zeros((scenario.models, scenario.metrics))
    shifts[0, 0] = named
    found = []
    for _ in range(simulations):
        scores = simulate(scenario, random, _improve(shifts, scenario))
        verdicts = _against_others(scores, metric)["verdict"]
        found.append(_is_found(verdicts, scenario).mean())
    return float(np.mean(found))


def _against_others(scores: dict[str, pd.DataFrame], metric: str) -> pd.DataFrame:
    """Verdicts on the first model against the others by one metric."""
    table = compare_pairs(scores)
    return table[(table["model_a"] == "model 0") & (table["metric"] == metric)]


def _is_found(verdicts: pd.Series, scenario: Scenario) -> pd.Series:
    one = scenario.replicates == 1
    return verdicts == (TRAININGS_DIFFER if one else "model 0 is better")


COVERAGE = (
    *(
        Scenario(groups, 1, (0.0,), shape, noise=0.0)
        for shape in ("normal", "skewed", "outliers", "unequal groups")
        for groups in (3, 5, 10, 15, 50, 150)
    ),
    *(
        Scenario(groups, 3, (seed,))
        for groups in (10, 50, 150, 300)
        for seed in (0.0, 0.1, 0.3)
    ),
)


def covers(scenario: Scenario, random: np.random.Generator) -> bool:
    """Whether the interval of a model covers its true mean."""
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
    """Whether the intervals of the three effects cover the truth, 0."""
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


CELLS = "groups | trainings | seed deviation | photographs"


def _error_table(simulations: int, rows: int | None) -> Iterator[str]:
    yield "Exchangeable models, ten metrics: tasks with a false claim."
    yield ""
    yield f"| models | {CELLS} | tasks with a false claim |"
    yield "|---|---|---|---|---|---|"
    for scenario in islice(ERRORS, rows):
        share = _share(makes_false_claim, scenario, simulations)
        yield f"| {scenario.models} | {scenario.describe()} | {share:.1%} |"


def _power_table(simulations: int, rows: int | None) -> Iterator[str]:
    yield "Seven models, ten metrics, one model better by 1.5 deviations on all."
    yield ""
    yield f"| {CELLS} | true differences found | found by plain sign flips |"
    yield "|---|---|---|---|---|---|"
    for scenario in islice(POWERS, rows):
        found, flips = _share(share_found, scenario, max(20, simulations // 2))
        yield f"| {scenario.describe()} | {found:.2f} | {flips:.2f} |"


def _named_table(simulations: int, rows: int | None) -> Iterator[str]:
    yield "Three models, one metric: differences of the size stated by “undecided”."
    yield ""
    yield f"| {CELLS} | found |"
    yield "|---|---|---|---|---|"
    for scenario in islice(NAMED, rows):
        share = power_at_named_size(scenario, simulations)
        yield f"| {scenario.describe()} | {share:.2f} |"


def _coverage_table(simulations: int, rows: int | None) -> Iterator[str]:
    yield "Coverage of 95 % intervals."
    yield ""
    yield f"| what | {CELLS} | share |"
    yield "|---|---|---|---|---|---|"
    for scenario in islice(COVERAGE, rows):
        share = _share(covers, scenario, 5 * simulations)
        yield f"| mean | {scenario.describe()} | {share:.1%} |"
    for scenario in islice(EFFECT_COVERAGE, rows):
        shares = _share(covers_effects, scenario, 2 * simulations)
        for effect, share in zip(EFFECTS, shares, strict=True):
            yield f"| {effect} | {scenario.describe()} | {share:.1%} |"


TABLES = {
    "errors": _error_table,
    "power": _power_table,
    "named": _named_table,
    "coverage": _coverage_table,
}


def tables(
    simulations: int, rows: int | None = None, only: str | None = None
) -> Iterator[str]:
    """Yield the lines of all tables or of one, with all rows or the first ones."""
    for name, table in TABLES.items():
        if only in (None, name):
            yield from table(simulations, rows)
            yield ""


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=400)
    parser.add_argument("--rows", type=int, help="rows of each table; default: all")
    parser.add_argument("--table", choices=list(TABLES), help="default: all tables")
    arguments = parser.parse_args()
    for row in tables(arguments.simulations, arguments.rows, arguments.table):
        print(row, flush=True)


if __name__ == "__main__":
    main()
