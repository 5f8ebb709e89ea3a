import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from image_translation.common.stamps import Stamp
from image_translation.imaging.recipes.grayscale import grayscale
from image_translation.metrics import METRICS
from image_translation.pairing.arrays import PairArrays
from image_translation.statistics import estimates
from image_translation.training.fitting import fit
from tests.conftest import PROJECT
from tests.training.conftest import make_pairs, make_settings


@pytest.mark.slow
def test_killed_trainings_end_with_the_same_weights():
    script = PROJECT / "benchmarks/interruption.py"
    result = subprocess.run(
        [sys.executable, str(script), "--times", "1", "--epochs", "10", "--runs", "0"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "1 of 1 killed trainings ended with the same weights" in result.stdout


def test_promotion_rarely_errs_over_many_looks(monkeypatch):
    monkeypatch.syspath_prepend(str(PROJECT / "benchmarks"))
    simulation = importlib.import_module("promotion")
    random = np.random.default_rng(1)
    errors = [simulation.is_ever_promoted(50, random) for _ in range(60)]
    by_rule, by_each = np.mean(errors, axis=0)
    assert by_rule < 0.1 < by_each
    found = [simulation.is_promoted_at(50, 2.0, random) for _ in range(3)]
    assert np.all(found)


def test_verdicts_are_simulated_for_every_shape_of_scores(monkeypatch):
    monkeypatch.syspath_prepend(str(PROJECT / "benchmarks"))
    simulation = importlib.import_module("verdicts")
    random = np.random.default_rng(0)
    shapes = sorted({scenario.shape for scenario in simulation.ERRORS})
    for shape in shapes:
        scenario = simulation.Scenario(12, 3, (0.1,), shape, models=3, metrics=2)
        scores = simulation.simulate(scenario, random)
        assert list(scores) == ["model 0", "model 1", "model 2"]
        for frame in scores.values():
            assert list(frame.columns[:2]) == ["mse", "psnr"]
            assert frame["group"].nunique() == 12
    assert len(shapes) == 5


def test_simulated_scores_have_the_stated_moments(monkeypatch):
    monkeypatch.syspath_prepend(str(PROJECT / "benchmarks"))
    simulation = importlib.import_module("verdicts")
    random = np.random.default_rng(0)
    for shape, mean in (("normal", 0), ("skewed", 0), ("outliers", -0.15)):
        scenario = simulation.Scenario(20_000, 1, (0.0,), shape, models=1)
        (scores,) = simulation.simulate(scenario, random).values()
        values = scores[list(METRICS)].to_numpy()
        np.testing.assert_allclose(values.mean(axis=0), mean, atol=0.05)
        variance = 1 + simulation.NOISE**2 + (shape == "outliers") * 25 * 0.03 * 0.97
        np.testing.assert_allclose(values.var(axis=0), variance, rtol=0.15)
        assert np.corrcoef(values.T)[0, 1] > 0.55


def test_tables_of_verdicts_are_printed(monkeypatch):
    monkeypatch.syspath_prepend(str(PROJECT / "benchmarks"))
    simulation = importlib.import_module("verdicts")
    monkeypatch.setattr(estimates, "DRAWS", 99)
    small = simulation.Scenario(12, 3, (0.1,), models=4, metrics=1)
    for name in ("ERRORS", "POWERS", "NAMED", "COVERAGE", "EFFECT_COVERAGE"):
        monkeypatch.setattr(simulation, name, (small, small))
    lines = list(simulation.tables(2, rows=1))
    assert sum("| 12 | 3 | 0.1 | normal |" in line for line in lines) == 7
    effects = [line.split(" | ")[0] for line in lines[-4:-1]]
    assert effects == ["| architecture", "| adversarial", "| interaction"]
    shares = [line.rstrip(" |").split("| ")[-1] for line in lines if "| 12 |" in line]
    assert all(0 <= float(share.rstrip("%")) <= 100 for share in shares)
    assert not simulation.makes_false_claim(small, np.random.default_rng(0))
    found, by_flips = simulation.share_found(small, np.random.default_rng(0))
    assert found > 0.5
    assert by_flips > 0.5


def save_pairs(folder: Path, pairs: PairArrays) -> None:
    """Save pairs like the preparation."""
    folder.mkdir()
    np.save(folder / "inputs.npy", pairs.inputs)
    np.save(folder / "targets.npy", pairs.targets)
    pairs.index.to_csv(folder / "index.csv", index=False)
    Stamp(folder).write(pairs.fingerprint)


@pytest.mark.slow
def test_ablation_compares_options_with_the_plain_model(tmp_path):
    for side, seed in (("train", 0), ("validation", 1)):
        save_pairs(tmp_path / side, make_pairs(6, seed))
    page = tmp_path / "results.md"
    page.write_text("# Results\n\nKept.\n")
    command = [sys.executable, str(PROJECT / "benchmarks/ablation.py")]
    command += ["--pairs", str(tmp_path), "--limit", "4", "--epochs", "1"]
    command += ["--channels", "2", "--seeds", "2", "--models", "unet"]
    command += ["--only", "dropout", "flips", "--keep", str(tmp_path / "models")]
    command += ["--write", str(page)]
    for _ in range(2):  # the second run replaces the section of the first
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
    text = page.read_text()
    assert text.startswith("# Results\n\nKept.\n\n<!-- ablation")
    assert text.count("| as published |") == 1
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == [
        "network.dropout=0.0",
        "inference.flips=True",
    ]
    assert all(row.count("±") == 3 for row in rows)
    assert "4 training and 6 validation pairs of 32 pixels" in text
    # flips need no training of their own
    assert len(list((tmp_path / "models").iterdir())) == 2


def test_blind_test_is_simulated():
    script = PROJECT / "benchmarks/blind_test.py"
    result = subprocess.run(
        [sys.executable, str(script), "--studies", "1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    none, some = result.stdout.split("\n\n")
    assert "| 50% | Beta(1, 1) | 0 | 20 |" in none and len(none.splitlines()) == 22
    assert "| 80% | alike | 0 | 20 | 100% |" in some


def test_scoring_speed_is_written_into_a_page(tmp_path):
    page = tmp_path / "performance.md"
    page.write_text(
        "# Performance\n\n<!-- scoring: written from here -->\nold\n"
        "<!-- scoring: to here -->\n\n## What follows\n"
    )
    command = [sys.executable, str(PROJECT / "benchmarks/metrics.py")]
    command += ["--images", "3", "--sizes", "32", "--write", str(page)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    text = page.read_text()
    assert "old" not in text
    assert text.endswith("<!-- scoring: to here -->\n\n## What follows\n")
    deviations = [row.split("|")[5] for row in text.splitlines() if "e-" in row]
    assert len(deviations) == 1 and float(deviations[0]) < 1e-10


def test_set_distances_are_written_into_a_page(tmp_path):
    page = tmp_path / "statistics.md"
    page.write_text("# Statistics\n")
    command = [sys.executable, str(PROJECT / "benchmarks/set_distances.py")]
    command += ["--photographs", str(tmp_path / "photographs"), "--size", "16"]
    command += ["--simulations", "2", "--numbers", "4", "--write", str(page)]
    (tmp_path / "photographs").mkdir()
    random = np.random.default_rng(0)
    for number in range(12):
        pixels = random.integers(0, 256, (20, 30, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"photographs/{number}.png")
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    text = page.read_text()
    assert text.count("| other photographs | 4 | swd | 0.0 |") == 1
    assert text.count("| blurred | 4 |") == 3


def test_gains_over_the_grey_photograph_have_intervals(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(PROJECT / "benchmarks"))
    full_size = importlib.import_module("full_size")
    pairs = make_pairs(2)
    fit(make_settings("copy_input"), pairs, pairs, tmp_path / "copy")
    photo = np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8)
    Image.fromarray(photo).save(tmp_path / "photo.png")
    paths = [tmp_path / "photo.png"]
    table = full_size.measure_gains(tmp_path / "copy", paths, "luminance", 1.0)
    # A copy of the grey input has no colours to add.
    assert table["psnr"][0] == pytest.approx(table["grey psnr"][0], abs=0.01)
    expected = full_size.FUNCTIONS["psnr"](grayscale(photo)[None], photo[None])[0]
    assert table["grey psnr"][0] == pytest.approx(expected)

    scores = {f"grey {m}": [20.0, 21.0, 22.0] for m in full_size.METRICS}
    table = full_size.pd.DataFrame(
        scores | {m: [21.0, 22.5, 22.5] for m in full_size.METRICS}
    )
    first = full_size.summarize_gains(table).splitlines()[0]
    assert first.startswith("psnr: grey 21.0000, colour 22.0000, gain +1.0000 (+0.5")


def test_label_maps_and_edges_become_pairs(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    halves = np.zeros((48, 64, 3), dtype=np.uint8)
    halves[:24], halves[24:] = (90, 150, 230), (40, 90, 20)  # sky above grass
    for number in range(3):
        noise = np.random.default_rng(number).integers(0, 9, halves.shape)
        Image.fromarray((halves + noise).astype(np.uint8)).save(
            photos / f"{number}.png"
        )
    script = PROJECT / "benchmarks/abstract_inputs.py"
    subprocess.run(
        [sys.executable, str(script), str(photos), str(tmp_path / "pairs")], check=True
    )
    for folder in ("labels", "edges"):
        for side in ("input", "target"):
            names = [
                p.name for p in sorted((tmp_path / "pairs" / folder / side).iterdir())
            ]
            assert names == ["0.png", "1.png", "2.png"]
    labels = np.asarray(Image.open(tmp_path / "pairs/labels/input/0.png"))
    sky, grass = (
        {*map(tuple, labels[r].reshape(-1, 3))} for r in (slice(9), slice(39, 48))
    )
    assert not sky & grass  # never one class
    edges = np.asarray(Image.open(tmp_path / "pairs/edges/input/0.png"))
    assert (edges[22:26] == 0).any(axis=0).mean() > 0.8  # the horizon
    assert (edges == 255).mean() > 0.9
