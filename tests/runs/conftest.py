import json

import pandas as pd
import pytest

from image_translation.runs.task_state import TaskFolders


class PlantedTask:
    """A task's folder whose files are written by hand."""

    def __init__(self, folders):
        self.folders = folders

    def pairs(self, **verdicts):
        self.folders.intermediate.mkdir(parents=True, exist_ok=True)
        table = pd.DataFrame({"pair_id": verdicts.keys(), "verdict": verdicts.values()})
        table.to_csv(self.folders.intermediate / "manifest.csv", index=False)

    def model(self, name, status="trained", reason="", replicates=1):
        folder = self.folders.models / name
        names = [f"replicate-{number}" for number in range(replicates)]
        for replicate in names:
            (folder / replicate).mkdir(parents=True, exist_ok=True)
            (folder / replicate / "config.json").write_text("{}")
        content = {"status": status, "reason": reason, "replicates": names}
        (folder / "model.json").write_text(json.dumps(content))

    def report(self, name, text=""):
        self.folders.reporting.mkdir(parents=True, exist_ok=True)
        (self.folders.reporting / name).write_text(text)

    def summary(self):
        return (self.folders.reporting / "run_summary.md").read_text("utf-8")


@pytest.fixture
def task(tmp_path) -> PlantedTask:
    return PlantedTask(TaskFolders(tmp_path / "data", "colorization"))
