"""The blind test: people judge translations without knowing whose they are.

The page shows two unlabelled candidates a question. What they are stands only in the
key, a file of its own; votes mean something once both are put together.
"""

import hashlib
import itertools
import json
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
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

PREFERENCE, REALITY = "preference", "reality"
TARGET = "target"
"""What stands in the place of a model where the real target is shown."""


@dataclass(frozen=True)
class Question:
    """Two candidates for one input.

    Attributes:
        kind: ``preference`` (two models) or ``reality`` (a model and the target).
        pair_id: The test pair.
        left: Name of a model, or ``target``.
        right: Name of a model, or ``target``.
    """

    kind: str
    pair_id: str
    left: str
    right: str


def plan_questions(
    pair_ids: Sequence[str], models: Sequence[str], n: int, seed: int = 0
) -> list[Question]:
    """Draw a balanced blind test.

    A quarter of the questions asks which of two is real, the others which of two
    models is better. How often two models meet, how often each of them stands on the
    left and how often an image is used differ by at most one. Baselines take part
    only where fewer than two models are trained.

    Args:
        pair_ids: The test pairs to choose from.
        models: The models that have predictions.
        n: How many questions.
        seed: Of the draw; the same arguments give the same test.

    Returns:
        The questions in random order; none without pairs, models or ``n``.
    """
    trained = [model for model in models if model not in UNTRAINED]
    judged = trained if len(trained) > 1 else list(models)
    if not (n and pair_ids and judged):
        return []
    draw = random.Random(f"{seed} {sorted(pair_ids)} {judged}")
    against_target = [(model, TARGET) for model in judged]
    rivals = list(itertools.combinations(judged, 2))
    n_reality = n // 4 if rivals else n
    questions = [
        *_fill(PREFERENCE, rivals, n - n_reality, pair_ids, draw),
        *_fill(REALITY, against_target, n_reality, pair_ids, draw),
    ]
    draw.shuffle(questions)
    return questions


def _fill(
    kind: str,
    rivals: Sequence[tuple[str, str]],
    n: int,
    pair_ids: Sequence[str],
    draw: random.Random,
) -> list[Question]:
    """``n`` questions of one kind: rivals take turns, and so do sides and images."""
    order = draw.sample(rivals, len(rivals))
    swapped = {pair: draw.random() < 0.5 for pair in rivals}
    uses: Counter[str] = Counter()
    met: Counter[tuple[str, tuple[str, str]]] = Counter()
    questions = []
    for rival in itertools.islice(itertools.cycle(order), n):
        image = min(
            draw.sample(pair_ids, len(pair_ids)),
            key=lambda pair_id: (uses[pair_id], met[pair_id, rival]),
        )
        uses[image] += 1
        met[image, rival] += 1
        left, right = reversed(rival) if swapped[rival] else rival
        swapped[rival] = not swapped[rival]
        questions.append(Question(kind, image, left, right))
    return questions


def render_blind_test(
    task: str,
    questions: Sequence[Question],
    image_of: Callable[[str, str], Image],
) -> tuple[str, dict[str, Any]]:
    """Write the page of a blind test and the key to its answers.

    Args:
        task: Name of the task.
        questions: What is asked, see ``plan_questions``.
        image_of: ``(pair_id, which) -> uint8, H×W×3``; ``which`` is a model's name,
            ``target`` or ``input``.

    Returns:
        An HTML document that names no model, and the key: ``page`` (the document's
        own id), ``task`` and ``questions`` (opaque id → question).
    """
    images = [
        [image_of(q.pair_id, which) for which in ("input", q.left, q.right)]
        for q in questions
    ]
    encode = choose_encoder([*itertools.chain(*images[:2])], 3 * len(questions))
    asked = [
        {
            "id": f"q{number:03d}",
            "kind": question.kind,
            **dict(zip(("input", "left", "right"), map(encode, shown), strict=True)),
        }
        for number, (question, shown) in enumerate(
            zip(questions, images, strict=True), start=1
        )
    ]
    page = hashlib.sha256(json.dumps([task, asked]).encode()).hexdigest()[:16]
    script = read_resource("blind_test.js")
    html = read_template("blind_test.html").render(
        css=Markup(read_resource("report.css") + read_resource("gallery.css")),
        own_css=Markup(read_resource("blind_test.css")),
        script=Markup(script),
        script_hash=Markup(script_hash(script)),
        task=task.replace("_", " ").capitalize(),
        n=len(asked),
        embedded=describe_encoder(encode),
        data=script_json({"page": page, "task": task, "questions": asked}),
    )
    answers = {a["id"]: asdict(q) for a, q in zip(asked, questions, strict=True)}
    return html, {"page": page, "task": task, "questions": answers}


class _Vote(BaseModel):
    model_config = ConfigDict(extra="ignore")

    question: str
    choice: Literal["left", "right", "none"]


class _VoteFile(BaseModel):
    model_config = ConfigDict(extra="ignore")

    page: str
    judge: str
    votes: list[_Vote]


VOTE_COLUMNS = ["judge", "question", "kind", "pair_id", "left", "right", "choice"]


def read_votes(files: Iterable[Path], key: Mapping[str, Any]) -> pd.DataFrame:
    """Read the votes of any number of judges and say whose candidates they chose.

    Args:
        files: What judges exported, one file a judge.
        key: The key of the page on which they voted.

    Returns:
        One row a vote: ``judge, question, kind, pair_id, left, right, choice``, where
        ``choice`` is ``left``, ``right`` or ``none``.

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
    return pd.DataFrame(rows)[VOTE_COLUMNS]


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
            f"blind_test_key.json ({key['page']}). Keep the key beside the page that "
            "was judged"
        )
    asked = [vote.question for vote in votes.votes]
    unknown = sorted(set(asked) - set(key["questions"]))
    twice = [question for question, number in Counter(asked).items() if number > 1]
    if unknown or twice:
        what = "are not in the key" if unknown else "are answered twice"
        raise InputError(f"{path}: {words.join_words(unknown or twice)} {what}")
    return votes
