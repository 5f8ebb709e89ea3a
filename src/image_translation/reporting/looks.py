"""What the report says of looks at the test set, and of its seal."""

from image_translation.metrics.looks import TEST, Looks
from image_translation.reporting import words


def tell_looks(looks: Looks | None) -> str:
    """Tell how often the test pairs were scored, in sentences.

    Args:
        looks: What was counted; None where nothing was.
    """
    if looks is None or not looks.count:
        return ""
    if looks.count == 1:
        sentences = [f"These test pairs have been scored once, on {looks.first}."]
    else:
        sentences = [
            f"These test pairs have been scored {looks.count:,} times (first on "
            f"{looks.first}); each look makes the p-values a little too optimistic."
        ]
    if looks.was_sealed:
        sentences.append("The test set was sealed until then.")
    if looks.others:
        sentences.append(
            "Other test sets of this task, which may share pairs with this one, have "
            f"been scored {words.count(looks.others, 'time')}."
        )
    return " ".join(sentences)


def tell_seal(subset: str, looks: Looks | None) -> str:
    """Tell what is shown in place of a sealed test set; empty where it is open.

    Args:
        subset: The subset that was scored.
        looks: Looks at the test set before it was sealed.
    """
    if subset == TEST:
        return ""
    before = looks.count if looks is not None else 0
    history = (
        f"It had been scored {words.count(before, 'time')} before it was sealed."
        if before
        else "Run again with test.sealed=false to open it: that is the first look."
    )
    return (
        f"All scores, verdicts and pictures on this page are of the {subset} pairs, not "
        f"of the test pairs. The {subset} pairs chose the epoch of every model, and "
        "whatever was tuned, so these numbers flatter; p-values and intervals do not "
        f"allow for that. {history}"
    )
