"""Small folders of images and small tables, for the tests of pairing."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from image_translation.pairing.manifest import build_manifest
from image_translation.pairing.settings import (
    AuditSettings,
    PairingSettings,
    PreparationSettings,
    SplittingSettings,
)
from image_translation.sources import Source

RECIPE_SETTINGS: Mapping[str, Mapping[str, object]] = {
    "cartoon": {
        "smoothing": 3,
        "levels": 8,
        "saturation": 1.4,
        "lines": 1,
        "line_width": 0.012,
    },
    "painterly": {
        "paintings": None,
        "palette": 0.7,
        "brush": 1.5,
        "layers": 3,
        "length": 4,
        "curvature": 0.6,
        "threshold": 20,
        "jitter": 0.6,
        "seed": 0,
    },
    "hidden_digits": {"visibility": 0.8, "clutter": 0.3, "texture": 0.3, "seed": 0},
}


def picture(seed: int, height: int = 12, width: int = 16) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, (height, width, 3), dtype=np.uint8)


def write(path: Path, image: np.ndarray | int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = picture(image) if isinstance(image, int) else image
    Image.fromarray(pixels).save(path)
    return path


def write_pairs(root: Path, names: Mapping[str, int]) -> Path:
    """Input pictures with the given seeds, targets with seed + 1000."""
    for name, seed in names.items():
        write(root / "in" / f"{name}.png", seed)
        write(root / "out" / f"{name}.png", seed + 1000)
    return root


def source_of(*files: str, root: Path = Path("/nowhere"), **values) -> Source:
    return Source(name="test", root=root, files=tuple(sorted(files)), **values)


def pairing(**changes: object) -> PairingSettings:
    values: dict[str, object] = {
        "layout": "two_folders",
        "input": "in",
        "target": "out",
        "pattern": None,
        "recipe": None,
        "direction": "forward",
        **RECIPE_SETTINGS,
    }
    return PairingSettings.model_validate(values | changes)


def single(**changes: object) -> PairingSettings:
    return pairing(
        **{"layout": "single", "input": None, "target": None, "recipe": "grayscale"}
        | changes
    )


def splitting(
    groups: str | None = None,
    train: float = 0.6,
    validation: float = 0.2,
    table: str | None = None,
    **folders: str,
) -> SplittingSettings:
    test = 1 - train - validation
    nowhere = dict.fromkeys(("train", "validation", "test"))
    return SplittingSettings.model_validate(
        {
            "fractions": {"train": train, "validation": validation, "test": test},
            "folders": nowhere
            | {subset[:-7]: name for subset, name in folders.items()},
            "groups": groups,
            "table": table,
        }
    )


def auditing(**changes: object) -> AuditSettings:
    values: dict[str, object] = {
        "leave_out": "input_equals_target|repeated_target",
        "fatal": None,
        "near_duplicates": True,
    }
    return AuditSettings.model_validate(values | changes)


def list_pairs(source: Source, settings: PairingSettings) -> pd.DataFrame:
    """The manifest, with the audit's defaults."""
    return build_manifest(source, settings, auditing())[0]


def preparation(
    size: int = 32, fit: str = "resize", white: float | None = None
) -> PreparationSettings:
    return PreparationSettings.model_validate(
        {"image_size": size, "fit": fit, "white": white}
    )


def row(manifest: pd.DataFrame, file: str) -> pd.Series:
    """The row of a file."""
    rows = manifest[(manifest["input"] == file) | (manifest["target"] == file)]
    assert len(rows) == 1, f"{file} is in {len(rows)} rows"
    return rows.iloc[0]
