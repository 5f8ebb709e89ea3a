import base64
import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from mlflow.pyfunc import scoring_server

from image_translation.runs import served_model
from image_translation.runs.served_model import RefusedInputError, ServedModel


@pytest.fixture
def model(monkeypatch):
    """A served model whose translator fails, with a path in the error."""

    def fail(*_):
        raise OSError("/home/somebody/weights.safetensors is not there")

    model = ServedModel()
    model._translator = None
    monkeypatch.setattr(served_model, "translate_pixels", fail)
    return SimpleNamespace(predict=lambda data: model.predict(None, data))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("abcde", "an image is not base64 text"),
        (base64.b64encode(b"no image").decode(), "an image is unusable: not an image"),
        (b"no image", "an image is unusable: not an image"),
        ([[1.5]], "pixels are whole numbers"),
        ([[1, 2]], "pixels are height × width × 3"),
        (np.zeros((2, 2, 3), np.uint8), "see the server's log"),
    ],
)
def test_errors_show_no_paths(model, image, message):
    with pytest.raises(RefusedInputError, match=message) as error:
        model.predict(pd.DataFrame({"image": [image]}))
    shown = json.loads(error.value.serialize_as_json())
    assert "/" not in shown["message"] and "stack_trace" not in shown


def test_missing_column_is_named(model):
    with pytest.raises(RefusedInputError, match="no column image"):
        model.predict(pd.DataFrame({"other": [1]}))


def test_mlflow_server_shows_no_traceback(model):
    model.metadata = SimpleNamespace(get_input_schema=lambda: None)
    body = json.dumps({"dataframe_records": [{"image": "x"}]})
    with pytest.raises(RefusedInputError) as error:
        scoring_server.invocations(body, "application/json", model, None)
    assert error.value.get_http_status_code() == 400
    assert "Traceback" not in error.value.serialize_as_json()
