import csv

import numpy as np
import pandas as pd
import pytest

from image_translation.common.spreadsheets import (
    protect,
    protect_frame,
    read_texts,
    restore,
    restore_frame,
    to_csv,
)
from image_translation.datasets.checked import ProtectedCSVDataset

RISKY = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "＝1+1",
    "-",
    "=",
    "=cmd|' /C calc'!A0",
]
PLAIN = [
    "",
    "a=1",
    "'=1",
    "1-2",
    "photo.png",
    "\\server\\photo.png",
    "\\",
    " =1",
    "a\rb",
]
ESCAPED = ["\\=1", "\\\\@1", "\\-"]


@pytest.mark.parametrize("text", RISKY)
def test_text_that_a_spreadsheet_runs_is_protected(text):
    assert protect(text) == f"\\{text}"


@pytest.mark.parametrize("text", PLAIN)
def test_other_text_is_unchanged(text):
    assert protect(text) == restore(text) == text


@pytest.mark.parametrize("text", [*RISKY, *PLAIN, *ESCAPED])
def test_every_text_is_read_as_it_was(text):
    assert restore(protect(text)) == text
    assert restore(protect(protect(text))) == protect(text)


@pytest.mark.parametrize("value", [-1, -0.5, None, True, np.int64(-3)])
def test_other_values_are_unchanged(value):
    assert protect(value) is value and restore(value) is value


def test_frame_keeps_its_types():
    frame = pd.DataFrame(
        {
            "text": [*RISKY, *ESCAPED],
            "number": -1.5,
            "count": pd.array([-1] * 13, "Int64"),
            "mixed": [-1, "=1", None] * 4 + [np.nan],
        }
    )
    protected = protect_frame(frame)
    assert protected["text"].str.startswith("\\").all()
    assert protected["number"].eq(-1.5).all()
    pd.testing.assert_frame_equal(restore_frame(protected), frame)


def test_frame_without_risks_is_not_copied():
    frame = pd.DataFrame({"text": PLAIN, "number": -1})
    assert protect_frame(frame) is frame


def test_texts_round_trip_through_a_file(tmp_path):
    frame = pd.DataFrame({"pair_id": [*RISKY, *PLAIN, *ESCAPED]}, dtype=str)
    to_csv(frame, tmp_path / "index.csv")
    pd.testing.assert_frame_equal(read_texts(tmp_path / "index.csv"), frame)


def test_dataset_protects_its_file_and_restores_its_table(tmp_path):
    path = tmp_path / "split.csv"
    dataset = ProtectedCSVDataset(
        filepath=str(path),
        load_args={"keep_default_na": False, "dtype": {"input": str, "group": str}},
        save_args={"index": False, "quoting": csv.QUOTE_NONNUMERIC},
    )
    texts = [*RISKY, *PLAIN, *ESCAPED]
    table = pd.DataFrame({"input": texts, "group": texts[::-1], "score": -1.5})
    dataset.save(table)
    pd.testing.assert_frame_equal(dataset.load(), table, check_dtype=False)
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert not any(cell.startswith(tuple("=+@\t\r")) for row in rows for cell in row)
    assert {row[2] for row in rows[1:]} == {"-1.5"}
