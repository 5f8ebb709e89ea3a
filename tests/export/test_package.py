import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from image_translation.common.errors import InputError
from image_translation.export import formats, package
from image_translation.export.package import ModelExport
from image_translation.training.inference import translate
from image_translation.training.settings import InferenceSettings
from tests.training.conftest import make_pairs

pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def pairs():
    return make_pairs(6)


def test_export_contains_verified_files_and_runnable_code(
    generator, pairs, make_facts, tmp_path
):
    facts = make_facts(grey_input=False)
    export = ModelExport(generator, pairs, make_pairs(3, seed=1), 6, facts, "seed 0")
    export.write(tmp_path)
    assert formats.load_onnx(tmp_path / "model.onnx").origin == "seed 0"
    table = pd.read_csv(tmp_path / "variants.csv").set_index("variant")
    assert {file for file in table["file"]} <= {f.name for f in tmp_path.iterdir()}
    assert table.loc["onnx fp32", "psnr_to_torch"] >= 50
    assert table.loc["torch.export fp32", "psnr_to_torch"] >= 50
    assert table.loc["onnx int8", "bytes"] < table.loc["onnx fp32", "bytes"] / 2

    # the card's code gives what the pipeline gives
    Image.fromarray(pairs.inputs[0]).save(tmp_path / "photo.jpg", "PNG")
    protocol = InferenceSettings(
        batch_size=1, dropout=False, batch_statistics=False, flips=False
    )
    (expected,) = next(translate(generator, pairs.inputs[:1], protocol))
    text = (tmp_path / "MODEL_CARD.md").read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.S)
    assert len(blocks) == 2
    for block in blocks:
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", block], cwd=tmp_path, check=True
        )
        with Image.open(tmp_path / "translated.png") as image:
            difference = np.asarray(image).astype(int) - expected
        assert np.abs(difference).max() <= 1
        (tmp_path / "translated.png").unlink()


def test_disagreeing_runtime_is_an_error(
    generator, pairs, make_facts, tmp_path, monkeypatch
):
    load = formats.load_onnx
    monkeypatch.setattr(
        formats, "load_onnx", lambda path: lambda x: load(path)(x) + np.float32(0.1)
    )
    with pytest.raises(InputError, match="50 dB are required"):
        ModelExport(generator, pairs, pairs, 6, make_facts(), "").write(tmp_path)
    assert not (tmp_path / package.CARD).exists()
