import pytest
from mlflow import MlflowClient

from image_translation.tracking.backlog import note_run, send_backlog
from image_translation.tracking.store import connection


@pytest.mark.parametrize("has_report", [True, False])
def test_run_gets_its_end_and_the_report_only_if_it_wrote_it(
    store, tmp_path, has_report
):
    models, reporting = tmp_path / "models", tmp_path / "reporting"
    reporting.mkdir()
    (reporting / "comparison.csv").write_text("model,metric,mean\nunet,psnr,20.0\n")
    (reporting / "report.html").write_text("<html>")
    run_id = MlflowClient().create_run(store).info.run_id
    note_run(models, run_id, "FAILED", has_report=has_report)
    send_backlog(models, reporting)
    assert not connection.is_lost
    run = MlflowClient().get_run(run_id)
    assert run.info.status == "FAILED"
    assert ("unet/test/psnr" in run.data.metrics) is has_report
    assert bool(MlflowClient().list_artifacts(run_id)) is has_report
    assert not (models / "unsent_runs.json").exists()
