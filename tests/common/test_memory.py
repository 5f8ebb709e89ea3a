import subprocess
import sys

import pytest

CODE = """
import resource, torch
from image_translation.common.memory import keep_freed_memory
if {keep}:
    keep_freed_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def step():
    tensors = [torch.ones(500_000 * size) for size in range(1, 20)]
    sum(tensor.sum() for tensor in tensors)
step(), step()
before = faults()
for _ in range(5):
    step()
print(faults() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc only")
def test_freed_memory_is_used_again_without_the_kernel():
    faults = {
        keep: int(
            subprocess.run(
                [sys.executable, "-c", CODE.format(keep=keep)],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        for keep in (False, True)
    }
    assert faults[True] < faults[False] / 10
