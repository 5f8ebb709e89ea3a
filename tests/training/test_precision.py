import pytest
import torch

from image_translation.training import precision
from image_translation.training.precision import fastest_precision, measure_share


@pytest.fixture
def choose(monkeypatch, tmp_path):
    """Choose a precision with capabilities and a measured share; returns it and the
    number of measurements."""
    monkeypatch.setattr(precision.image_translation, "__file__", tmp_path / "x.py")

    def run(share, **capabilities):
        measured = []

        def measure():
            measured.append(share)
            return share

        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
        monkeypatch.setattr(precision, "measure_share", measure)
        fastest_precision.cache_clear()
        try:
            return fastest_precision(), len(measured)
        finally:
            fastest_precision.cache_clear()

    return run


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, "bf16"), (0.9, "bf16"), (0.91, "fp32"), (4.0, "fp32")]
)
def test_bfloat16_is_chosen_where_it_gains_a_tenth(choose, share, expected):
    assert choose(share, avx512_bf16=True) == (expected, 1)


@pytest.mark.parametrize("capabilities", [{}, {"avx512_bf16": False, "avx512_f": True}])
def test_without_instructions_nothing_is_measured(choose, capabilities):
    assert choose(0.1, **capabilities) == ("fp32", 0)


def test_choice_is_kept_for_the_same_machine_only(choose):
    assert choose(0.5, amx_bf16=True) == ("bf16", 1)
    assert choose(2.0, amx_bf16=True) == ("bf16", 0)  # a busy moment changes nothing
    assert choose(2.0, avx512_bf16=True) == ("fp32", 1)


def test_share_compares_the_same_work():
    assert 0.01 < measure_share() < 100
