import subprocess
import sys

from tests.conftest import PROJECT


def test_killed_training_ends_as_one_that_was_not():
    script = PROJECT / "benchmarks/interruption.py"
    result = subprocess.run(
        [sys.executable, str(script), "--times", "2"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "2 of 2 killed trainings ended with the same weights" in result.stdout
