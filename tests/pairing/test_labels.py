import pandas as pd
import pytest

from image_translation.common.errors import InputError
from image_translation.pairing.labels import find_labels
from tests.pairing.helpers import splitting

PAIRS = pd.DataFrame(
    {
        "input": ["in/a/1.png", "in/a/2.png", "in/b/1.png"],
        "target": ["out/a/1.jpg", "out/a/2.jpg", "out/b/1.jpg"],
    }
)


def labels(root, table, groups="column:person", name="people.csv"):
    (root / "people.csv").write_text(table, "utf-8")
    return find_labels(PAIRS, splitting(groups, table=name), root)


def test_pairs_have_no_label_without_groups(tmp_path):
    assert find_labels(PAIRS, splitting(), tmp_path) == ["", "", ""]


def test_table_names_files_by_path_of_input_or_target(tmp_path):
    table = 'file,person\nin/a/1.png,Zoë\nout/a/2.jpg,"Bo, jr."\nin/b/1.png,Zoë\n'
    assert labels(tmp_path, table) == ["Zoë", "Bo, jr.", "Zoë"]


def test_table_names_files_by_name_or_stem(tmp_path, caplog):
    assert labels(tmp_path, "n,person\n2.jpg,x\n") == ["", "x", ""]
    assert "does not match 2 pairs" in caplog.text
    assert labels(tmp_path, "n,person\n001,z\n1,x\n") == ["x", "", "x"]


def test_path_takes_precedence_over_the_name(tmp_path):
    table = "file,person\n1.png,name\nin/b/1.png,path\n"
    assert labels(tmp_path, table) == ["name", "", "path"]


@pytest.mark.parametrize(
    ("table", "name", "message"),
    [
        ("file,person\nx,y\n", None, "needs splitting.table"),
        ("file,person\nx,y\n", "nowhere.csv", "nowhere.csv cannot be read"),
        ("", "people.csv", "cannot be read"),
        ("file,age\nx,y\n", "people.csv", "no column 'person'.*it has 'age'"),
        ("person\nx\n", "people.csv", "no column 'person'.*no other"),
        ("file,person\nx,y\n", "people.csv", "matches none of the 3 inputs"),
    ],
)
def test_invalid_table_is_an_error(tmp_path, table, name, message):
    with pytest.raises(InputError, match=message):
        labels(tmp_path, table, name=name)
