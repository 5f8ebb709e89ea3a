import re
from dataclasses import replace

import pandas as pd
import pytest

from image_translation.export.card import write_card
from image_translation.export.variants import COLUMNS
from tests.export.conftest import make_verdicts

ROW = ("onnx int8", "model_int8.onnx", 2**20, 3.5, 7.25, 41.5, 24.5, 0.75)
VARIANTS = pd.DataFrame([ROW], columns=list(COLUMNS))


def card(facts):
    return write_card(facts, VARIANTS).replace("\u00a0", " ")


def test_card_describes_the_model_and_its_scores(make_facts):
    text = card(make_facts())
    for sentence in (
        "# pix2pix for colorization",
        "champion, version 3",
        f"SHA-256 `{'ab' * 32}`",
        "unet, 4 channels in its first block",
        "54,321",
        "1 × adversarial + 100 × L1",
        "12 of 20, the best on validation by PSNR",
        "| train | 285 | 40 |",
        f"- training pairs: `{'cd' * 32}`",
        "chelsea: Stefan van der Walt, CC0",
        "On 51 test images of 12 independent groups, 2 trainings:",
        "| PSNR | 25.50 dB | 24.25 to 26.75 dB | higher |",
        "Compared with copying the input: better on PSNR (+2.00 dB, +1.00 to +3.00 dB).",
        "285 pairs of 40 independent groups, a small data set",
        "multiples of 32",
        "real inputs, such as old photographs, are different",
        "| onnx int8 | `model_int8.onnx` | 1.00 | 3.50 | 7.25 | 41.50 dB | 24.50 dB "
        "| −0.75 dB |",
    ):
        assert sentence in text


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("<img src=x onerror=alert(1)>", r"Source: \<img src=x onerror=alert(1)\>. "),
        ("a\n# Title\r\n| x", r"Source: a \# Title \| x. "),
        ("[a](javascript:x)", r"Source: \[a\](javascript:x). "),
        ("my_photos `x` &lt; \\", r"Source: my\_photos \`x\` \&lt; \\. "),
    ],
)
def test_name_of_the_source_is_text(make_facts, source, shown):
    facts = replace(make_facts(), source=source, credit=source)
    assert shown in card(facts)
    assert "<img" not in card(facts).replace(r"\<img", "")


def test_epoch_without_selection_is_described_as_the_last(make_facts):
    facts = make_facts()
    config = {**facts.config, "select_by": "last", "best_epoch": 20}
    text = card(replace(facts, config=config))
    assert "20 of 20, the last epoch" in text


@pytest.mark.parametrize(
    ("verdict", "phrase"),
    [
        (
            "undecided (a true difference of 0.5 dB would be found in four cases out of "
            "five)",
            "undecided on",
        ),
        ("practically equal (within ±0.25 dB)", "practically equal on"),
        ("these trainings differ", "ahead, in this training, on"),
        (
            "undecided (a training of pix2pix failed)",
            "no verdict, because a training failed",
        ),
        ("too few independent photographs", "too few independent photographs for a"),
        ("copy_input is better", "better on"),
    ],
)
def test_card_states_the_verdict_on_a_baseline(make_facts, verdict, phrase):
    text = card(make_facts(verdicts=make_verdicts(verdict)))
    assert f"Compared with copying the input: {phrase}" in text


def test_scores_of_other_weights_are_omitted(make_facts):
    text = card(make_facts(comparison=None, verdicts=None))
    assert "Not available for these weights" in text and "25.50" not in text


def test_unknown_licence_is_stated(make_facts):
    assert "Not stated by the source" in card(make_facts(credit=""))


def test_originals_are_not_called_derived(make_facts):
    text = card(make_facts(derived=None, recipe=""))
    assert "Inputs and targets are originals" in text and "recipe" not in text


def test_grey_input_is_in_the_code(make_facts):
    code = re.findall(r"```python\n(.*?)```", card(make_facts()), re.S)
    assert len(code) == 2 and all('convert("L")' in block for block in code)
    assert 'convert("L")' not in card(make_facts(grey_input=False))


def test_pretrained_encoder_is_named_with_its_licence(make_facts):
    facts = make_facts()
    config = {
        **facts.config,
        "network": {**facts.config["network"], "encoder": "lite0"},
        "encoder_weights": "imagenet",
    }
    text = card(replace(facts, config=config))
    assert "lite0, from imagenet" in text
    assert "Apache License 2.0" in text
    assert "ImageNet" in text
    own = card(replace(facts, config={**config, "encoder_weights": "own.pth"}))
    assert "lite0, from own.pth" in own
    assert "Apache" not in own
