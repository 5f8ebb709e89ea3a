"""Compare the translation strategies on photographs at full size.

A trained model colorizes grey versions of the held-out photographs at their full size,
and the results are compared with the photographs. Then a photograph of 24 megapixels is
translated with each strategy, in a separate process. Train a model first, then run it
with

    python benchmarks/full_size.py data/06_models/colorization/unet/replicate-0

Other photographs are colorized with ``--photographs <folder>``; the gain over the grey
photograph then has a 95 % interval over photographs.
"""

import argparse
import multiprocessing
import resource
import time
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from scipy import stats

from image_translation.imaging.decoding import read_image
from image_translation.imaging.recipes.grayscale import grayscale
from image_translation.imaging.recipes.lab import to_lab, to_rgb
from image_translation.imaging.sample_photographs import PHOTOGRAPHS, TEST_PHOTOGRAPHS
from image_translation.metrics import FUNCTIONS
from image_translation.training.settings import InferenceSettings
from image_translation.training.trained import TrainedReplicate
from image_translation.translation.luminance import luma
from image_translation.translation.settings import TranslateSettings
from image_translation.translation.tiling import place_tiles
from image_translation.translation.translator import Translator, translate_pixels

CHOICES = (
    ("resize", 1.0),
    ("guided", 1.0),
    ("luminance", 1.0),
    ("luminance", 2.0),
    ("luminance", 4.0),
    ("tiles", 1.0),
)
METRICS = ("psnr", "ssim", "ciede2000")
INFERENCE = InferenceSettings(batch_size=16, dropout=False, batch_statistics=False)
LARGE = (6000, 4000)


def make_translator(folder: Path, strategy: str, scale: float) -> Translator:
    """Translator of a trained model with grey input."""
    settings = TranslateSettings(
        model="champion",
        strategy=strategy,
        grey_input=True,
        scale=scale,
        overlap=0.25,
        quality=98,
    )
    return Translator.read(TrainedReplicate.read(folder), INFERENCE, settings)


def keep_lightness(translated: np.ndarray, grey: np.ndarray) -> np.ndarray:
    """Variant of ``luminance``: a* and b* of the translation, L* of the grey image."""
    lab = to_lab(translated)
    lab[..., 0] = to_lab(grey)[..., 0]
    return to_rgb(lab)


def seam_ratio(image: np.ndarray, tile: int) -> float:
    """Ratio of the mean gradient across tile borders to that elsewhere, both axes."""
    ratios = []
    for axis in (0, 1):
        others = tuple({0, 1, 2} - {axis})
        gradient = np.abs(np.diff(image.astype(float), axis=axis)).mean(axis=others)
        starts = place_tiles(image.shape[axis], tile, 0.25)
        lines = {s - 1 for s in starts if s} | {s + tile - 1 for s in starts}
        at = np.isin(np.arange(len(gradient)), list(lines))
        ratios.append(gradient[at].mean() / gradient[~at].mean())
    return float(np.mean(ratios))


def measure_gains(
    model: Path, photographs: list[Path], strategy: str, scale: float
) -> pd.DataFrame:
    """Scores of grey photographs and of their colorization, one row per photograph.

    A photograph without colour is skipped: its grey version is perfect.
    """
    translator = make_translator(model, strategy, scale)
    rows = []
    for path in photographs:
        photo = read_image(path)
        grey = grayscale(photo)
        if np.array_equal(grey, photo):
            continue
        row: dict[str, object] = {"photograph": path.stem}
        for name, made in (("grey", grey), ("", translate_pixels(translator, grey))):
            for metric in METRICS:
                value = FUNCTIONS[metric](made[None], photo[None])[0]
                row[f"{name} {metric}".strip()] = value
        rows.append(row)
        print(pd.DataFrame([row]).round(3).to_string(index=False, header=False))
    return pd.DataFrame(rows)


def summarize_gains(table: pd.DataFrame) -> str:
    """Mean scores and gains over the grey photograph with 95 % intervals (BCa)."""
    lines = []
    for metric in METRICS:
        grey, made = table[f"grey {metric}"], table[metric]
        gains = (made - grey).to_numpy()
        interval = stats.bootstrap(
            (gains,), np.mean, rng=np.random.default_rng(0)
        ).confidence_interval
        lines.append(
            f"{metric}: grey {grey.mean():.4f}, colour {made.mean():.4f}, gain "
            f"{gains.mean():+.4f} ({interval.low:+.4f} to {interval.high:+.4f})"
        )
    return "\n".join(lines)


def compare(folder: Path) -> pd.DataFrame:
    """Mean scores over the held-out photographs, one row per strategy."""
    photos = [read_image(p.path) for p in PHOTOGRAPHS if p.name in TEST_PHOTOGRAPHS]
    rows = []

    def add(name: str, translated: list[np.ndarray], seconds: float) -> None:
        scores = {
            metric: np.mean(
                [
                    FUNCTIONS[metric](made[None], photo[None])[0]
                    for made, photo in zip(translated, photos, strict=True)
                ]
            )
            for metric in METRICS
        }
        differences = [
            np.abs(luma(made) - luma(grayscale(photo))).mean()
            for made, photo in zip(translated, photos, strict=True)
        ]
        seams = [
            seam_ratio(made, size) / seam_ratio(photo, size)
            for made, photo in zip(translated, photos, strict=True)
        ]
        rows.append(
            {"strategy": name, **scores, "luma difference": np.mean(differences)}
            | {"seam ratio": np.mean(seams), "seconds": seconds}
        )

    size = TrainedReplicate.read(folder).config["image_size"]
    greys = [grayscale(photo) for photo in photos]
    add("the grey photograph", greys, 0.0)
    for strategy, scale in CHOICES:
        translator = make_translator(folder, strategy, scale)
        start = time.perf_counter()
        made = [translate_pixels(translator, grey) for grey in greys]
        seconds = time.perf_counter() - start
        name = strategy if scale == 1 else f"{strategy}, scale {scale:g}"
        add(name, made, seconds)
        if (strategy, scale) == ("luminance", 1):
            pairs = zip(made, greys, strict=True)
            lab = [keep_lightness(*pair) for pair in pairs]
            add("the same colours, L* kept", lab, float("nan"))
    return pd.DataFrame(rows)


def translate_large(
    folder: Path, strategy: str, results: multiprocessing.Queue
) -> None:
    """Measure seconds and peak memory in GiB for a photograph of 24 megapixels."""
    photo = read_image(PHOTOGRAPHS[0].path)
    large = np.asarray(Image.fromarray(photo).resize(LARGE))
    translator = make_translator(folder, strategy, 1)
    start = time.perf_counter()
    translate_pixels(translator, large)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    results.put({"strategy": strategy, "seconds": seconds, "peak GiB": peak})


def main() -> None:
    """Print both tables, or the gains on other photographs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="folder of a trained replicate")
    parser.add_argument("--large", default="resize,guided,luminance,tiles")
    parser.add_argument("--photographs", type=Path, help="folder of photographs")
    parser.add_argument("--strategy", default="luminance")
    parser.add_argument("--scale", type=float, default=1.0)
    arguments = parser.parse_args()
    if arguments.photographs is not None:
        paths = sorted(p for p in arguments.photographs.iterdir() if p.is_file())
        choice = arguments.strategy, arguments.scale
        print(summarize_gains(measure_gains(arguments.model, paths, *choice)))
        return
    print(compare(arguments.model).round(3).to_string(index=False), flush=True)
    context = multiprocessing.get_context("spawn")
    for strategy in filter(None, arguments.large.split(",")):
        results = context.Queue()
        process = context.Process(
            target=translate_large, args=(arguments.model, strategy, results)
        )
        process.start()
        print(results.get(), flush=True)
        process.join()


if __name__ == "__main__":
    main()
