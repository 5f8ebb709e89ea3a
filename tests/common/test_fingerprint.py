import numpy as np
import pandas as pd
import pytest

from image_translation.common.fingerprint import (
    MISSING,
    code_digest,
    digest,
    explain_change,
    fingerprint,
)
from image_translation.common.schema import Settings
from image_translation.training.settings import InferenceSettings


def test_digest_depends_on_values_and_not_on_the_order_of_keys():
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})


def test_digest_keeps_its_parts_apart():
    assert digest("ab", "c") != digest("a", "bc")


def test_digest_sees_dtype_shape_and_content_of_arrays():
    array = np.arange(6, dtype=np.uint8)
    assert digest(array) == digest(array.copy())
    assert digest(array) != digest(array.reshape(2, 3))
    assert digest(array) != digest(array.astype(np.int8))


def test_digest_reads_settings_frames_and_things_with_a_fingerprint():
    class Thing:
        fingerprint = "f"

    settings = InferenceSettings(batch_size=1, dropout=False, batch_statistics=False)
    frame = pd.DataFrame({"a": [1]})
    first = digest(settings, frame, Thing(), [Thing()])
    assert first == digest(settings, frame.copy(), Thing(), [Thing()])


class Sample(Settings):
    size: int
    extra: int = 0


def test_fingerprint_names_what_changed():
    before = fingerprint(
        "image_translation.common.names", training={"epochs": 2}, pairs=np.zeros(1)
    )
    after = fingerprint(
        training={"epochs": 3, "seed": 1}, pairs=np.ones(1), sample=Sample(size=1)
    )
    assert explain_change(None, after) == MISSING
    assert explain_change(before, after) == (
        "pairs changed; sample.size: none → 1; training.epochs: 2 → 3; and 1 more"
    )
    assert "older version" in explain_change("f", after)
    assert before == fingerprint(training={"epochs": 2}, pairs=np.zeros(1))


def test_new_field_with_a_default_changes_no_fingerprint():
    assert fingerprint(a=Sample(size=1)) == fingerprint(a={"size": 1})
    assert fingerprint(a=Sample(size=1, extra=1)) != fingerprint(a=Sample(size=1))


def test_digest_refuses_what_it_cannot_read():
    with pytest.raises(TypeError, match="object"):
        digest(object())


def test_code_digest_ignores_comments_and_sees_code(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    digests = []
    for number, text in enumerate(["x = 1\n", "x = 1  # one\n", "x = 2\n"]):
        (tmp_path / f"sample_{number}.py").write_text(text)
        digests.append(code_digest(f"sample_{number}"))
    assert digests[0] == digests[1] != digests[2]


def test_code_digest_sees_the_pages_of_a_package(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    for name, page in (("first", "<p>"), ("second", "<p>"), ("third", "<b>")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
        (tmp_path / name / "page.html").write_text(page)
    first, second, third = map(code_digest, ("first", "second", "third"))
    assert first == second != third
