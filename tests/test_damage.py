"""One file of each kind is damaged after a run; the next run notices and heals it."""

import os
import shutil
from pathlib import Path

import pytest

from image_translation.common.stamps import STAMP_NAME, Stamp

RESTORED = (
    "03_primary/colorization/split.csv",
    "03_primary/colorization/assignments.csv",
    "06_models/colorization/promotions.csv",
    "06_models/colorization/pair_looks.csv",
)
"""Files that cannot be made again."""

COUNTING = (
    "07_model_output/colorization/unet/scorings.csv",
    "08_reporting/colorization/looks.csv",
)
"""Also restored; they count the run that makes the scores again."""

REPEATABLE = (
    "01_raw/colorization/photographs/files/*/*",
    "02_intermediate/colorization/manifest.csv",
    "02_intermediate/colorization/findings.csv",
    "03_primary/colorization/tied_pairs.csv",
    "05_model_input/colorization/scored_pairs.json",
    "05_model_input/colorization/*/*.npy",
    "05_model_input/colorization/*/index.csv",
    "06_models/colorization/unet/model.json",
    "06_models/colorization/unet/replicate-0/weights.safetensors",
    "07_model_output/colorization/unet/predictions/*.png",
    "07_model_output/colorization/unet/predictions/index.json",
    "07_model_output/colorization/unet/scores.csv",
    "07_model_output/colorization/unet/set_scores.csv",
    "08_reporting/colorization/comparison.csv",
    "08_reporting/colorization/verdicts.csv",
    "08_reporting/colorization/effects.csv",
    "08_reporting/colorization/plan.csv",
    "08_reporting/colorization/score_chart.json",
    "08_reporting/colorization/blind_test.html",
    "08_reporting/colorization/blind_test_key.json",
)
"""Files that are made again with the same bytes."""

OTHERS = (
    "02_intermediate/colorization/source.json",
    "06_models/colorization/unet/replicate-0/config.json",
    "06_models/colorization/unet/replicate-0/history.csv",
    "06_models/colorization/unet/replicate-0/events.jsonl",
    "06_models/colorization/unet/replicate-0/mlflow.json",
    "08_reporting/colorization/promotion.json",
    "08_reporting/colorization/run_summary.md",
    "08_reporting/colorization/report.html",
    "08_reporting/colorization/*.png",
    "08_reporting/summary.html",
)
"""Files with paths, times or durations."""


def remove(file: Path) -> None:
    file.unlink()


def empty(file: Path) -> None:
    file.write_bytes(b"")


def truncate(file: Path) -> None:
    os.truncate(file, file.stat().st_size * 2 // 3)


def halve_lines(file: Path) -> None:
    lines = file.read_bytes().splitlines(keepends=True)
    half = b"".join(lines[: len(lines) // 2])
    file.write_bytes(half)


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) * 3 // 5] ^= 1
    file.write_bytes(content)


def overwrite(file: Path) -> None:
    file.write_bytes(b"\x89garbage\x00\xff" * 20)


def first_files(data: Path, patterns: tuple[str, ...]) -> list[Path]:
    found = [sorted(data.glob(pattern)) for pattern in patterns]
    assert all(found)
    return [files[0] for files in found]


DAMAGES = (remove, empty, truncate, halve_lines, flip, overwrite)


@pytest.mark.parametrize(
    "first",
    [
        0,
        *(pytest.param(number, marks=pytest.mark.slow) for number in range(1, 6)),
    ],
)
def test_damage_is_noticed_and_healed(smoke_project, kedro, tmp_path, first):
    """The n-th file gets the n-th damage, counted from the first one."""
    project = shutil.copytree(smoke_project, tmp_path / "project")
    data = project / "data/smoke"
    same = first_files(data, (*RESTORED, *REPEATABLE))
    before = {file: file.read_bytes() for file in same}
    files = (*same, *first_files(data, (*COUNTING, *OTHERS)))
    for number, file in enumerate(files, first):
        DAMAGES[number % len(DAMAGES)](file)

    result = kedro(project, "run", "--pipeline=colorization", "--env=smoke")
    output = result.stdout + result.stderr
    assert result.returncode == 0, output
    assert "Traceback" not in output
    assert {file: file.read_bytes() for file in same} == before
    for stamp in data.rglob(f"*{STAMP_NAME}"):
        name = stamp.name.removesuffix(STAMP_NAME).strip(".")
        assert Stamp(stamp.with_name(name) if name else stamp.parent).is_intact()
    for file in same:  # one file stands for its folder
        assert f"{file} " in output or f"{file.parent}/" in output
    for name in (*RESTORED, *COUNTING):
        assert f"{name} was missing, damaged or edited, and is restored" in output
