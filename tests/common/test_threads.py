import os

import pytest

from image_translation.common.threads import map_in_threads


def test_results_are_in_the_order_of_the_items():
    assert list(map_in_threads(lambda n: n * n, range(500))) == [
        n * n for n in range(500)
    ]


def test_buffer_is_small():
    taken = []

    def items():
        for number in range(100_000):
            taken.append(number)
            yield number

    results = map_in_threads(lambda n: n, items())
    assert next(results) == 0
    results.close()
    assert len(taken) <= 4 * max(2, os.cpu_count() or 1)


def test_error_in_a_thread_is_raised():
    def fail(number: int) -> int:
        raise ValueError(f"number {number}")

    with pytest.raises(ValueError, match="number 0"):
        list(map_in_threads(fail, range(3)))
