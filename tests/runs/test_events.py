import pytest

from image_translation.runs.events import EventLog, guarded
from image_translation.training.interruption import Stopped


def test_events_are_read_in_the_order_of_writing(tmp_path):
    log = EventLog(tmp_path / "run")
    assert log.read() == []
    log.append("started", node="ü")
    EventLog(tmp_path / "run").append("finished", node="ü", seconds=1.5)
    kinds = [(event["event"], event["node"]) for event in log.read()]
    assert kinds == [("started", "ü"), ("finished", "ü")]


@pytest.mark.parametrize(
    "torn", ['{"time": 1, "event": "fini', "\0\0\0", "\udcff", "7", '{"event": "x"}']
)
def test_torn_line_spoils_no_other(tmp_path, torn, caplog):
    log = EventLog(tmp_path)
    log.append("started")
    with log.path.open("a", encoding="utf-8", errors="surrogateescape") as file:
        file.write("\n" + torn)
    log.append("finished")
    assert [event["event"] for event in log.read()] == ["started", "finished"]
    assert "skipping invalid event" in caplog.text


def test_record_keeping_never_stops_a_run(caplog):
    with guarded():
        raise OSError("no space left")
    assert "Could not record the run: OSError: no space left" in caplog.text


def test_signal_during_record_keeping_stops_the_run():
    with pytest.raises(Stopped), guarded():
        raise Stopped("stopped", 15)
