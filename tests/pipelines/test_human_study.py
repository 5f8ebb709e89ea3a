import io
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from image_translation.cli.options import choose_task
from image_translation.common.errors import InputError
from image_translation.common.stamps import Stamp
from image_translation.datasets.predictions import Predictions, image_path
from image_translation.pairing.arrays import PairArrays
from image_translation.pipelines.human_study.nodes import study_votes, write_blind_test
from image_translation.reporting.settings import ReportSettings


@pytest.fixture
def key(tmp_path):
    """The key of a blind test of two models on three pairs."""
    rng = np.random.default_rng(0)
    names = ["aa", "bb", "cc"]
    images = rng.integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    index = pd.DataFrame({"pair_id": names, "group": names})
    made = {}
    for model in ("pix2pix", "unet"):
        (tmp_path / model).mkdir()
        for name, image in zip(names, images, strict=True):
            for replicate in range(2):
                path = image_path(tmp_path / model, name, replicate)
                path.parent.mkdir(exist_ok=True)
                Image.fromarray(image // 2 + replicate).save(path)
        Stamp(tmp_path / model).write("f")
        made[f"{model}.predictions"] = Predictions(tmp_path / model, 2, "")
    made["autoencoder.predictions"] = Predictions(tmp_path, 0, "")
    settings = ReportSettings(gallery=1, blind_questions=8)
    html, key = (
        part.value
        for part in write_blind_test(
            "monet", settings, PairArrays(images, images, index, ""), **made
        )
    )
    assert "unet" not in html and "pix2pix" not in html
    assert {q["left_replicate"] for q in key["questions"].values()} == {0, 1}
    return key


def write_votes(folder, key, judge):
    folder.mkdir(exist_ok=True)
    votes = [
        {"question": name, "choice": "left" if asked["left"] == "unet" else "right"}
        for name, asked in key["questions"].items()
    ]
    content = {"page": key["page"], "judge": judge, "votes": votes}
    (folder / f"votes-{judge}.json").write_text(json.dumps(content), "utf-8")


def test_votes_of_a_folder_become_a_table_and_a_figure(key, tmp_path):
    for judge in ("ada", "grace"):
        write_votes(tmp_path / "votes", key, judge)
    table, png = study_votes(str(tmp_path / "votes"), key)
    assert list(table.columns[:7]) == [
        "kind",
        "model_a",
        "model_b",
        "n",
        "rate",
        "ci_low",
        "ci_high",
    ]
    compared = table.query("kind == 'preference'").iloc[0]
    assert (compared["model_a"], compared["rate"], compared["n"]) == ("pix2pix", 0, 6)
    assert (compared["n_images"], compared["n_judges"]) == (3, 2)
    assert set(table["verdict"]) == {"too few judges or images"}
    assert (table["agreement"] == 1).all() and (table["page"] == key["page"]).all()
    assert Image.open(io.BytesIO(png)).format == "PNG"


@pytest.mark.parametrize(
    ("votes", "message"),
    [(None, "pass the file"), ("none", "does not exist"), (".", "contains no")],
)
def test_missing_votes_are_an_error(key, tmp_path, votes, message):
    (tmp_path / "empty").mkdir()
    path = votes and str(tmp_path / "empty" / votes)
    with pytest.raises(InputError, match=message):
        study_votes(path, key)


def test_missing_key_is_an_error():
    with pytest.raises(InputError, match="blind_test_key.json is missing"):
        study_votes(None, None)


def test_task_parameter_selects_the_study():
    options = {"pipeline": "human_study", "params": {"task": "monet", "votes": "v"}}
    chosen = choose_task(options)
    assert chosen["namespaces"] == ["monet"] and chosen["params"] == {"votes": "v"}
    assert choose_task({"pipeline": "monet", "params": {"task": "x"}})["params"]
    with pytest.raises(Exception, match="task is one of"):
        choose_task({"pipeline": "human_study", "params": {"task": "x"}})
