"""Bias and interval coverage of distances between sets. Prints a Markdown table.

Draws sets of photographs from a folder and compares them with other photographs, and with
noisy, grey and blurred copies of themselves. Every photograph is a group. The true
distance is 0 for other photographs, and the distance over all photographs for copies. Run
it with

    python benchmarks/set_distances.py --photographs <folder> --simulations 100 \
        --write docs/statistics.md

Without a folder it draws synthetic textures.
"""

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pages import write_section
from PIL import Image
from scipy import ndimage, stats

from image_translation.imaging.luma import LUMA_WEIGHTS
from image_translation.metrics import realism, set_contributions, set_floor
from image_translation.metrics.set_distances import interval

Images = NDArray[np.uint8]

METRICS = ("swd", "spectrum_distance", "histogram_distance")
DECIMALS = (1, 2, 2)
NUMBERS = (15, 50, 150)
NO_DISTANCE = pd.Series(0.0, METRICS)
POPULATION = 900
PATCHES_AN_IMAGE = 128
COPIES_SHARE = 3
"""Ratio of the numbers of simulations with other photographs and with copies."""


def read_photographs(folder: Path, size: int) -> Images:
    """Centre crops of the photographs in a folder, N×size×size×3."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    chosen = np.random.default_rng(0).permutation(len(files))[:POPULATION]
    photographs = []
    for number in chosen:
        with Image.open(files[number]) as image:
            side = min(image.size)
            left, top = ((length - side) // 2 for length in image.size)
            centre = image.convert("RGB").crop((left, top, left + side, top + side))
            photographs.append(np.asarray(centre.resize((size, size), Image.BICUBIC)))
    return np.stack(photographs)


def make_textures(size: int) -> Images:
    """Noise at three scales with random tints, N×size×size×3."""
    random = np.random.default_rng(0)
    shape = (POPULATION, size, size, 3)
    noise = sum(
        ndimage.gaussian_filter(random.normal(0, 30 * s, shape), (0, s, s, 0))
        for s in (1, 2, 4)
    )
    tints = random.normal(128, 20, (POPULATION, 1, 1, 3))
    return np.clip(noise + tints, 0, 255).astype(np.uint8)


def add_noise(images: Images, random: np.random.Generator) -> Images:
    """Add uniform noise of up to ±2 levels."""
    noise = random.integers(-2, 3, images.shape)
    return np.clip(images + noise, 0, 255).astype(np.uint8)


def make_grey(images: Images, random: np.random.Generator) -> Images:
    """Luma in all channels, with new noise in every call."""
    luma = (images @ LUMA_WEIGHTS).round()
    return add_noise(np.repeat(luma[..., np.newaxis], 3, axis=3), random)


def blur(images: Images, random: np.random.Generator) -> Images:
    """Gaussian blur with sigma 1, with new noise in every call."""
    return add_noise(ndimage.gaussian_filter(images, (0, 1, 1, 0)), random)


COPIES: dict[str, Callable[[Images, np.random.Generator], Images]] = {
    "noise of ±2": add_noise,
    "grey": make_grey,
    "blurred": blur,
}


def simulate(
    photographs: Images,
    number: int,
    degrade: Callable[[Images], Images] | None,
    random: np.random.Generator,
) -> pd.DataFrame:
    """Floor, value and interval of a model, and p-value against an equal model."""
    order = random.permutation(len(photographs))
    targets, *others = (photographs[part] for part in np.split(order[: 3 * number], 3))
    sides = [degrade(targets), degrade(targets)] if degrade else others
    groups, shares = np.arange(number), np.full(number, 1 / number)
    one, two = (set_contributions([side], targets, groups) for side in sides)
    floor = set_floor(targets, groups).set_index("metric")["floor"]
    return pd.DataFrame(
        {
            name: [
                floor[name],
                *interval(one[name], shares),
                stats.ttest_1samp(one[name] - two[name], 0).pvalue,
            ]
            for name in METRICS
        },
        index=["floor", "value", "low", "high", "p"],
    ).T


def find_truth(photographs: Images, degrade: Callable[[Images], Images]) -> pd.Series:
    """Distances over all photographs, with as many patches per image as in small sets."""
    most = PATCHES_AN_IMAGE * len(photographs)
    with patch.object(realism, "PATCHES_A_LEVEL", most):
        everything = range(len(photographs))
        copies = [degrade(photographs)]
        return set_contributions(copies, photographs, everything).mean()


def describe(tables: list[pd.DataFrame], truth: pd.Series) -> Iterator[str]:
    """Yield the cells of each metric."""
    for name, digits in zip(METRICS, DECIMALS, strict=True):
        draws = pd.DataFrame([table.loc[name] for table in tables])
        covered = (draws["low"] <= truth[name]) & (truth[name] <= draws["high"])
        cells = [
            name,
            f"{truth[name]:.{digits}f}",
            f"{draws['floor'].mean():.{digits}f}",
            f"{draws['value'].mean():.{digits}f} ± {draws['value'].std():.{digits}f}",
            f"{covered.mean():.0%}",
            f"{(draws['low'] > truth[name]).mean():.0%}",
            f"{(draws['p'] < 0.05).mean():.0%}",
        ]
        yield " | ".join(cells)


def rows(photographs: Images, simulations: int, numbers: list[int]) -> Iterator[str]:
    """Yield the lines of the table."""
    yield (
        "| predictions | n | metric | truth | floor | value, mean ± deviation "
        "| interval holds the truth | lies above it | equal models: p < 0.05 |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    for what, copy in {"other photographs": None, **COPIES}.items():
        random = np.random.default_rng(0)
        degrade = partial(copy, random=random) if copy else None
        truth = find_truth(photographs, degrade) if degrade else NO_DISTANCE
        times = max(2, simulations // COPIES_SHARE if copy else simulations)
        for number in numbers:
            tables = [
                simulate(photographs, number, degrade, random) for _ in range(times)
            ]
            for cells in describe(tables, truth):
                yield f"| {what} | {number} | {cells} |"


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photographs", type=Path)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--simulations", type=int, default=100)
    parser.add_argument("--numbers", type=int, nargs="+", default=NUMBERS)
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    photographs = (
        read_photographs(arguments.photographs, arguments.size)
        if arguments.photographs
        else make_textures(arguments.size)
    )
    lines = []
    for line in rows(photographs, arguments.simulations, arguments.numbers):
        print(line, flush=True)
        lines.append(line)
    if arguments.write:
        write_section(arguments.write, "set distances", lines)


if __name__ == "__main__":
    main()
