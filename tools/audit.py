"""Check the locked packages against a database of known vulnerabilities (OSV).

Without a connection to the database, the check is skipped with a message.
"""

import json
import subprocess
import sys

COMMAND = (
    "pip_audit --vulnerability-service=osv --format=json --progress-spinner=off"
    " --timeout=10 --disable-pip --require-hashes"
).split()
LOCKS = ("requirements.lock", "requirements-cuda.lock", "requirements-airflow.lock")


def audit(lock: str) -> list[str] | None:
    """The known vulnerabilities of a lock file, or None without a connection."""
    command = [sys.executable, "-m", *COMMAND, f"--requirement={lock}"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        packages = json.loads(result.stdout)["dependencies"]
    except ValueError:
        reason = (result.stderr.strip().splitlines() or ["no output"])[-1]
        print(f"{lock}: audit skipped: the database did not respond ({reason})")
        return None
    return [
        f"{lock}: {package['name']} {package['version']}: {found['id']}, fixed in"
        f" {', '.join(found['fix_versions']) or 'no version yet'}"
        for package in packages
        for found in package.get("vulns", ())
    ]


def main() -> None:
    """Print the vulnerabilities of all lock files."""
    found: list[str] = []
    for lock in LOCKS:
        vulnerable = audit(lock)
        if vulnerable is None:
            break
        print(f"{lock}: {len(vulnerable)} known vulnerabilities")
        found += vulnerable
    print(*found, sep="\n", end="\n" if found else "")
    if found:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
