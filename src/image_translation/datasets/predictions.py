"""Predictions as image files, one per test image and replicate."""

import hashlib
import io
import json
import logging
import shutil
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from kedro.io import AbstractDataset, DatasetError
from numpy.typing import NDArray
from PIL import Image

from image_translation.common.errors import InputError
from image_translation.common.stamps import Stamp
from image_translation.datasets.previews import (
    COLUMNS,
    ROWS,
    ImagePreview,
    preview_images,
)
from image_translation.imaging.contact_sheet import evenly_spaced

logger = logging.getLogger(__name__)

# PNG is lossless at every level; the lowest is several times faster to write
PNG_COMPRESSION = 1

INDEX = "index.json"


@dataclass(frozen=True)
class PredictionBatch:
    """A batch of predictions of one replicate.

    Attributes:
        replicate: Number of the replicate.
        pair_ids: One per prediction.
        images: uint8, N×H×W×3.
    """

    replicate: int
    pair_ids: Sequence[str]
    images: NDArray[np.uint8]


@dataclass(frozen=True)
class Predictions:
    """A folder of predictions, read on demand.

    Attributes:
        folder: Contains ``<pair_id>.png`` of the first replicate; those of replicate k
            are in ``replicate-<k>``.
        replicates: Number of replicates; 0 for a model that did not run.
        fingerprint: Digest of the images.
    """

    folder: Path
    replicates: int
    fingerprint: str

    def read(self, pair_id: str, replicate: int = 0) -> NDArray[np.uint8]:
        """One prediction: uint8, H×W×3.

        Raises:
            InputError: Its file is missing or damaged.
        """
        path = image_path(self.folder, pair_id, replicate)
        content = path.read_bytes() if path.is_file() else b""
        name = path.relative_to(self.folder).as_posix()
        if hashlib.sha256(content).hexdigest() != self._digests.get(name):
            raise InputError(
                f"{path} is damaged or missing. Remove {Stamp(self.folder).path} and run "
                "the task's pipeline again to recreate the predictions"
            )
        with Image.open(io.BytesIO(content)) as image:
            return np.asarray(image)

    @cached_property
    def _digests(self) -> dict[str, str]:
        return Stamp(self.folder).digests()

    def read_batches(
        self, pair_ids: Sequence[str], replicate: int, batch_size: int = 64
    ) -> Iterator[NDArray[np.uint8]]:
        """Predictions in the order of ``pair_ids``: uint8, n×H×W×3, n ≤ batch size."""
        with ThreadPoolExecutor() as pool:
            for start in range(0, len(pair_ids), batch_size):
                chunk = pair_ids[start : start + batch_size]
                yield np.stack(list(pool.map(lambda p: self.read(p, replicate), chunk)))


def image_path(folder: Path, pair_id: str, replicate: int) -> Path:
    """Path of the prediction for a pair."""
    parent = folder if replicate == 0 else folder / f"replicate-{replicate}"
    return parent / f"{pair_id}.png"


def read_predictions(folder: Path) -> Predictions:
    """The predictions in a folder, with images loaded on demand."""
    index = json.loads((folder / INDEX).read_text("utf-8"))
    return Predictions(
        folder=folder,
        replicates=index["replicates"],
        fingerprint=Stamp(folder).read_content() or "",
    )


def write_predictions(folder: Path, batches: Iterable[PredictionBatch]) -> None:
    """Replace the predictions in a folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    replicates = 0
    with ThreadPoolExecutor() as pool:
        for batch in batches:
            replicates = max(replicates, batch.replicate + 1)
            paths = [
                image_path(folder, pair_id, batch.replicate)
                for pair_id in batch.pair_ids
            ]
            paths[0].parent.mkdir(exist_ok=True)
            list(pool.map(_write_image, paths, batch.images))
    index = json.dumps({"replicates": replicates})
    (folder / INDEX).write_text(index + "\n", "utf-8")


class PredictionsDataset(AbstractDataset[Predictions, Predictions]):
    """A folder of predictions with a stamp.

    The inference node receives the folder as a separate dataset and writes to it in
    batches.

    Example:
        ```yaml
        pix2pix.predictions:
          type: image_translation.datasets.predictions.PredictionsDataset
          filepath: data/07_model_output/colorization/pix2pix/predictions
        ```
    """

    def __init__(
        self, *, filepath: str, metadata: dict[str, Any] | None = None
    ) -> None:
        """Create the dataset.

        Args:
            filepath: The folder, which the inference node replaces.
            metadata: Any metadata; ignored by Kedro, read by plugins.
        """
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Predictions:
        """The predictions, with images loaded on demand."""
        return read_predictions(self._filepath)

    def save(self, data: Predictions) -> None:
        """Check that the node has written the predictions into the folder."""
        if Stamp(self._filepath).read_content() != data.fingerprint:
            raise DatasetError(f"{self._filepath} does not contain these predictions")

    def preview(self) -> ImagePreview:
        """Evenly spaced predictions of the first replicate."""
        files = sorted(self._filepath.glob("*.png"))
        if not files:
            raise DatasetError(f"{self._filepath} contains no predictions yet")
        chosen = [files[i].stem for i in evenly_spaced(len(files), COLUMNS * ROWS)]
        predictions = self.load()
        return preview_images(np.stack([predictions.read(stem) for stem in chosen]))

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

    def _exists(self) -> bool:
        return Stamp(self._filepath).read() is not None


def _write_image(path: Path, image: NDArray[np.uint8]) -> None:
    Image.fromarray(image).save(path, compress_level=PNG_COMPRESSION)
