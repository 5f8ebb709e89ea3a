"""Nodes of the human study."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from image_translation.common.errors import InputError
from image_translation.common.fingerprint import fingerprint
from image_translation.common.stamps import Stamped, make_all_if_stale
from image_translation.datasets.predictions import Predictions
from image_translation.pairing.arrays import PairArrays
from image_translation.reporting.settings import ReportSettings


def write_blind_test(
    task: str, settings: ReportSettings, test: PairArrays, **predictions: Predictions
) -> tuple[Stamped[Any], ...]:
    """Write the page of the blind test, and its key.

    Args:
        task: Name of the task.
        settings: The number of questions.
        test: The test pairs.
        **predictions: Predictions of each model, by ``<model>.predictions``.

    Returns:
        The page's HTML and its key.
    """
    from image_translation.reporting.blind_test import (
        plan_questions,
        render_blind_test,
    )

    made = {
        name.removesuffix(".predictions"): images
        for name, images in predictions.items()
        if images.replicates
    }
    rows = {pair_id: row for row, pair_id in enumerate(test.index["pair_id"])}
    arrays = {"input": test.inputs, "target": test.targets}
    blind_test = plan_questions(
        dict(zip(rows, test.index["group"].astype(str), strict=True)),
        {model: images.replicates for model, images in made.items()},
        settings.blind_questions or 0,
    )
    made_from = fingerprint(
        "image_translation.reporting.blind_test.plan_questions",
        "image_translation.reporting.blind_test.render_blind_test",
        task=task,
        report=settings,
        scored_pairs=test,
        predictions=made,
    )
    return make_all_if_stale(
        made_from,
        lambda: render_blind_test(
            task,
            blind_test,
            lambda pair_id, which, replicate: (
                arrays[which][rows[pair_id]]
                if which in arrays
                else made[which].read(pair_id, replicate)
            ),
        ),
        2,
    )


def study_votes(
    votes: str | None, key: Mapping[str, Any] | None
) -> tuple[pd.DataFrame, Any]:
    """Evaluate the votes of all judges.

    Args:
        votes: File of votes, or a folder of such files.
        key: The key of the judged page, or None.

    Returns:
        The table of rates, with the judges' agreement and the page's id in every row,
        and its figure as PNG.

    Raises:
        InputError: Votes or key are missing, or they do not match.
    """
    from image_translation.reporting.blind_test import read_votes
    from image_translation.reporting.figures import human_preferences, to_png
    from image_translation.statistics import preferences

    if not key:
        raise InputError(
            "blind_test_key.json is missing: run the task's pipeline, which writes it "
            "with blind_test.html, and judge that page"
        )
    judged = read_votes(_vote_files(votes), key)
    agreement = preferences.judge_agreement(judged)
    table = preferences.preference_rates(judged).assign(
        agreement=agreement.raw,
        alpha=agreement.alpha,
        page=key["page"],
    )
    return table, to_png([human_preferences(table)])


def _vote_files(votes: str | None) -> list[Path]:
    if votes is None:
        raise InputError(
            "votes: pass the file that blind_test.html exported, or a folder of such "
            "files: --params task=<task>,votes=<folder>"
        )
    path = Path(votes)
    if not path.exists():
        raise InputError(f"votes: {path} does not exist")
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    files = [file for file in files if file.name != "blind_test_key.json"]
    if not files:
        raise InputError(f"votes: {path} contains no *.json file of votes")
    return files
