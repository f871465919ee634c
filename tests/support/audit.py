"""What is known against the packages of both locks, and bills of materials: `make check-security`.

    python -m tests.audit --out runs/sbom

Asks osv.dev by pip-audit, which says "no known vulnerabilities" of packages that it could not look
up, too; here such a package is not known to be good. What the base image has of Debian is not among
these: the registry's scanner sees that.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from marquee.core.errors import InputError
from tests.support.paths import ROOT

LOCKS = ("requirements.lock", "requirements-serving.lock")
OSV = "https://api.osv.dev/v1/query"


def main(arguments: Sequence[str] | None = None) -> int:
    """0: nothing is known against any package; 1: something is; 2: it could not be asked."""
    parser = argparse.ArgumentParser(prog="audit", description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "sbom")
    parser.add_argument("--locks", type=Path, nargs="+", default=[ROOT / name for name in LOCKS])
    parser.add_argument("--ignored", type=Path, default=ROOT / "audit-ignored.toml")
    parser.add_argument("--osv", default=OSV, help="osv.dev or a mirror of it")
    parser.add_argument("--offline-ok", action="store_true", help="exit 0 where it cannot be asked")
    options = parser.parse_args(arguments)
    for lock in options.locks:
        print(f"audit: {write_bill(lock, options.out)}")
    packages = {f"torch=={version('torch').partition('+')[0]}"}  # the lock leaves it out
    for lock in options.locks:
        packages |= set(re.findall(r"^[\w.-]+==[^\s;]+", lock.read_text(), re.M))
    try:
        report = asked(sorted(packages), options.osv)
    except InputError as error:
        print(f"audit: {error}", file=sys.stderr)
        return 0 if options.offline_ok else 2
    return judge(report, read_ignored(options.ignored), date.today())


def write_bill(lock: Path, out: Path) -> Path:
    """CycloneDX of one lock: names, versions, hashes; the same bytes from the same lock."""
    out.mkdir(parents=True, exist_ok=True)
    file = out / f"{lock.stem}.cdx.json"
    words = ["requirements", str(lock), "--pyproject", str(ROOT / "pyproject.toml")]
    words += ["--output-reproducible", "--output-file", str(file)]
    command = [sys.executable, "-W", "ignore", "-m", "cyclonedx_py", *words]
    subprocess.run(command, check=True)
    return file


def asked(packages: Sequence[str], osv: str) -> list[dict[str, Any]]:
    """pip-audit's report, a dictionary a package; InputError where the database does not answer."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(packages))
        file.flush()
        words = ["--no-deps", "--disable-pip", "--requirement", file.name, "--format", "json"]
        words += ["--vulnerability-service", "osv", "--osv-url", osv, "--progress-spinner", "off"]
        command = [sys.executable, "-m", "pip_audit", *words]
        done = subprocess.run(command, capture_output=True, text=True)
    try:
        report: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except ValueError:
        said = (done.stderr.strip().splitlines() or ["no answer"])[-1]
        why = said.partition(":")[0].rpartition(".")[2]
        raise InputError(
            f"nothing was audited, {osv} does not answer ({why}); run it where it does"
        ) from None
    if skipped := [entry["name"] for entry in report if "skip_reason" in entry]:
        raise InputError(
            f"{len(skipped)} of {len(report)} packages could not be looked up ({skipped[0]}, …);"
            f" run it where {osv} knows them"
        )
    return report


def read_ignored(path: Path) -> dict[str, date]:
    """id -> the day from which it fails; each entry says why."""
    entries = tomllib.loads(path.read_text()).get("ignored", [])
    for entry in entries:
        if not (isinstance(entry.get("until"), date) and entry.get("id") and entry.get("reason")):
            raise InputError(f"{path.name}: {entry}: expected id, until (a day) and reason")
    return {entry["id"]: entry["until"] for entry in entries}


def judge(report: Sequence[dict[str, Any]], ignored: dict[str, date], today: date) -> int:
    """Say what is known, and whether we live with it; 1 where we do not."""
    found = 0
    for package in report:
        for known in package["vulns"]:
            names = {known["id"], *known.get("aliases", [])}
            until = max((day for name, day in ignored.items() if name in names), default=None)
            lived_with = until is not None and today < until
            found += not lived_with
            fixed = ", ".join(known["fix_versions"]) or "no version yet"
            what = f"{package['name']} {package['version']}: {known['id']}, fixed in {fixed}"
            print(f"audit: {what}" + (f"; ignored until {until}" if lived_with else ""))
    print(f"audit: {len(report)} packages, {found} known vulnerabilities that are not ignored")
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main())
