"""How fast PSNR and SSIM are against a plain scikit-image loop: a markdown table.

Both in one run, on noisy crops of a photograph. Run it with

    python benchmarks/fidelity.py --images 1000 --sizes 256
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from skimage import data
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from image_translation.metrics import psnr, ssim

Images = NDArray[np.uint8]
Scores = NDArray[np.float64]


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


def measure(
    function: Callable[[Images, Images], tuple[Scores, Scores]],
    images: tuple[Images, Images],
) -> tuple[tuple[Scores, Scores], float]:
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


if __name__ == "__main__":
    main()
