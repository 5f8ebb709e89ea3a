import pandas as pd
import pytest

from image_translation.common.errors import InputError
from image_translation.pairing.folders import declare_subsets
from tests.pairing.helpers import splitting


def declare(*files: str, **folders: str) -> list[str]:
    pairs = pd.DataFrame({"input": files, "target": files})
    return declare_subsets(pairs, splitting(**folders).folders)


def test_pairs_have_no_subset_without_folders():
    assert declare("a/1.png", "2.png") == ["", ""]


def test_folder_is_given_by_its_path_or_the_end_of_it():
    files = ("train/1.png", "A/train/x/2.png", "A/trained/3.png", "train.png")
    found = declare(*files, train_folder="train")
    assert found == ["train", "train", "", ""]
    assert declare(*files, train_folder="/A/train/") == ["", "train", "", ""]


def test_several_folders_of_one_subset():
    found = declare(
        "a/1.png", "b/2.png", "c/3.png", train_folder="a|b", test_folder="c"
    )
    assert found == ["train", "train", "test"]


def test_either_file_of_a_pair_defines_its_subset():
    pairs = pd.DataFrame(
        {"input": ["train_grey/1.png", ""], "target": ["train/1.png", "test/2.png"]}
    )
    folders = splitting(train_folder="train_grey", test_folder="test").folders
    assert declare_subsets(pairs, folders) == ["train", "test"]


def test_folder_without_pairs_is_an_error():
    with pytest.raises(InputError, match=r"splitting\.folders\.test: .* 'tset'.* 'a'"):
        declare("a/1.png", train_folder="a", test_folder="tset")


def test_pair_in_the_folders_of_two_subsets_is_an_error():
    with pytest.raises(InputError, match="'train/test/1.png'.*train and test"):
        declare("train/test/1.png", train_folder="train", test_folder="test")
