"""The model card: what a model is, what it is good for, and what not (Mitchell et al. 2019)."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

import pandas as pd

from image_translation.fingerprint import digest
from image_translation.metrics import HEADLINES, MEASURES
from image_translation.metrics.looks import subset_of
from image_translation.reporting import words
from image_translation.reporting.answer import Outcome, relate
from image_translation.training.settings import LAST, ObjectiveSettings

BASELINES: Mapping[str, str] = {
    "copy_input": "copying the input",
    "mean_target": "the mean of all training targets",
}
"""What every model has to beat, by its name in the tables."""

OUTCOMES: Mapping[tuple[Outcome, bool | None], str] = {
    ("better", None): "better on",
    ("worse", None): "worse on",
    ("differ", True): "ahead, in this training, on",
    ("differ", False): "behind, in this training, on",
    ("equal", None): "practically equal on",
    ("open", None): "undecided on",
    ("failed", None): "no verdict, as a training failed, on",
    ("few", None): "too few independent photographs for a verdict on",
}
"""Outcome, and whether this model leads where that is told → how it is said."""

FEW_PAIRS = 10_000
"""Training pairs below which the card calls the data small."""


@dataclass(frozen=True)
class ModelFacts:
    """What a card tells of a model.

    Attributes:
        task: What it translates.
        model: Its name in the tables.
        version: Its number in the registry, where it is the one in use.
        config: What training left behind: ``network``, ``objective``, ``cost``, …
        source: Where the pairs came from.
        credit: Who made the images and under which licence, in words.
        derived: ``input`` or ``target`` where a recipe made that side, else None.
        recipe: What that side is, and after whom.
        splits: One row a side: ``split, n_pairs, n_groups``.
        digests: What was trained and chosen on, by name: digests of the data.
        grey_input: Whether the network is shown the photograph's luma.
        comparison: ``comparison.csv``, where it is about these weights.
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
        """Digest of all that the card tells."""
        return digest({field.name: getattr(self, field.name) for field in fields(self)})

    @property
    def image_size(self) -> int:
        """Height and width of the network's images in pixels."""
        return self.config["image_size"]


def write_card(facts: ModelFacts, variants: pd.DataFrame) -> str:
    """Tell in Markdown what a model is.

    Args:
        facts: What is known of it.
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
    version = "" if facts.version is None else f", version {facts.version} in use"
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
        "the last one, without a choice"
        if by == LAST
        else f"the best on validation by {by.upper()}"
    )
    rows = {
        "network": f"{network['name']}, {network['base_channels']} channels in its first "
        "block",
        "parameters": words.whole(cost["parameters"]),
        "cost of an image": words.quantity(
            cost["gmac"], suffix=" × 10⁹ multiply–accumulates"
        ),
        "trained for": objective.describe(),
        "epoch": f"{facts.config['best_epoch']} of {cost['epochs']}, {chosen}",
        "seed": str(facts.config["seed"]),
        "trained on": f"{cost['device']}, {cost['precision']}",
    }
    return "## Model\n\n" + _table(["", ""], [list(row) for row in rows.items()])


def _data(facts: ModelFacts) -> str:
    rows = [
        [row["split"], words.whole(row["n_pairs"]), words.whole(row["n_groups"])]
        for _, row in facts.splits.iterrows()
    ]
    origin = (
        f"The {facts.derived}s are no originals: a recipe made them ({facts.recipe})."
        if facts.derived
        else "Inputs and targets are both originals."
    )
    digests = "\n".join(f"- {name}: `{sha}`" for name, sha in facts.digests.items())
    licence = facts.credit or (
        "The source states none. Find out before you share this model or what it makes."
    )
    return (
        f"## Data\n\nSource: {facts.source}. {origin}\n\n"
        f"{_table(['side', 'pairs', 'independent groups'], rows)}\n\n"
        f"Digests:\n\n{digests}\n\nAuthors and licence of the data: {licence}"
    )


def _scores(facts: ModelFacts) -> str:
    table = facts.comparison
    own = None if table is None else table[table["model"] == facts.model]
    if own is None or not len(own):
        return (
            "## Scores\n\nThere are none of these weights: the comparison was not made, "
            f"or of others. `kedro run --pipeline={facts.task}` makes it."
        )
    rows = [
        [
            MEASURES[row["metric"]].label,
            words.value(row["metric"], row["mean"]),
            words.interval(row["metric"], row["ci_low"], row["ci_high"])
            or words.NOTHING,
            "higher" if row["higher_is_better"] else "lower",
        ]
        for _, row in own.iterrows()
        if row["metric"] in MEASURES
    ]
    first = own.iloc[0]
    counts = (
        f"{words.count(int(first['n_images']), f'{subset_of(own)} image')} of "
        f"{words.count(int(first['n_groups']), 'independent group')}, "
        f"{words.count(int(first['n_replicates']), 'training')}"
    )
    head = ["metric", "mean", "95 % interval", "better is"]
    sentences = "\n".join(
        f"- {sentence}"
        for baseline, whom in BASELINES.items()
        if (sentence := _stand(facts, baseline, whom))
    )
    return (
        f"## Scores\n\nOn {counts}:\n\n{_table(head, rows)}\n\n"
        f"Against the baselines, which need no training:\n\n{sentences or '- not compared'}"
    )


def _stand(facts: ModelFacts, baseline: str, whom: str) -> str:
    """How the model stands to a baseline on the study's metrics, in a sentence."""
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
            f"{words.label(relation.metric)} ({relation.numbers})"
            for relation in found
            if relation.outcome == outcome and leads in (None, relation.leads)
        ]
        if on:
            parts.append(f"{phrase} {words.join_words(on)}")
    return f"Against {whom}: {'; '.join(parts)}." if parts else ""


def _use(facts: ModelFacts) -> str:
    return (
        "## Intended use\n\n"
        "Translating photographs like those it was trained on, for design and for study. "
        "What it makes is a plausible picture, not a record: nothing in it is evidence of "
        "what a scene, a person or a colour really looked like. Not for decisions about "
        "people."
    )


def _limits(facts: ModelFacts) -> str:
    size = facts.image_size
    train = facts.splits[facts.splits["split"] == "train"].iloc[0]
    pairs, groups = int(train["n_pairs"]), int(train["n_groups"])
    limits = [
        f"It learnt from {words.count(pairs, 'pair')} of "
        f"{words.count(groups, 'independent group')}"
        + (
            ", which is little: expect worse results on other kinds of photographs."
            if pairs < FEW_PAIRS
            else "."
        ),
        f"It was trained at {size}×{size} px. `model.onnx` computes any sides that are "
        f"multiples of {size}, as the convolutions do, and there it computes what torch "
        "does; but what it then makes was never trained for nor scored. A network that "
        "goes down to 1×1 sees at its innermost levels what it never saw. For photographs "
        f"of other sizes use `kedro run --pipeline=translate`, which keeps to {size} px.",
        "It always gives the same output for an input: dropout is off, and the statistics "
        "are those of training.",
    ]
    if facts.derived == "target":
        limits.append(
            "Its targets were made by a recipe: it imitates the recipe, and can at best "
            "be as good as that."
        )
    if facts.derived == "input":
        limits.append(
            "Its inputs were made by a recipe from the targets: real inputs, such as old "
            "photographs, are different, and were not tested."
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
            words.value("psnr", row["psnr_to_torch"]),
            words.value("psnr", row["psnr_to_target"]),
            words.signed("psnr", -row["psnr_lost"]),
        ]
        for _, row in variants.iterrows()
    ]
    head = ["variant", "file", "MiB", "images/s, batch 1", "batch 16", "to torch fp32",
            "to the target", "difference"]  # fmt: skip
    return (
        "## Files\n\n"
        f"{_table(head, rows)}\n\n"
        "PSNR on validation pairs; speed on the machine of the export. The ranges of int8 "
        "are those of training images. Take a variant only where it is faster on your "
        "machine and its difference is one you can live with. More digits: `variants.csv`."
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


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
