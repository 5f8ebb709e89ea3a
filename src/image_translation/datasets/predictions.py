"""Predictions as image files, one for every test image and replicate."""

import json
import logging
import shutil
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from kedro.io import AbstractDataset, DatasetError
from kedro_datasets._typing import ImagePreview
from numpy.typing import NDArray
from PIL import Image

from image_translation.datasets.previews import COLUMNS, ROWS, preview_images
from image_translation.fingerprint import Deferred, Stamp
from image_translation.imaging.sheet import spread_indices

logger = logging.getLogger(__name__)

# PNG is lossless at every level; the lowest is several times faster to write.
PNG_COMPRESSION = 1


@dataclass(frozen=True)
class PredictionBatch:
    """Some predictions of one replicate.

    Attributes:
        replicate: Number of the replicate.
        pair_ids: One a prediction.
        images: uint8, N×H×W×3.
    """

    replicate: int
    pair_ids: Sequence[str]
    images: NDArray[np.uint8]


@dataclass(frozen=True)
class Predictions:
    """A folder of predictions, read when they are asked for.

    Attributes:
        folder: Holds ``<pair_id>.png`` of the first replicate; those of replicate k
            are in ``replicate-<k>``.
        replicates: How many replicates there are; 0 for a model that did not run.
        fingerprint: Digest of what the predictions were made from.
    """

    folder: Path
    replicates: int
    fingerprint: str

    def read(self, pair_id: str, replicate: int = 0) -> NDArray[np.uint8]:
        """One prediction: uint8, H×W×3."""
        with Image.open(image_path(self.folder, pair_id, replicate)) as image:
            return np.asarray(image)

    def read_batches(
        self, pair_ids: Sequence[str], replicate: int, batch_size: int = 64
    ) -> Iterator[NDArray[np.uint8]]:
        """Predictions in the order of ``pair_ids``: uint8, n×H×W×3, n ≤ batch size."""
        with ThreadPoolExecutor() as pool:
            for start in range(0, len(pair_ids), batch_size):
                chunk = pair_ids[start : start + batch_size]
                yield np.stack(list(pool.map(lambda p: self.read(p, replicate), chunk)))


def image_path(folder: Path, pair_id: str, replicate: int) -> Path:
    """Where the prediction for a pair is kept."""
    parent = folder if replicate == 0 else folder / f"replicate-{replicate}"
    return parent / f"{pair_id}.png"


class PredictionsDataset(AbstractDataset[Deferred, Predictions]):
    """A folder of predictions with a fingerprint.

    Saves a deferred stream of :class:`PredictionBatch`, unless the folder was made
    from the same things.

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
        """Point at a folder.

        Args:
            filepath: The folder; replaced as a whole when it is saved.
            metadata: Not used by Kedro; read by plugins.
        """
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Predictions:
        """The predictions, by reference."""
        index = json.loads((self._filepath / "index.json").read_text("utf-8"))
        return Predictions(
            folder=self._filepath,
            replicates=index["replicates"],
            fingerprint=Stamp(self._filepath).read() or "",
        )

    def save(self, data: Deferred[Iterable[PredictionBatch]]) -> None:
        """Make and write the predictions, unless they are up to date."""
        stamp = Stamp(self._filepath)
        if stamp.matches(data.fingerprint):
            logger.info("%s are up to date", "/".join(self._filepath.parts[-3:]))
            return
        shutil.rmtree(self._filepath, ignore_errors=True)
        self._filepath.mkdir(parents=True)
        replicates = 0
        with ThreadPoolExecutor() as pool:
            for batch in data.make():
                replicates = max(replicates, batch.replicate + 1)
                paths = [
                    image_path(self._filepath, pair_id, batch.replicate)
                    for pair_id in batch.pair_ids
                ]
                paths[0].parent.mkdir(exist_ok=True)
                list(pool.map(_write_image, paths, batch.images))
        index = json.dumps({"replicates": replicates})
        (self._filepath / "index.json").write_text(index + "\n", "utf-8")
        stamp.write(data.fingerprint)

    def preview(self) -> ImagePreview:
        """Some predictions of the first replicate, spread over all."""
        files = sorted(self._filepath.glob("*.png"))
        if not files:
            raise DatasetError(f"{self._filepath} holds no predictions yet")
        chosen = [files[i].stem for i in spread_indices(len(files), COLUMNS * ROWS)]
        predictions = self.load()
        return preview_images(np.stack([predictions.read(stem) for stem in chosen]))

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

    def _exists(self) -> bool:
        return Stamp(self._filepath).read() is not None


def _write_image(path: Path, image: NDArray[np.uint8]) -> None:
    Image.fromarray(image).save(path, compress_level=PNG_COMPRESSION)
