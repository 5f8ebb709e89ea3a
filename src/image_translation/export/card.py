"""The model card: description, scores, intended use and limits (Mitchell et al.
2019).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

import pandas as pd

from image_translation.common import wording
from image_translation.common.fingerprint import digest
from image_translation.common.names import COPY_INPUT, MEAN_TARGET, TRAIN
from image_translation.metrics import HEADLINES, MEASURES
from image_translation.networks.encoder_weights import CREDIT, IMAGENET
from image_translation.reporting import formatting
from image_translation.reporting.conclusions import Outcome, relate
from image_translation.statistics.looks import subset_of
from image_translation.training.settings import LAST, ObjectiveSettings

PHRASES: Mapping[str, str] = {
    COPY_INPUT: "copying the input",
    MEAN_TARGET: "the mean of all training targets",
}
"""Phrase for each baseline, by name."""

OUTCOMES: Mapping[tuple[Outcome, bool | None], str] = {
    ("better", None): "better on",
    ("worse", None): "worse on",
    ("differ", True): "ahead, in this training, on",
    ("differ", False): "behind, in this training, on",
    ("equal", None): "practically equal on",
    ("open", None): "undecided on",
    ("failed", None): "no verdict, because a training failed, on",
    ("few", None): "too few independent photographs for a verdict on",
}
"""Phrase for an outcome and whether this model leads, if applicable."""

FEW_PAIRS = 10_000
"""Number of training pairs below which the card calls the data set small."""


@dataclass(frozen=True)
class ModelFacts:
    """Facts of a model card.

    Attributes:
        task: The task.
        model: Name in the tables.
        version: Version in the registry, if it is the champion.
        config: Configuration of the training: ``network``, ``objective``, ``cost``, …
        source: The source of the pairs.
        credit: Authors and licences of the images.
        derived: ``input`` or ``target`` if a recipe derived that image, else None.
        recipe: Description and source of the recipe.
        splits: One row per subset: ``split, n_pairs, n_groups``.
        digests: Digests of the data used for training and selection, by name.
        grey_input: Whether the network's input is the photograph's luma.
        comparison: ``comparison.csv``, if it is about these weights.
        verdicts: ``verdicts.csv``, likewise.
    """

    task: str
    model: str
    version: int | None
    config: Mapping[str, Any]
    source: str
    credit: str
    derived: Literal["input", "target"] | None
    recipe: str
    splits: pd.DataFrame
    digests: Mapping[str, str]
    grey_input: bool
    comparison: pd.DataFrame | None
    verdicts: pd.DataFrame | None

    @property
    def fingerprint(self) -> str:
        return digest({field.name: getattr(self, field.name) for field in fields(self)})

    @property
    def image_size(self) -> int:
        """Height and width of the network's images in pixels."""
        return self.config["image_size"]


def write_card(facts: ModelFacts, variants: pd.DataFrame) -> str:
    """Write the model card in Markdown.

    Args:
        facts: The facts.
        variants: ``variants.csv``.
    """
    sections = (
        _head(facts),
        _architecture(facts),
        _data(facts),
        _scores(facts),
        _use(facts),
        _limits(facts),
        _files(facts, variants),
        _loading(facts),
    )
    return "\n\n".join(sections) + "\n"


def _head(facts: ModelFacts) -> str:
    version = "" if facts.version is None else f", champion, version {facts.version}"
    return (
        f"# {facts.model} for {facts.task}\n\n"
        f"Translates images of {facts.image_size}×{facts.image_size} px "
        f"({facts.task.replace('_', ' ')}{version}). "
        f"Weights: SHA-256 `{facts.config['weights_sha256']}`."
    )


def _architecture(facts: ModelFacts) -> str:
    network, cost = facts.config["network"], facts.config["cost"]
    objective = ObjectiveSettings.model_validate(facts.config["objective"])
    by = facts.config["select_by"]
    chosen = (
        "the last epoch" if by == LAST else f"the best on validation by {by.upper()}"
    )
    weights = facts.config.get("encoder_weights")
    start = {"encoder": f"{network['encoder']}, from {weights}"} if weights else {}
    members, seed = facts.config.get("members"), facts.config["seed"]
    epoch = (
        {
            "members": f"{members} trainings with the seeds {seed}, {seed + 1}, …; the result "
            "is their mean, at the size and the time of all"
        }
        if members
        else {
            "epoch": f"{facts.config['best_epoch']} of {cost['epochs']}, {chosen}",
            "seed": str(seed),
        }
    )
    rows = {
        "network": f"{network['name']}, {network['base_channels']} channels in its first "
        "block",
        **start,
        "parameters": formatting.whole(cost["parameters"]),
        "cost per image": formatting.quantity(
            cost["gmac"], suffix=" × 10⁹ multiply–accumulates"
        ),
        "trained for": objective.describe(),
        **epoch,
        "trained on": f"{cost['device']}, {cost['precision']}",
    }
    return "## Model\n\n" + _table(["", ""], [list(row) for row in rows.items()])


def _data(facts: ModelFacts) -> str:
    rows = [
        [
            row["split"],
            formatting.whole(row["n_pairs"]),
            formatting.whole(row["n_groups"]),
        ]
        for _, row in facts.splits.iterrows()
    ]
    origin = (
        f"The {facts.derived}s are derived (recipe: {facts.recipe})."
        if facts.derived
        else "Inputs and targets are originals."
    )
    digests = "\n".join(f"- {name}: `{sha}`" for name, sha in facts.digests.items())
    licence = _escape(facts.credit) or (
        "Not stated by the source. Clarify them before you share this model or its output."
    )
    is_credited = facts.config.get("encoder_weights") == IMAGENET
    pretraining = f"\n\n{CREDIT}" if is_credited else ""
    return (
        f"## Data\n\nSource: {_escape(facts.source)}. {origin}\n\n"
        f"{_table(['subset', 'pairs', 'independent groups'], rows)}\n\n"
        f"Digests:\n\n{digests}\n\nAuthors and licence of the data: {licence}"
        f"{pretraining}"
    )


def _scores(facts: ModelFacts) -> str:
    table = facts.comparison
    own = None if table is None else table[table["model"] == facts.model]
    if own is None or not len(own):
        return (
            "## Scores\n\nNot available for these weights. To compute them, run "
            f"`kedro run --pipeline={facts.task}`."
        )
    rows = [
        [
            MEASURES[row["metric"]].label,
            formatting.value(row["metric"], row["mean"]),
            formatting.interval(row["metric"], row["ci_low"], row["ci_high"])
            or formatting.NOTHING,
            "higher" if row["higher_is_better"] else "lower",
        ]
        for _, row in own.iterrows()
        if row["metric"] in MEASURES
    ]
    first = own.iloc[0]
    counts = (
        f"{wording.count(int(first['n_images']), f'{subset_of(own)} image')} of "
        f"{wording.count(int(first['n_groups']), 'independent group')}, "
        f"{wording.count(int(first['n_replicates']), 'training')}"
    )
    head = ["metric", "mean", "95 % interval", "better is"]
    sentences = "\n".join(
        f"- {sentence}"
        for baseline, whom in PHRASES.items()
        if (sentence := _compare(facts, baseline, whom))
    )
    return (
        f"## Scores\n\nOn {counts}:\n\n{_table(head, rows)}\n\n"
        f"Compared with the baselines, which need no training:\n\n"
        f"{sentences or '- not compared'}"
    )


def _compare(facts: ModelFacts, baseline: str, whom: str) -> str:
    """Compare the model with a baseline on the study's metrics, in a sentence."""
    if facts.verdicts is None:
        return ""
    found = [
        relation
        for metric in HEADLINES
        if (relation := relate(facts.verdicts, facts.model, baseline, metric))
    ]
    parts = []
    for (outcome, leads), phrase in OUTCOMES.items():
        on = [
            f"{formatting.label(relation.metric)} ({relation.numbers})"
            for relation in found
            if relation.outcome == outcome and leads in (None, relation.leads)
        ]
        if on:
            parts.append(f"{phrase} {wording.join_words(on)}")
    return f"Compared with {whom}: {'; '.join(parts)}." if parts else ""


def _use(facts: ModelFacts) -> str:
    return (
        "## Intended use\n\n"
        "Translation of photographs similar to the training data, for design and study. "
        "The output is a plausible picture, not a record: it is not evidence of the true "
        "appearance of a scene, a person or a colour. Not for decisions about people."
    )


def _limits(facts: ModelFacts) -> str:
    size = facts.image_size
    train = facts.splits[facts.splits["split"] == TRAIN].iloc[0]
    pairs, groups = int(train["n_pairs"]), int(train["n_groups"])
    limits = [
        f"It was trained on {wording.count(pairs, 'pair')} of "
        f"{wording.count(groups, 'independent group')}"
        + (
            ", a small data set: expect worse results on other kinds of photographs."
            if pairs < FEW_PAIRS
            else "."
        ),
        f"It was trained at {size}×{size} px. `model.onnx` accepts any height and width "
        f"that are multiples of {size}, with the same output as torch; but other sizes "
        "were neither trained nor scored. At other sizes, a network that goes down to "
        "1×1 sees inputs at its innermost levels unlike those of training. For "
        "photographs of other sizes, use `kedro run --pipeline=translate`, which runs "
        f"the network at {size} px.",
        "It is deterministic: dropout is off, and batch statistics are those of training.",
    ]
    if facts.derived == "target":
        limits.append(
            "Its targets were derived by a recipe: it imitates the recipe, and is at best "
            "as good as the recipe."
        )
    if facts.derived == "input":
        limits.append(
            "Its inputs were derived from the targets by a recipe: real inputs, such as old "
            "photographs, are different and were not tested."
        )
    return "## Limits\n\n" + "\n".join(f"- {limit}" for limit in limits)


def _files(facts: ModelFacts, variants: pd.DataFrame) -> str:
    rows = [
        [
            row["variant"],
            f"`{row['file']}`",
            f"{row['bytes'] / 2**20:.2f}",
            f"{row['images_per_second_1']:.2f}",
            f"{row['images_per_second_16']:.2f}",
            formatting.value("psnr", row["psnr_to_torch"]),
            formatting.value("psnr", row["psnr_to_target"]),
            formatting.signed("psnr", -row["psnr_lost"]),
        ]
        for _, row in variants.iterrows()
    ]
    head = ["variant", "file", "MiB", "images/s, batch 1", "batch 16", "PSNR to torch",
            "to the target", "difference"]  # fmt: skip
    return (
        "## Files\n\n"
        f"{_table(head, rows)}\n\n"
        "PSNR on validation pairs; speed on the exporting machine. int8 is calibrated on "
        "training images. Use a variant only if it is faster on your machine and its "
        "loss is acceptable. Exact values: `variants.csv`."
    )


def _loading(facts: ModelFacts) -> str:
    grey = '.convert("L")' if facts.grey_input else ""
    read = (
        f'photo = Image.open("photo.jpg"){grey}.convert("RGB").resize(({facts.image_size},'
        f" {facts.image_size}))\n"
        "image = np.asarray(photo, np.float32).transpose(2, 0, 1)[np.newaxis] / 127.5 - 1"
    )
    write = (
        "levels = ((translated[0] + 1) * 127.5).round().clip(0, 255).astype(np.uint8)\n"
        'Image.fromarray(levels.transpose(1, 2, 0).copy()).save("translated.png")'
    )
    return (
        "## Use\n\nIn ONNX Runtime:\n\n"
        "```python\nimport numpy as np\nimport onnxruntime\nfrom PIL import Image\n\n"
        f"{read}\n"
        'session = onnxruntime.InferenceSession("model.onnx")\n'
        '(translated,) = session.run(None, {"image": image})  # N×3×H×W in [-1, 1]\n'
        f"{write}\n```\n\nIn torch:\n\n"
        "```python\nimport numpy as np\nimport torch\nfrom PIL import Image\n\n"
        f"{read}\n"
        'network = torch.export.load("model.pt2").module()\n'
        "with torch.inference_mode():\n"
        "    translated = network(torch.from_numpy(image)).numpy()\n"
        f"{write}\n```"
    )


def _escape(text: str) -> str:
    r"""Escape external text as Markdown, so that it is shown unchanged and in one line.

    >>> _escape("a_b <img src=x>")
    'a\\_b \\<img src=x\\>'
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return re.sub(r"[\\`*_\[\]<>&|~#!]", r"\\\g<0>", line)


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
