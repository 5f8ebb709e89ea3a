import json
from collections import Counter

import numpy as np
import pytest

from image_translation.errors import InputError
from image_translation.reporting.blind_test import (
    plan_questions,
    read_votes,
    render_blind_test,
)

MODELS = ["pix2pix", "unet", "autoencoder", "autoencoder_gan", "copy_input"]
PAIRS = [f"{number:04x}" for number in range(24)]


@pytest.fixture(scope="module")
def made():
    def image(pair_id, which):
        seed = int(pair_id, 16) * 100 + len(which)
        return np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)

    return render_blind_test("monet", plan_questions(PAIRS, MODELS, 16), image)


def vote_file(folder, key, judge="ada", **changes):
    votes = [{"question": name, "choice": "left"} for name in key["questions"]]
    content = {"page": key["page"], "judge": judge, "votes": votes, **changes}
    path = folder / f"votes-{judge}.json"
    path.write_text(json.dumps(content), "utf-8")
    return path


def test_plan_is_balanced():
    questions = plan_questions(PAIRS, MODELS, 40)
    assert Counter(q.kind for q in questions) == {"preference": 30, "reality": 10}
    compared = [q for q in questions if q.kind == "preference"]
    met = Counter(frozenset((q.left, q.right)) for q in compared)
    assert set(met.values()) == {5} and len(met) == 6
    for rivals in met:
        left = Counter(q.left for q in compared if {q.left, q.right} == rivals)
        assert abs(np.diff(list(left.values()))) == [1]
    uses = Counter(q.pair_id for q in compared)
    assert max(uses.values()) - min(uses.values()) <= 1 and len(uses) == 24
    real = [q for q in questions if q.kind == "reality"]
    assert all("target" in (q.left, q.right) for q in real)
    assert len({q.pair_id for q in real}) == 10


def test_plan_is_the_same_for_the_same_seed_and_mixed():
    plan = plan_questions(PAIRS, MODELS, 40)
    assert plan == plan_questions(PAIRS, MODELS, 40)
    assert plan != plan_questions(PAIRS, MODELS, 40, seed=1)
    assert {q.kind for q in plan[:12]} == {"preference", "reality"}


def test_baselines_are_asked_about_only_where_little_is_trained():
    questions = plan_questions(PAIRS, MODELS, 40)
    assert not [q for q in questions if "copy_input" in (q.left, q.right)]
    assert plan_questions(PAIRS, ["unet", "copy_input"], 8)
    alone = plan_questions(PAIRS, ["unet"], 4)
    assert {q.kind for q in alone} == {"reality"}


@pytest.mark.parametrize(
    "arguments", [([], MODELS, 40), (PAIRS, [], 40), (PAIRS, MODELS, 0)]
)
def test_nothing_to_ask_gives_a_page_that_says_so(arguments):
    questions = plan_questions(*arguments)
    html, key = render_blind_test("monet", questions, lambda *_: None)
    assert questions == [] and key["questions"] == {}
    assert "There is nothing to judge" in html


def test_page_names_no_model_and_the_key_names_all(made):
    html, key = made
    assert not [model for model in MODELS if model in html]
    assert {q["left"] for q in key["questions"].values()} <= {*MODELS, "target"}
    assert key["page"] in html


def test_votes_are_unblinded_by_the_key(made, tmp_path):
    _, key = made
    files = [vote_file(tmp_path, key, judge) for judge in ("ada", "grace")]
    votes = read_votes(files, key)
    assert len(votes) == 32 and set(votes["judge"]) == {"ada", "grace"}
    row = votes.iloc[0]
    assert row["left"] == key["questions"][row["question"]]["left"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"page": "0" * 16}, "another page"),
        ({"votes": [{"question": "q999", "choice": "left"}]}, "q999 are not in"),
        ({"votes": [{"question": "q001", "choice": "up"}]}, "votes.0.choice"),
        ({"votes": [{"question": "q001", "choice": "left"}] * 2}, "answered twice"),
        ({"votes": None}, "not a file of votes"),
        ({"votes": []}, "There are no votes"),
    ],
)
def test_votes_that_do_not_fit_are_refused(made, tmp_path, changes, message):
    _, key = made
    with pytest.raises(InputError, match=message):
        read_votes([vote_file(tmp_path, key, **changes)], key)


def test_broken_missing_and_repeated_files_are_refused(made, tmp_path):
    _, key = made
    broken = tmp_path / "votes.json"
    broken.write_text('{"page": ', "utf-8")
    with pytest.raises(InputError, match="not a file of votes"):
        read_votes([broken], key)
    with pytest.raises(InputError, match="cannot be read"):
        read_votes([tmp_path / "none.json"], key)
    with pytest.raises(InputError, match="has voted in"):
        read_votes([vote_file(tmp_path, key)] * 2, key)
