import json
import re
from collections import Counter
from functools import partial

import numpy as np
import pytest

from image_translation.common.errors import InputError
from image_translation.reporting import blind_test
from image_translation.reporting.blind_test import (
    plan_questions,
    read_votes,
    render_blind_test,
)
from image_translation.reporting.gallery import png_data_uri

MODELS = {
    "pix2pix": 3,
    "unet": 3,
    "autoencoder": 3,
    "autoencoder_gan": 3,
    "copy_input": 1,
}
PAIRS = {f"{number:04x}": f"photo {number // 3}" for number in range(24)}
TRAINED = tuple(MODELS)[:4]
STUDY = ("autoencoder", "pix2pix")


def noise(pair_id, which, replicate, size=8):
    seed = [int(pair_id, 16), *which.encode(), replicate]
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), np.uint8)


@pytest.fixture(scope="module")
def made():
    return render_blind_test("monet", plan_questions(PAIRS, MODELS, 16), noise)


def embedded(html):
    return json.loads(re.search(r'id="questions">(.*?)</script>', html)[1])


def vote_file(folder, key, judge="ada", **changes):
    votes = [{"question": name, "choice": "left"} for name in key["questions"]]
    content = {"page": key["page"], "judge": judge, "votes": votes, **changes}
    path = folder / f"votes-{judge}.json"
    path.write_text(json.dumps(content), "utf-8")
    return path


def test_most_questions_are_about_the_pair_of_the_study():
    shares = plan_questions(PAIRS, MODELS, 40).shares
    assert list(shares)[0] == STUDY and shares[STUDY] == 8
    kinds = ["target" in rivals for rivals in shares]
    assert kinds == [False] * 6 + [True] * 4
    assert sum(shares.values()) == 40
    others = [share for rivals, share in shares.items() if rivals != STUDY]
    assert others == sorted(others, reverse=True) and max(others) - min(others) <= 1


def test_few_questions_go_to_the_first_pairs():
    shares = plan_questions(PAIRS, MODELS, 12).shares
    assert len(shares) == 4 and min(shares.values()) >= 2
    assert not [rivals for rivals in shares if "target" in rivals]


def test_pool_is_balanced():
    test = plan_questions(PAIRS, MODELS, 40)
    assert len(test.questions) == 10 * 24 and test.n == 40
    for rivals in test.shares:
        asked = [q for q in test.questions if q.rivals == rivals]
        assert len({q.pair_id for q in asked}) == 24
        assert set(Counter(q.left for q in asked).values()) == {12}
    used = Counter(
        {(q.left, q.left_replicate, q.pair_id) for q in test.questions}
        | {(q.right, q.right_replicate, q.pair_id) for q in test.questions}
    )
    shown = Counter((model, replicate) for model, replicate, _ in used)
    assert {shown[model, k] for model in TRAINED for k in range(3)} == {8}
    assert shown["target", 0] == 24


def test_first_images_are_of_different_groups():
    questions = plan_questions(PAIRS, MODELS, 40).questions
    images = list(dict.fromkeys(q.pair_id for q in questions))
    assert len({PAIRS[pair_id] for pair_id in images[:8]}) == 8


def test_plan_is_reproducible():
    plan = plan_questions(PAIRS, MODELS, 40)
    assert plan == plan_questions(PAIRS, MODELS, 40)
    assert plan != plan_questions(PAIRS, MODELS, 40, seed=1)


def test_no_judge_gets_a_question_twice():
    test = plan_questions({"00": "a", "01": "b"}, MODELS, 40)
    assert test.n == 20 and set(test.shares.values()) == {2}


def test_baselines_are_included_only_with_fewer_than_two_models():
    questions = plan_questions(PAIRS, MODELS, 40).questions
    assert not [q for q in questions if "copy_input" in q.rivals]
    assert plan_questions(PAIRS, {"unet": 1, "copy_input": 1}, 8).n == 8
    alone = plan_questions(PAIRS, {"unet": 1}, 4)
    assert {q.kind for q in alone.questions} == {"reality"}


@pytest.mark.parametrize(
    "arguments", [({}, MODELS, 40), (PAIRS, {}, 40), (PAIRS, MODELS, 0)]
)
def test_page_without_questions_says_so(arguments):
    test = plan_questions(*arguments)
    html, key = render_blind_test("monet", test, noise)
    assert test.n == 0 and key["questions"] == {}
    assert "There is nothing to judge" in html


def test_page_shows_the_images_of_the_key(made):
    html, key = made
    page = embedded(html)
    for asked in page["questions"]:
        question = key["questions"][asked["id"]]
        for side in ("left", "right"):
            image = noise(
                question["pair_id"], question[side], question[f"{side}_replicate"]
            )
            assert page["images"][asked[side]] == png_data_uri(image)
    assert len(set(page["images"])) == len(page["images"])


def test_page_is_limited_to_its_maximum_size(monkeypatch):
    test = plan_questions(PAIRS, MODELS, 40)
    monkeypatch.setattr(blind_test, "PAGE_BYTES", 50_000)
    html, key = render_blind_test("monet", test, partial(noise, size=32))
    page = embedded(html)
    images = {question["pair_id"] for question in key["questions"].values()}
    assert len(page["questions"]) == 10 * len(images) and 1 < len(images) < 24
    assert sum(map(len, page["images"])) <= 50_000
    asked = sum(min(share, len(images)) for share in page["shares"])
    assert f"{asked} questions" in html


def test_only_the_key_names_the_models(made):
    html, key = made
    assert not [model for model in MODELS if model in html]
    assert {q["left"] for q in key["questions"].values()} <= {*MODELS, "target"}
    assert key["page"] in html


def test_votes_are_mapped_to_models_by_the_key(made, tmp_path):
    _, key = made
    files = [vote_file(tmp_path, key, judge) for judge in ("ada", "grace")]
    votes = read_votes(files, key)
    assert len(votes) == 2 * len(key["questions"]) and set(votes["judge"]) == {
        "ada",
        "grace",
    }
    row = votes.iloc[0]
    asked = key["questions"][row["question"]]
    assert (row["left"], row["group"]) == (asked["left"], asked["group"])


def test_votes_on_a_page_of_an_earlier_version_are_read(tmp_path, caplog):
    asked = {"kind": "preference", "pair_id": "00", "left": "unet", "right": "pix2pix"}
    key = {"page": "0" * 16, "task": "monet", "questions": {"q001": asked}}
    (vote,) = read_votes([vote_file(tmp_path, key)], key).to_dict("records")
    assert (vote["group"], vote["left"]) == ("00", "unet")
    assert "without groups" in caplog.text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"page": "0" * 16},
            r"votes-ada\.json .* another page .* or judge the current",
        ),
        ({"votes": [{"question": "q999", "choice": "left"}]}, "q999 are not in"),
        ({"votes": [{"question": "q001", "choice": "up"}]}, "votes.0.choice"),
        ({"votes": [{"question": "q001", "choice": "left"}] * 2}, "answered twice"),
        ({"votes": None}, "not a file of votes"),
        ({"votes": []}, "There are no votes"),
    ],
)
def test_votes_on_another_page_are_rejected(made, tmp_path, changes, message):
    _, key = made
    with pytest.raises(InputError, match=message):
        read_votes([vote_file(tmp_path, key, **changes)], key)


def test_broken_missing_and_repeated_files_are_rejected(made, tmp_path):
    _, key = made
    broken = tmp_path / "votes.json"
    broken.write_text('{"page": ', "utf-8")
    with pytest.raises(InputError, match="not a file of votes"):
        read_votes([broken], key)
    with pytest.raises(InputError, match="cannot be read"):
        read_votes([tmp_path / "none.json"], key)
    with pytest.raises(InputError, match="has already voted in"):
        read_votes([vote_file(tmp_path, key)] * 2, key)
