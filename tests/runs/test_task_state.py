from image_translation.runs.task_state import TaskFolders, TaskState


def test_copies_of_a_pair_are_counted(tmp_path):
    folders = TaskFolders(tmp_path, "monet")
    folders.intermediate.mkdir(parents=True)
    (folders.intermediate / "manifest.csv").write_text(
        "pair_id,verdict\na,used\na,left out\nb,used\nc,\n", "utf-8"
    )
    pairs = TaskState.read(folders).pairs
    assert pairs == {"a": "used", "a 2": "left out", "b": "used"}
