"""The blind test: people judge translations without knowing whose they are.

The page shows two unlabelled candidates a question. What they are stands only in the
key, a file of its own; votes mean something once both are put together.
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

from image_translation.errors import InputError
from image_translation.reporting import words
from image_translation.reporting.content import Image
from image_translation.reporting.gallery import (
    UNTRAINED,
    choose_encoder,
    describe_encoder,
)
from image_translation.reporting.templates import (
    read_resource,
    read_template,
    script_hash,
    script_json,
)

logger = logging.getLogger(__name__)

PREFERENCE, REALITY = "preference", "reality"
TARGET = "target"
"""What stands in the place of a model where the real target is shown."""


STUDY = {"pix2pix", "autoencoder"}
"""The two models of the study: asked about first, and twice as often."""

MIN_SHARE = 3
"""Pairs that would get fewer questions of a judge than this are not asked about."""

POOL = 100
"""At most as many test images take part."""

PAGE_BYTES = 12 * 2**20
"""Images of the page together, in base64; test images beyond it do not take part."""

SAMPLE = 12
"""Images whose weight stands for that of all."""

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
        left_replicate: Whose prediction it is; 0 for the target.
        right_replicate: Whose prediction it is; 0 for the target.
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
        """The two candidates, whatever their sides."""
        return min(self.left, self.right), max(self.left, self.right)


@dataclass(frozen=True)
class BlindTest:
    """A pool of questions, from which every judge draws others.

    Attributes:
        questions: All of them, those on one image together.
        shares: How many of the questions on two candidates a judge is asked.
    """

    questions: Sequence[Question]
    shares: Mapping[Rivals, int]

    @property
    def n(self) -> int:
        """How many questions a judge is asked."""
        asked = Counter(question.rivals for question in self.questions)
        return sum(min(self.shares[rivals], asked[rivals]) for rivals in asked)


def plan_questions(
    groups: Mapping[str, str], models: Mapping[str, int], n: int, seed: int = 0
) -> BlindTest:
    """Plan a blind test: which candidates meet on which images, and how often.

    The study's two models come first, then the other pairs of trained models, then each
    model against the real target. Each two candidates have one question an image; each
    stands on the left in half of them. An image shows one replicate of a model, and all
    replicates take turns. Baselines take part only where fewer than two models are
    trained.

    Args:
        groups: Test pair → its group.
        models: Model that has predictions → how many replicates it has.
        n: How many questions a judge is asked.
        seed: Of the draw; the same arguments give the same test.

    Returns:
        The pool; empty without pairs, models or ``n``. A judge is asked fewer than
        ``n`` questions where there are too few images.
    """
    trained = [model for model in models if model not in UNTRAINED]
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
    """Test pairs in random order, groups taking turns, so that few images are many."""
    shuffled = draw.sample(sorted(groups), len(groups))
    seen: Counter[str] = Counter()
    turn = {}
    for pair_id in shuffled:
        turn[pair_id] = seen[groups[pair_id]]
        seen[groups[pair_id]] += 1
    return sorted(shuffled, key=turn.__getitem__)[:POOL]


def _rank_rivals(models: Sequence[str]) -> list[Rivals]:
    """All pairs of candidates, those that people ask about first."""
    between = sorted(
        itertools.combinations(models, 2), key=lambda pair: {*pair} != STUDY
    )
    return [*between, *((model, TARGET) for model in models)]


def _share(rivals: Sequence[Rivals], n: int, n_images: int) -> dict[Rivals, int]:
    """How many of a judge's n questions each rivals get: one a turn."""
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
    """``n`` choices in random order, of which any first few are balanced."""
    rounds = (draw.sample(choices, len(choices)) for _ in itertools.count())
    return list(itertools.islice(itertools.chain.from_iterable(rounds), n))


Shown = tuple[str, str, int]
"""An image of the page: pair, model (or ``target``, ``input``) and replicate."""


def render_blind_test(
    task: str, test: BlindTest, image_of: Callable[[str, str, int], Image]
) -> tuple[str, dict[str, Any]]:
    """Write the page of a blind test and the key to its answers.

    Args:
        task: Name of the task.
        test: What is asked, see ``plan_questions``; as many of its images as
            ``PAGE_BYTES`` allow.
        image_of: ``(pair_id, which, replicate) -> uint8, H×W×3``; ``which`` is a
            model's name, ``target`` or ``input``.

    Returns:
        An HTML document that names no model, and the key: ``page`` (the document's
        own id), ``task`` and ``questions`` (opaque id → question).
    """
    encode = _choose_encoder(test, image_of)
    test, address_of = _embed(test, image_of, encode)
    # Sorted by a digest: a place in the list tells nothing about a model.
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
        css=Markup(read_resource("report.css") + read_resource("gallery.css")),
        own_css=Markup(read_resource("blind_test.css")),
        script=Markup(script),
        script_hash=Markup(script_hash(script)),
        task=task.replace("_", " ").capitalize(),
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
    """Exact images where they fit, JPEG where they do not."""
    shown = list(dict.fromkeys(s for q in test.questions for s in _shown_in(q)))
    sample = [image_of(*which) for which in shown[:SAMPLE]]
    return choose_encoder(sample, len(shown), PAGE_BYTES)


def _embed(
    test: BlindTest,
    image_of: Callable[[str, str, int], Image],
    encode: Callable[[Image], str],
) -> tuple[BlindTest, dict[Shown, str]]:
    """What fits into the page: its questions, and the address of every image."""
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
    """Read the votes of any number of judges and say whose candidates they chose.

    Args:
        files: What judges exported, one file a judge.
        key: The key of the page on which they voted.

    Returns:
        One row a vote: ``judge, question, kind, pair_id, group, left, right, choice``,
        where ``choice`` is ``left``, ``right`` or ``none``. Keys of earlier versions
        hold no groups: every image is its own.

    Raises:
        InputError: There is no file, a file is broken or belongs to another page, or
            a judge or a question stands twice.
    """
    rows: list[dict[str, Any]] = []
    judges: dict[str, Path] = {}
    for path in files:
        votes = _read_file(path, key)
        if votes.judge in judges:
            raise InputError(
                f"{path}: judge {votes.judge!r} has voted in {judges[votes.judge]} "
                "already. Leave one of the two files out, or give the judges "
                "different names in them"
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
            "There are no votes. Judge blind_test.html, export the votes at its end "
            "and pass the files' folder"
        )
    table = pd.DataFrame(rows)
    if "group" not in table:
        logger.warning(
            "blind_test_key.json was written by an earlier version and holds no groups: "
            "every image counts as independent. Judge a new blind_test.html to respect "
            "groups"
        )
        table["group"] = table["pair_id"]
    return table[VOTE_COLUMNS]


def _read_file(path: Path, key: Mapping[str, Any]) -> _VoteFile:
    try:
        votes = _VoteFile.model_validate_json(path.read_bytes())
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
            f"{path} holds votes on another page ({votes.page}) than "
            f"blind_test_key.json ({key['page']}). Read it with the key of the page that "
            "was judged, or judge the present blind_test.html"
        )
    asked = [vote.question for vote in votes.votes]
    unknown = sorted(set(asked) - set(key["questions"]))
    twice = [question for question, number in Counter(asked).items() if number > 1]
    if unknown or twice:
        what = "are not in the key" if unknown else "are answered twice"
        raise InputError(f"{path}: {words.join_words(unknown or twice)} {what}")
    return votes
