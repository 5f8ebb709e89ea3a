"""The model that MLflow serves; MLflow runs this file to load it.

The input is a column ``image`` of base64 text, bytes of a file, or pixels (uint8, H×W×3,
also as nested lists); the output has the same kind and size.
"""

import base64
import binascii
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc import PythonModel

from image_translation.imaging.decoding import UnreadableImageError
from image_translation.training.settings import InferenceSettings
from image_translation.training.trained import TrainedReplicate
from image_translation.translation.encoded_images import (
    Translator,
    translate_encoded,
    translate_pixels,
)
from image_translation.translation.settings import ServedSettings

logger = logging.getLogger(__name__)


class RefusedInputError(MlflowException, ValueError):
    """An error whose message MLflow's server returns.

    For any other error, the server returns a traceback that contains its paths.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message, error_code=INVALID_PARAMETER_VALUE)


class ServedModel(PythonModel):
    """A trained replicate as MLflow loads it."""

    _white: float | None = None

    def load_context(self, context: Any) -> None:
        folder = Path(context.artifacts["weights"]).parent
        inference = InferenceSettings.model_validate(context.model_config["inference"])
        how = ServedSettings.model_validate(context.model_config["translation"])
        trained = TrainedReplicate.read(folder)
        self._translator = Translator.read(trained, inference, how)
        self._white = how.white

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: Any = None
    ) -> pd.DataFrame:
        """Translate the images of a column ``image``, one by one.

        Raises:
            RefusedInputError: An image is unusable, or an unexpected error occurred.
        """
        try:
            images = pd.DataFrame(model_input)["image"]
            return pd.DataFrame({"image": [self._translate(image) for image in images]})
        except RefusedInputError:
            raise
        except UnreadableImageError as error:
            raise RefusedInputError(f"an image is unusable: {error.reason}") from None
        except binascii.Error:
            raise RefusedInputError("an image is not base64 text") from None
        except KeyError:
            raise RefusedInputError("the input has no column image") from None
        except Exception:
            logger.exception("An image cannot be translated")
            raise RefusedInputError(
                "an image cannot be translated; see the server's log"
            ) from None

    def _translate(self, image: Any) -> Any:
        if isinstance(image, str):
            data = base64.b64decode(image.rpartition(",")[2])  # also of a data URL
            return base64.b64encode(self._translate(data)).decode()
        if isinstance(image, bytes):
            return translate_encoded(self._translator, image, self._white)
        if isinstance(image, list) and image and isinstance(image[0], str | bytes):
            return [self._translate(one) for one in image]
        pixels = _as_bytes(np.asarray(image))
        if pixels.ndim == 4:
            return np.stack([self._translate(one) for one in pixels])
        if pixels.ndim != 3 or pixels.shape[2] != 3:
            raise RefusedInputError(
                f"pixels are height × width × 3, not {' × '.join(map(str, pixels.shape))};"
                ' pass them as pandas.DataFrame({"image": [pixels]})'
            )
        return translate_pixels(self._translator, pixels)


def _as_bytes(pixels: np.ndarray) -> np.ndarray:
    """Whole numbers from 0 to 255 as uint8; others would become other numbers."""
    if pixels.dtype == np.uint8:
        return pixels
    is_whole = np.issubdtype(pixels.dtype, np.integer)
    if not is_whole or pixels.size == 0 or pixels.min() < 0 or pixels.max() > 255:
        raise RefusedInputError(
            f"pixels are whole numbers from 0 to 255 (uint8), not {pixels.dtype}"
            + (f" from {pixels.min()} to {pixels.max()}" if pixels.size else "")
        )
    return pixels.astype(np.uint8)


set_model(ServedModel())
