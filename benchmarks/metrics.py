"""How fast images are scored: two markdown tables.

PSNR and SSIM against a plain scikit-image loop, both in one run, and all default metrics,
those of single images and those of the set, on noisy crops of a photograph. Run it with

    python benchmarks/metrics.py --images 1000 --sizes 256
"""

import argparse
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from skimage import data
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from image_translation.metrics import psnr, score_images, score_sets, ssim

Images = NDArray[np.uint8]
Scores = NDArray[np.float64]
Result = TypeVar("Result")


def make_images(number: int, size: int) -> tuple[Images, Images]:
    """Predictions and targets, N×size×size×3."""
    random = np.random.default_rng(0)
    photo = np.tile(data.astronaut(), (2, 2, 1))
    corners = random.integers(0, 512, (number, 2))
    targets = np.stack([photo[y : y + size, x : x + size] for y, x in corners])
    noise = random.integers(-20, 21, targets.shape, dtype=np.int16)
    return np.clip(targets + noise, 0, 255).astype(np.uint8), targets


def score_by_loop(predictions: Images, targets: Images) -> tuple[Scores, Scores]:
    """PSNR and SSIM by scikit-image, one image after the other."""
    pairs = list(zip(targets, predictions, strict=True))
    return (
        np.array([peak_signal_noise_ratio(a, b, data_range=255) for a, b in pairs]),
        np.array(
            [
                structural_similarity(
                    a,
                    b,
                    gaussian_weights=True,
                    sigma=1.5,
                    use_sample_covariance=False,
                    data_range=255,
                    channel_axis=-1,
                )
                for a, b in pairs
            ]
        ),
    )


def score(predictions: Images, targets: Images) -> tuple[Scores, Scores]:
    """PSNR and SSIM by this project."""
    return psnr(predictions, targets), ssim(predictions, targets)


def score_set(predictions: Images, targets: Images) -> pd.DataFrame:
    """All distances between the sets, every image a group."""
    return score_sets([predictions], targets, np.arange(len(targets)))


def measure(
    function: Callable[[Images, Images], Result], images: tuple[Images, Images]
) -> tuple[Result, float]:
    """Result, and seconds of the faster of two calls."""
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        result = function(*images)
        seconds.append(time.perf_counter() - start)
    return result, min(seconds)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128, 256])
    arguments = parser.parse_args()
    print("PSNR and SSIM\n")
    print("| pixels | loop, images/s | here, images/s | ratio | largest deviation |")
    print("|---|---|---|---|---|")
    for size in arguments.sizes:
        images = make_images(arguments.images, size)
        expected, loop = measure(score_by_loop, images)
        result, here = measure(score, images)
        deviation = max(
            np.abs(a - b).max() for a, b in zip(result, expected, strict=True)
        )
        print(
            f"| {size} | {arguments.images / loop:.0f} | {arguments.images / here:.0f} "
            f"| {loop / here:.1f} | {deviation:.0e} |"
        )
    print("\nAll metrics\n")
    print("| pixels | of single images, images/s | of the set too, images/s |")
    print("|---|---|---|")
    for size in arguments.sizes:
        images = make_images(arguments.images, size)
        _, alone = measure(score_images, images)
        _, sets = measure(score_set, images)
        print(
            f"| {size} | {arguments.images / alone:.0f} "
            f"| {arguments.images / (alone + sets):.0f} |"
        )


if __name__ == "__main__":
    main()
