"""Pin all dependencies, with the hashes of all files that pip may choose.

``requirements.lock`` is for every platform, with PyPI's builds of torch.
``requirements-cuda.lock`` has the packages that only the CUDA build of torch needs; ``make``
installs them if torch cannot be imported without them. ``requirements-cpu.lock`` has the CPU
build of torch from another index; ``make`` installs it if that index is configured.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

MAIN = Path("requirements.lock")
CUDA, CPU = Path("requirements-cuda.lock"), Path("requirements-cpu.lock")
AIRFLOW = Path("requirements-airflow.lock")
EXTRAS = ("app", "dev", "export")

OPTIONS = (
    "--quiet --generate-hashes --strip-extras --no-header --no-emit-index-url"
    " --no-emit-find-links --no-emit-trusted-host --allow-unsafe"
).split()

PYPI_ALONE = {"PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": ""}
"""Environment in which pip uses PyPI only: other indexes may have other builds of torch."""

TORCH = re.compile(r"torch==([0-9.]+)(\+cpu)?")


def compile_lock(
    output: Path, source: Path, *options: str, **environment: str
) -> dict[str, str]:
    """Run pip-compile; returns the entries of the lock file by package."""
    command = [sys.executable, "-m", "piptools", "compile", *OPTIONS, *options]
    subprocess.run(
        [*command, f"--output-file={output}", str(source)],
        env={**os.environ, **environment},
        check=True,
    )
    return read_lock(output)


def read_lock(path: Path) -> dict[str, str]:
    """The entries of a lock file by package."""
    text = path.read_text("utf-8") if path.exists() else ""
    entries = re.split(r"^(?=\S+==)", text, flags=re.MULTILINE)
    return {entry.partition("==")[0]: entry for entry in entries if "==" in entry}


def write_lock(path: Path, entries: dict[str, str]) -> None:
    """Write the entries of a lock file."""
    path.write_text("".join(entries.values()), "utf-8")


def main() -> None:
    """Write the lock files."""
    main_lock = compile_lock(
        MAIN, Path("pyproject.toml"), *(f"--extra={extra}" for extra in EXTRAS)
    )
    found = TORCH.match(main_lock["torch"])
    assert found is not None
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "torch.in"
        pins = [entry.partition(" ")[0] for entry in main_lock.values()]
        pins.remove(found[0])
        (Path(scratch) / "pins.txt").write_text("\n".join(pins))
        source.write_text(f"-c pins.txt\ntorch=={found[1]}\n")
        cuda_lock = compile_lock(CUDA, source, **PYPI_ALONE)
    if found[2]:
        write_lock(CPU, {"torch": main_lock["torch"]})
    else:
        print(f"No index has a CPU build of torch {found[1]}: {CPU} is unchanged")
    of_pypi, via, _ = cuda_lock["torch"].partition("    # via")
    main_lock["torch"] = of_pypi + via + main_lock["torch"].partition(via)[2]
    write_lock(MAIN, main_lock)
    write_lock(
        CUDA,
        {name: entry for name, entry in cuda_lock.items() if name not in main_lock},
    )
    compile_lock(AIRFLOW, Path("requirements-airflow.in"))


if __name__ == "__main__":
    main()
