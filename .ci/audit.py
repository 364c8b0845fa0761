"""Known vulnerabilities of what is locked, asked of the package index's own data with pip-audit.

Exit code 1 for one. Without the tool, the network or the data: a line that says SKIPPED and why, and exit code 0.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "requirements"
PIN = re.compile(r"^[A-Za-z0-9._-]+==[^\s;\\]+", re.MULTILINE)
SECONDS = 180


def skipped(reason: str) -> None:
    """Said, and no failure."""
    print(f"SKIPPED: {' '.join(reason.split())[:300]}")
    sys.exit(0)


def asked(folder: Path) -> str:
    """What pip-audit says, as JSON; in an environment of its own, so that it changes nothing in the tested one."""
    pins = folder / "pins.txt"
    pins.write_text("\n".join(pin for path in sorted(FOLDER.glob("*.txt")) for pin in PIN.findall(path.read_text())))
    venv.create(folder / "venv", with_pip=True)
    tool = str(folder / "venv/bin/python")
    install = [tool, "-m", "pip", "install", "--quiet", "pip-audit>=2.9,<3"]
    audit = [tool, "-m", "pip_audit", "--vulnerability-service", "pypi", "--requirement", str(pins), "--no-deps",
             "--disable-pip", "--progress-spinner", "off", "--timeout", "15", "--format", "json"]  # fmt: skip
    for command in (install, audit):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        except subprocess.TimeoutExpired:
            skipped(f"no answer in {SECONDS} seconds from {' '.join(command[2:4])}")
        if done.returncode and not done.stdout.startswith("{"):
            last = (done.stderr.strip() or "no reason given").splitlines()[-1]
            skipped(f"{' '.join(command[2:4])} failed: {last}")
    return done.stdout


def main(text: str) -> int:
    """What to say of pip-audit's JSON, and the exit code."""
    rows = json.loads(text)["dependencies"]
    bad = [(row, flaw) for row in rows for flaw in row.get("vulns", [])]
    for row, flaw in bad:
        better = ", ".join(flaw.get("fix_versions", [])) or "none yet"
        print(f"{row['name']} {row['version']}: {flaw['id']}, mended in {better}")
    unknown = [row for row in rows if "skip_reason" in row]
    if unknown:
        reason = f"no data on {len(unknown)} of {len(rows)} packages, as: {unknown[0]['skip_reason']}"
        print(f"SKIPPED: {' '.join(reason.split())[:300]}")
    if not bad and len(unknown) < len(rows):
        print(f"no known vulnerability in {len(rows) - len(unknown)} packages")
    return 1 if bad else 0


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        sys.exit(main(asked(Path(name))))
