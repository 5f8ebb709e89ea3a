"""Describe evaluations on the test set and its seal."""

from image_translation.common import wording
from image_translation.common.names import TEST
from image_translation.statistics.looks import Looks


def describe_evaluations(looks: Looks | None) -> str:
    """Describe how often the test pairs were scored, in sentences.

    Args:
        looks: The evaluations; None if not counted.
    """
    if looks is None or not looks.count:
        return ""
    if looks.count == 1:
        sentences = [f"These test pairs have been scored once, on {looks.first}."]
    else:
        sentences = [
            f"These test pairs have been scored {looks.count:,} times (first on "
            f"{looks.first}); each evaluation makes the p-values slightly too optimistic."
        ]
    if looks.was_sealed:
        sentences.append("The test set was sealed until then.")
    if looks.others:
        sentences.append(
            "Other test sets of this task, which may share pairs with this one, have "
            f"been scored {wording.count(looks.others, 'time')}."
        )
    return " ".join(sentences)


def describe_seal(subset: str, looks: Looks | None) -> str:
    """Describe the replacement of a sealed test set; empty if it is not sealed.

    Args:
        subset: The scored subset.
        looks: Evaluations on the test set before it was sealed.
    """
    if subset == TEST:
        return ""
    before = looks.count if looks is not None else 0
    history = (
        f"It had been scored {wording.count(before, 'time')} before it was sealed."
        if before
        else "Run again with test.sealed=false for the first evaluation on it."
    )
    return (
        f"All scores, verdicts and images on this page are of the {subset} pairs, not "
        f"of the test pairs. The {subset} pairs also selected the epoch of every model "
        "and tuned parameters, so these numbers are optimistic; p-values and intervals "
        f"do not account for that. {history}"
    )
