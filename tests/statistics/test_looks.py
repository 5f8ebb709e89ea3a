import pandas as pd
import pytest

from image_translation.statistics.looks import (
    LOOK_COLUMNS,
    Looks,
    count_scoring,
    describe_looks,
    gather_looks,
    note_seal,
    subset_of,
)


def scores(mse=0.1, pairs=4, replicates=1):
    return pd.DataFrame(
        [
            {"pair_id": f"{pair:04x}", "group": f"g{pair // 2}", "replicate": number}
            | {"mse": mse + pair / 10 + number, "psnr": 20.0}
            for number in range(replicates)
            for pair in range(pairs)
        ]
    )


class World:
    """Simulated sequence of runs that score models."""

    def __init__(self):
        self.scorings, self.looks, self.runs = {}, None, 0

    def run(self, test_set="t", is_sealed=False, **models):
        self.runs += 1
        run, time = f"run {self.runs}", f"2026-01-{self.runs:02}T02:00:00+00:00"
        for model, table in models.items():
            known = self.scorings.get(model)
            scored = table.head(0) if is_sealed else table
            self.scorings[model] = count_scoring(known, scored, test_set, run, time)
        self.looks = gather_looks(self.looks, self.scorings)
        if is_sealed:
            self.looks = note_seal(self.looks, test_set, run, time)
        return describe_looks(self.looks, test_set)


def test_first_scores_count_as_the_first_look():
    world = World()
    assert world.run(a=scores(0.1), b=scores(0.2)) == Looks(1, "2026-01-01", 0, False)
    assert list(world.looks.columns) == LOOK_COLUMNS
    assert world.looks["model"].tolist() == ["a", "b"]
    assert (world.looks["look"] == 1).all()
    assert world.looks["images"].tolist() == [4, 4]
    assert world.looks["groups"].tolist() == [2, 2]


def test_unchanged_run_counts_as_a_run_but_not_as_a_look():
    world = World()
    world.run(a=scores(0.1))
    before = world.looks
    assert world.run(a=scores(0.1)).count == 1
    pd.testing.assert_frame_equal(world.looks, before)
    assert world.scorings["a"]["runs"].tolist() == [2]


def test_new_scores_of_any_model_count_as_a_look():
    world = World()
    world.run(a=scores(0.1), b=scores(0.2))
    assert world.run(a=scores(0.1), b=scores(0.3)).count == 2
    assert world.run(a=scores(0.4), b=scores(0.3)).count == 3
    assert world.looks["model"].tolist() == ["a", "b", "b", "a"]


def test_known_scores_do_not_count_as_a_look():
    world = World()
    world.run(a=scores(0.1))
    world.run(a=scores(0.2))
    assert world.run(a=scores(0.1)).count == 2


def test_new_metric_or_rounding_does_not_count_as_a_look():
    world = World()
    world.run(a=scores(0.1))
    rounded = scores(0.1 + 1e-13).assign(lpips=0.5).iloc[::-1]
    assert world.run(a=rounded).count == 1


def test_scoring_of_a_single_model_is_counted_by_the_next_full_run():
    world = World()
    world.run(a=scores(0.1), b=scores(0.2))
    for number in (2, 3):
        time = f"2026-02-{number:02}T00:00:00+00:00"
        world.scorings["a"] = count_scoring(
            world.scorings["a"], scores(number), "t", f"alone {number}", time
        )
    assert world.run(b=scores(0.2)).count == 3


def test_other_test_sets_are_counted_separately():
    world = World()
    world.run(a=scores(0.1))
    world.run(a=scores(0.2))
    assert world.run("u", a=scores(0.1)) == Looks(1, "2026-01-03", 2, False)


def test_looks_are_kept_if_model_folders_are_deleted():
    world = World()
    world.run(a=scores(0.1))
    world.scorings = {}
    assert world.run(a=scores(0.1)).count == 1
    assert world.run(a=scores(0.2)).count == 2


def test_looks_are_rebuilt_from_the_model_folders():
    world = World()
    world.run(a=scores(0.1))
    world.run(a=scores(0.2))
    world.looks = None
    assert world.run(a=scores(0.2)).count == 2


def test_sealed_run_is_not_a_look_and_the_seal_is_recorded():
    world = World()
    assert world.run(is_sealed=True, a=scores()) == Looks(0, "", 0, True)
    assert world.run(is_sealed=True, a=scores(0.3)) == Looks(0, "", 0, True)
    assert len(world.looks) == 1
    assert world.run(a=scores()) == Looks(1, "2026-01-03", 0, True)


def test_seal_after_a_look_does_not_count_as_a_seal_before_it():
    world = World()
    world.run(a=scores())
    assert world.run(is_sealed=True, a=scores(0.2)) == Looks(1, "2026-01-01", 0, False)


def test_model_without_scores_is_not_counted():
    assert World().run(a=scores().head(0)) == Looks(0, "", 0, False)


@pytest.mark.parametrize(
    ("table", "subset"),
    [
        (scores(), "test"),
        (scores().assign(subset="validation"), "validation"),
        (scores().assign(subset="validation").head(0), "test"),
    ],
)
def test_subset_of_tables_without_the_column_is_the_test_set(table, subset):
    assert subset_of(table) == subset
