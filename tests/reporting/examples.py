"""Synthetic contents of a report that look like the real thing.

Targets are crops of bundled photographs, inputs their grey version; "models" are
blurs, noise and lost saturation of known strength.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter
from skimage import data
from sklearn.datasets import load_sample_image

from image_translation.metrics import (
    METRICS,
    score_images,
    set_contributions,
    set_floor,
)
from image_translation.reporting.gallery import choose_gallery
from image_translation.reporting.report_content import (
    DataSummary,
    GalleryItem,
    Image,
    ReportContent,
)
from image_translation.statistics.comparison import compare_task

SIZE = 64
PHOTOGRAPHS: dict[str, Callable[[], Image]] = {
    "astronaut": data.astronaut,
    "chelsea": data.chelsea,
    "coffee": data.coffee,
    "rocket": data.rocket,
    "china": lambda: load_sample_image("china.jpg"),
    "flower": lambda: load_sample_image("flower.jpg"),
}
ABOUT = {
    "pix2pix": ("unet", "adversarial 1 + L1 100"),
    "unet": ("unet", "L1"),
    "autoencoder": ("autoencoder", "L1"),
    "autoencoder_gan": ("autoencoder", "adversarial 1 + L1 100"),
    "copy_input": ("copy_input", ""),
    "mean_target": ("mean_target", ""),
}
TRAINED = ("pix2pix", "unet", "autoencoder", "autoencoder_gan")


def make_content(
    *,
    n_photographs: int = 4,
    crops: int = 6,
    gallery: int = 6,
    without: Sequence[str] = (),
    failed: Sequence[str] = (),
    replicates: int = 1,
    size: int = SIZE,
) -> ReportContent:
    """A report's content.

    Every model in ``without`` failed in its first training, so that it has no scores;
    every model in ``failed`` in its last one, which has no scores.
    More photographs than there are come from crops that count as photographs.
    """
    rng = np.random.default_rng(7)
    pairs = _pairs(n_photographs, crops, size, rng)
    mean_target = np.mean([target for _, _, _, target in pairs], axis=0)
    models = [model for model in ABOUT if model not in without]
    predictions = {
        model: [
            _predict(model, given, target, mean_target, rng)
            for _, _, given, target in pairs
        ]
        for model in models
    }
    trainings = {
        model: replicates - (model in failed) if model in TRAINED else 1
        for model in models
    }
    scores = {
        model: _scores(pairs, images, trainings[model], rng)
        for model, images in predictions.items()
    }
    with_missing = {model: scores.get(model, pd.DataFrame()) for model in ABOUT}
    compared = compare_task(
        _with_sets(pairs, predictions, with_missing), failed=[*without, *failed]
    )
    return ReportContent(
        task="colorization",
        question="Which model turns grey photographs into colour photographs best, "
        "and by how much?",
        comparison=compared.comparison,
        verdicts=compared.verdicts,
        effects=compared.effects,
        scores=with_missing,
        histories={m: _history(m, trainings[m], rng) for m in TRAINED if m in models},
        models=_models(without, failed, trainings),
        gallery=_gallery(pairs, predictions, scores, gallery),
        data=_data(pairs),
        settings=_settings(),
        environment={
            "date": "2026-01-05 14:02 UTC",
            "git commit": "4f2c1e9",
            "python": "3.11.9",
            "torch": "2.13.0",
            "platform": "Linux x86_64",
            "cpu": "2 cores",
        },
        floors=set_floor(
            np.stack([pair[3] for pair in pairs]), [pair[1] for pair in pairs]
        ),
    )


def _pairs(
    n_photographs: int, crops: int, size: int, rng: np.random.Generator
) -> list[tuple[str, str, Image, Image]]:
    """Rows of pair_id, group, input, target."""
    names = list(PHOTOGRAPHS)
    pairs = []
    for number in range(n_photographs):
        photo = PHOTOGRAPHS[names[number % len(names)]]()
        group = names[number % len(names)] + (
            f"-{number // len(names)}" if number >= len(names) else ""
        )
        for crop in range(crops):
            step = 2 * 64 // size + 1
            y = rng.integers(photo.shape[0] - size * step)
            x = rng.integers(photo.shape[1] - size * step)
            window = photo[y : y + size * step, x : x + size * step]
            target = window.reshape(size, step, size, step, 3).mean(axis=(1, 3))
            grey = target @ [0.299, 0.587, 0.114]
            pairs.append(
                (
                    f"{number:08x}{crop:08x}",
                    group,
                    _image(np.repeat(grey[..., None], 3, axis=2)),
                    _image(target),
                )
            )
    return pairs


def _predict(
    model: str,
    given: Image,
    target: Image,
    mean: np.ndarray,
    rng: np.random.Generator,
) -> Image:
    if model == "copy_input":
        return given
    if model == "mean_target":
        return _image(mean)
    architecture, objective = ABOUT[model]
    colour, blur = (0.7, 0.3) if architecture == "unet" else (0.55, 1.6)
    noise = 6.0 if "adversarial" in objective else 2.0
    mixed = colour * target + (1 - colour) * given.astype(float)
    smooth = gaussian_filter(mixed, (blur, blur, 0))
    shift = rng.normal(0, 4, 3) * (2 if "adversarial" in objective else 1)
    return _image(smooth + shift + rng.normal(0, noise, target.shape))


def _scores(
    pairs: list[tuple[str, str, Image, Image]],
    images: list[Image],
    replicates: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Scores of the images; further replicates differ by a little."""
    names = pd.DataFrame([pair[:2] for pair in pairs], columns=["pair_id", "group"])
    first = score_images(np.stack(images), np.stack([pair[3] for pair in pairs]))
    tables = []
    for replicate in range(replicates):
        factor = 1 + 0.01 * rng.normal() * (replicate > 0)
        tables.append(
            pd.concat([names.assign(replicate=replicate), first * factor], axis=1)
        )
    return pd.concat(tables, ignore_index=True)


def _with_sets(
    pairs: Sequence[tuple[str, str, Image, Image]],
    predictions: dict[str, list[Image]],
    scores: dict[str, pd.DataFrame],
) -> dict[str, pd.DataFrame]:
    """Scores, and the contributions of the images to the distances between sets."""
    targets = np.stack([pair[3] for pair in pairs])
    groups = [pair[1] for pair in pairs]
    joined = dict(scores)
    for model, images in predictions.items():
        sets = set_contributions([np.stack(images)], targets, groups)
        sets = sets.assign(pair_id=[pair[0] for pair in pairs])
        joined[model] = scores[model].merge(sets, on="pair_id")
    return joined


def _history(model: str, replicates: int, rng: np.random.Generator) -> pd.DataFrame:
    epochs = np.arange(1, 21)
    rows = []
    for replicate in range(replicates):
        gain = 1 - np.exp(-epochs / 5)
        psnr = 18 + 6 * gain + rng.normal(0, 0.2, len(epochs))
        adversarial = "adversarial" in ABOUT[model][1]
        for number, epoch in enumerate(epochs):
            rows.append(
                {
                    "replicate": replicate,
                    "epoch": epoch,
                    "seconds": 2.5 * epoch,
                    "train/l1": 0.3 - 0.2 * gain[number] + rng.normal(0, 0.004),
                    "train/adversarial": 0.7 + 0.05 * epoch if adversarial else np.nan,
                    "train/discriminator": 1.3 - 0.03 * epoch
                    if adversarial
                    else np.nan,
                    "validation/mse": 10 ** (-psnr[number] / 10),
                    "validation/psnr": psnr[number],
                    "validation/ssim": 0.5 + 0.4 * gain[number],
                    "validation/swd": 300 - 200 * gain[number] + rng.normal(0, 9),
                }
            )
    return pd.DataFrame(rows)


def _models(
    without: Sequence[str], failed: Sequence[str], trainings: Mapping[str, int]
) -> pd.DataFrame:
    reasons = dict.fromkeys(without, "the loss was not a number after epoch 3")
    for model in failed:
        reasons[model] = f"replicate {trainings[model]}: training diverged in epoch 1"
    rows = []
    for model, (network, objective) in ABOUT.items():
        trained = model in TRAINED and model not in without
        wide = network == "unet"
        rows.append(
            {
                "model": model,
                "network": network,
                "objective": objective,
                "status": "failed"
                if model in reasons
                else "trained"
                if trained
                else "baseline",
                "reason": reasons.get(model, ""),
                "parameters": (3.42e6 if wide else 1.2e6) if trained else None,
                "gmac": (0.38 if wide else 0.11) if trained else None,
                "seconds": (74.0 if wide else 41.0) if trained else None,
                "images_per_second": 112.0 if trained else None,
                "best_epoch": ", ".join(["17"] * trainings[model]) if trained else None,
                "replicates": trainings[model] if trained else None,
            }
        )
    return pd.DataFrame(rows)


def _gallery(
    pairs: list[tuple[str, str, Image, Image]],
    predictions: dict[str, list[Image]],
    scores: dict[str, pd.DataFrame],
    n: int,
) -> list[GalleryItem]:
    position = {pair[0]: number for number, pair in enumerate(pairs)}
    items = []
    for pair_id, why in choose_gallery(scores, n):
        number = position[pair_id]
        _, group, given, target = pairs[number]
        first = {
            m: t[(t["pair_id"] == pair_id) & (t["replicate"] == 0)].iloc[0]
            for m, t in scores.items()
        }
        items.append(
            GalleryItem(
                pair_id=pair_id,
                group=group,
                name=f"{group}-{number}.png",
                input=given,
                target=target,
                predictions={m: images[number] for m, images in predictions.items()},
                scores={m: {k: row[k] for k in METRICS} for m, row in first.items()},
                why=why,
            )
        )
    return items


def _data(pairs: list[tuple[str, str, Image, Image]]) -> DataSummary:
    groups = list(dict.fromkeys(pair[1] for pair in pairs))
    return DataSummary(
        source="photographs",
        credit="Photographs that ship with scikit-image and scikit-learn; "
        "licences are listed in docs/data.md.",
        n_found=183,
        n_used=180,
        left_out=pd.DataFrame(
            {
                "reason": ["unreadable", "duplicate pair"],
                "count": [1, 2],
                "example": ["broken.jpg", "12.jpg = 90.jpg"],
            }
        ),
        findings=pd.DataFrame(
            {
                "finding": ["unreadable", "duplicate_pair", "colourless_target"],
                "severity": ["error", "warning", "warning"],
                "count": [1, 2, 4],
                "examples": ["broken.jpg", "12.jpg | 90.jpg", "rocket-3.png"],
                "action": ["left out", "left out", "kept"],
                "explanation": ["Damaged.", "The same twice.", "Grey."],
            }
        ),
        splits=pd.DataFrame(
            {
                "split": ["train", "validation", "test"],
                "n_pairs": [132, 24, len(pairs)],
                "n_groups": [7, 2, len(groups)],
                "groups": [
                    "colorwheel, hubble, lily, retina, moon, grace, motorcycle",
                    "page, coins",
                    ", ".join(groups),
                ],
            }
        ),
        derived="input",
        recipe="grayscale: The photo's luma (BT.601)",
    )


def _settings() -> dict[str, object]:
    settings: dict[str, object] = {
        "colorization.source": "photographs",
        "colorization.pairing.layout": "single",
        "colorization.pairing.recipe": "grayscale",
        "colorization.preparation.image_size": SIZE,
        "colorization.preparation.fit": "resize",
    }
    for model in TRAINED:
        settings |= {
            f"colorization.{model}.training.epochs": 20,
            f"colorization.{model}.training.batch_size": 8,
            f"colorization.{model}.training.learning_rate": 0.0002,
            f"colorization.{model}.training.select_by": "psnr",
            f"colorization.{model}.training.seed": 0,
            f"colorization.{model}.inference.dropout": False,
            f"colorization.{model}.inference.batch_statistics": False,
        }
    return settings


def _image(values: np.ndarray) -> Image:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)
