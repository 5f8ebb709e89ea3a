"""The blind test: people judge translations without knowing the models.

Each question shows two unlabelled candidates. Only the key, a separate file, maps them
to models; votes can be evaluated only with the key.
"""

import hashlib
import itertools
import json
import logging
import math
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from markupsafe import Markup
from pydantic import BaseModel, ConfigDict, ValidationError

from image_translation.common import wording
from image_translation.common.errors import InputError
from image_translation.common.files import require_regular
from image_translation.common.names import BASELINES
from image_translation.reporting import formatting
from image_translation.reporting.gallery import (
    choose_encoder,
    describe_encoder,
)
from image_translation.reporting.report_content import Image
from image_translation.reporting.templates import (
    read_resource,
    read_template,
    script_json,
)

logger = logging.getLogger(__name__)

PREFERENCE, REALITY = "preference", "reality"
TARGET = "target"
"""Name of the real target in place of a model."""


STUDY = {"pix2pix", "autoencoder"}
"""The two models of the study: they come first, with twice the number of questions."""

MIN_SHARE = 3
"""Minimum number of questions per judge for a pair of candidates to be included."""

POOL = 100
"""Maximum number of test images in the test."""

PAGE_BYTES = 12 * 2**20
"""Maximum size of the page's images in base64; further test images are excluded."""

SAMPLE = 12
"""Number of images whose mean size estimates that of all."""

Rivals = tuple[str, str]


@dataclass(frozen=True)
class Question:
    """Two candidates for one input.

    Attributes:
        kind: ``preference`` (two models) or ``reality`` (a model and the target).
        pair_id: The test pair.
        group: The pair's group.
        left: Name of a model, or ``target``.
        right: Name of a model, or ``target``.
        left_replicate: Replicate of the prediction; 0 for the target.
        right_replicate: Replicate of the prediction; 0 for the target.
    """

    kind: str
    pair_id: str
    group: str
    left: str
    right: str
    left_replicate: int
    right_replicate: int

    @property
    def rivals(self) -> Rivals:
        """The two candidates, independent of their position."""
        return min(self.left, self.right), max(self.left, self.right)


@dataclass(frozen=True)
class BlindTest:
    """A pool of questions, from which each judge gets a random subset.

    Attributes:
        questions: All questions, those on one image together.
        shares: Number of questions per judge, by pair of candidates.
    """

    questions: Sequence[Question]
    shares: Mapping[Rivals, int]

    @property
    def n(self) -> int:
        """Number of questions per judge."""
        asked = Counter(question.rivals for question in self.questions)
        return sum(min(self.shares[rivals], asked[rivals]) for rivals in asked)


def plan_questions(
    groups: Mapping[str, str], models: Mapping[str, int], n: int, seed: int = 0
) -> BlindTest:
    """Plan a blind test: which candidates are compared on which images, and how often.

    The study's two models come first, then the other pairs of trained models, then each
    model with the real target. Each pair of candidates has one question per image; each
    candidate is on the left in half of them. An image shows one replicate of a model,
    and replicates alternate. Baselines are included only if fewer than two models are
    trained.

    Args:
        groups: Group by test pair.
        models: Number of replicates by model with predictions.
        n: Number of questions per judge.
        seed: Seed of the draw; the same arguments give the same test.

    Returns:
        The pool; empty without pairs, models or ``n``. A judge gets fewer than ``n``
        questions if there are too few images.
    """
    trained = [model for model in models if model not in BASELINES]
    judged = trained if len(trained) > 1 else list(models)
    draw = random.Random(f"{seed} {sorted(groups)} {judged}")
    images = _draw_images(groups, draw)
    shares = _share(_rank_rivals(judged), n, len(images))
    replicates = {
        model: _take_turns(range(models[model]), len(images), draw) for model in judged
    }
    replicates[TARGET] = [0] * len(images)
    first_is_left = {
        rivals: _take_turns((0, 1), len(images), draw) for rivals in shares
    }
    questions = []
    for row, pair_id in enumerate(images):
        for rivals in shares:
            left, right = rivals if first_is_left[rivals][row] else rivals[::-1]
            questions.append(
                Question(
                    kind=REALITY if TARGET in rivals else PREFERENCE,
                    pair_id=pair_id,
                    group=groups[pair_id],
                    left=left,
                    right=right,
                    left_replicate=replicates[left][row],
                    right_replicate=replicates[right][row],
                )
            )
    return BlindTest(questions, {(min(r), max(r)): k for r, k in shares.items()})


def _draw_images(groups: Mapping[str, str], draw: random.Random) -> list[str]:
    """Test pairs in random order, alternating between groups."""
    shuffled = draw.sample(sorted(groups), len(groups))
    seen: Counter[str] = Counter()
    turn = {}
    for pair_id in shuffled:
        turn[pair_id] = seen[groups[pair_id]]
        seen[groups[pair_id]] += 1
    return sorted(shuffled, key=turn.__getitem__)[:POOL]


def _rank_rivals(models: Sequence[str]) -> list[Rivals]:
    """All pairs of candidates, in order of priority."""
    between = sorted(
        itertools.combinations(models, 2), key=lambda pair: {*pair} != STUDY
    )
    return [*between, *((model, TARGET) for model in models)]


def _share(rivals: Sequence[Rivals], n: int, n_images: int) -> dict[Rivals, int]:
    """Number of a judge's n questions for each pair of candidates, in turns."""
    if not (n and n_images and rivals):
        return {}
    asked = rivals[: max(n // MIN_SHARE, math.ceil(n / n_images))]
    turns = [pair for pair in asked if {*pair} == STUDY] + list(asked)
    n = min(n, n_images * len(asked))
    shares = dict.fromkeys(asked, 0)
    for pair in itertools.cycle(turns):
        if sum(shares.values()) == n:
            return shares
        shares[pair] += shares[pair] < n_images
    return shares


def _take_turns(choices: Sequence[int], n: int, draw: random.Random) -> list[int]:
    """``n`` choices in random order, such that every prefix is balanced."""
    rounds = (draw.sample(choices, len(choices)) for _ in itertools.count())
    return list(itertools.islice(itertools.chain.from_iterable(rounds), n))


Shown = tuple[str, str, int]
"""An image of the page: pair, model (or ``target``, ``input``) and replicate."""


def render_blind_test(
    task: str, test: BlindTest, image_of: Callable[[str, str, int], Image]
) -> tuple[str, dict[str, Any]]:
    """Write the page of a blind test and its key.

    Args:
        task: Name of the task.
        test: The questions, see ``plan_questions``; as many of its images as
            ``PAGE_BYTES`` allows.
        image_of: ``(pair_id, which, replicate) -> uint8, H×W×3``; ``which`` is a
            model's name, ``target`` or ``input``.

    Returns:
        An HTML document without model names, and the key: ``page`` (the document's own
        id), ``task`` and ``questions`` (opaque id → question).
    """
    encode = _choose_encoder(test, image_of)
    test, address_of = _embed(test, image_of, encode)
    # sorted by a digest, so the position in the list does not reveal the model
    images = sorted(set(address_of.values()), key=_digest)
    place = {address: number for number, address in enumerate(images)}
    pairs = list(test.shares)
    asked = [
        {
            "id": f"q{number:03d}",
            "kind": question.kind,
            "pair": pairs.index(question.rivals),
            **{
                side: place[address_of[shown]]
                for side, shown in zip(SIDES, _shown_in(question), strict=True)
            },
        }
        for number, question in enumerate(test.questions, start=1)
    ]
    content = {
        "task": task,
        "shares": list(test.shares.values()),
        "questions": asked,
        "images": images,
    }
    page = _digest(json.dumps(content))[:16]
    script = read_resource("blind_test.js")
    html = read_template("blind_test.html").render(
        script=Markup(script),
        task=formatting.title(task),
        n=test.n,
        embedded=describe_encoder(encode),
        data=script_json({"page": page, **content}),
    )
    answers = {a["id"]: asdict(q) for a, q in zip(asked, test.questions, strict=True)}
    return html, {"page": page, "task": task, "questions": answers}


SIDES = ("input", "left", "right")


def _shown_in(question: Question) -> tuple[Shown, Shown, Shown]:
    """The input and both candidates of a question."""
    pair_id = question.pair_id
    return (
        (pair_id, "input", 0),
        (pair_id, question.left, question.left_replicate),
        (pair_id, question.right, question.right_replicate),
    )


def _choose_encoder(
    test: BlindTest, image_of: Callable[[str, str, int], Image]
) -> Callable[[Image], str]:
    """Exact images if they fit, else JPEG."""
    shown = list(dict.fromkeys(s for q in test.questions for s in _shown_in(q)))
    sample = [image_of(*which) for which in shown[:SAMPLE]]
    return choose_encoder(sample, len(shown), PAGE_BYTES)


def _embed(
    test: BlindTest,
    image_of: Callable[[str, str, int], Image],
    encode: Callable[[Image], str],
) -> tuple[BlindTest, dict[Shown, str]]:
    """The questions that fit into the page, and the URI of every image."""
    address_of: dict[Shown, str] = {}
    questions: list[Question] = []
    weight = 0
    for _, on_image in itertools.groupby(test.questions, lambda q: q.pair_id):
        fitting = list(on_image)
        shown = dict.fromkeys(s for q in fitting for s in _shown_in(q))
        addresses = {which: encode(image_of(*which)) for which in shown}
        weight += sum(map(len, addresses.values()))
        if questions and weight > PAGE_BYTES:
            break
        questions += fitting
        address_of |= addresses
    return replace(test, questions=questions), address_of


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class _Vote(BaseModel):
    model_config = ConfigDict(extra="ignore")

    question: str
    choice: Literal["left", "right", "none"]


class _VoteFile(BaseModel):
    model_config = ConfigDict(extra="ignore")

    page: str
    judge: str
    votes: list[_Vote]


VOTE_COLUMNS = [
    "judge",
    "question",
    "kind",
    "pair_id",
    "group",
    "left",
    "right",
    "choice",
]


def read_votes(files: Iterable[Path], key: Mapping[str, Any]) -> pd.DataFrame:
    """Read the votes of all judges and map them to models.

    Args:
        files: Files exported by judges, one per judge.
        key: The key of the page on which they voted.

    Returns:
        One row per vote: ``judge, question, kind, pair_id, group, left, right,
        choice``, where ``choice`` is ``left``, ``right`` or ``none``. Keys of earlier
        versions have no groups: every image is its own group.

    Raises:
        InputError: No file exists, a file is broken or belongs to another page, or a
            judge or a question occurs twice.
    """
    rows: list[dict[str, Any]] = []
    judges: dict[str, Path] = {}
    for path in files:
        votes = _read_file(path, key)
        if votes.judge in judges:
            raise InputError(
                f"{path}: judge {votes.judge!r} has already voted in "
                f"{judges[votes.judge]}. Remove one of the two files, or give the judges "
                "different names"
            )
        judges[votes.judge] = path
        rows += [
            {
                "judge": votes.judge,
                **vote.model_dump(),
                **key["questions"][vote.question],
            }
            for vote in votes.votes
        ]
    if not rows:
        raise InputError(
            "There are no votes. Judge blind_test.html, download the votes at its end "
            "and pass the folder of the files"
        )
    table = pd.DataFrame(rows)
    if "group" not in table:
        logger.warning(
            "blind_test_key.json was written by an earlier version without groups: "
            "every image counts as independent. Judge a new blind_test.html to use "
            "groups"
        )
        table["group"] = table["pair_id"]
    return table[VOTE_COLUMNS]


def _read_file(path: Path, key: Mapping[str, Any]) -> _VoteFile:
    try:
        votes = _VoteFile.model_validate_json(require_regular(path).read_bytes())
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(
            f"{path} is not a file of votes as blind_test.html exports it: "
            f"{where + ': ' if where else ''}{first['msg']}"
        ) from error
    if votes.page != key["page"]:
        raise InputError(
            f"{path} contains votes on another page ({votes.page}) than "
            f"blind_test_key.json ({key['page']}). Read it with the key of the page that "
            "was judged, or judge the current blind_test.html"
        )
    asked = [vote.question for vote in votes.votes]
    unknown = sorted(set(asked) - set(key["questions"]))
    twice = [question for question, number in Counter(asked).items() if number > 1]
    if unknown or twice:
        problem = "are not in the key" if unknown else "are answered twice"
        raise InputError(f"{path}: {wording.join_words(unknown or twice)} {problem}")
    return votes
