"""Look for known vulnerabilities of both locks, and write bills of materials.

    make check-security        # python -m tests.support.audit --out runs/sbom

pip-audit queries osv.dev. It says "no known vulnerabilities" of packages that it could not look up,
too; here such a package is an error. Debian packages of the base image are not audited: the
registry's scanner reads those.
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
    """Return 0 without vulnerabilities, 1 with some, 2 where osv.dev cannot be reached."""
    parser = argparse.ArgumentParser(prog="audit", description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "sbom")
    parser.add_argument("--locks", type=Path, nargs="+", default=[ROOT / name for name in LOCKS])
    parser.add_argument("--ignored", type=Path, default=ROOT / "audit-ignored.toml")
    parser.add_argument("--osv", default=OSV, help="osv.dev or a mirror of it")
    parser.add_argument(
        "--offline-ok", action="store_true", help="exit 0 where it cannot be reached"
    )
    options = parser.parse_args(arguments)
    for lock in options.locks:
        print(f"audit: {write_bill(lock, options.out)}")
    packages = {f"torch=={version('torch').partition('+')[0]}"}  # the lock leaves it out
    for lock in options.locks:
        packages |= set(re.findall(r"^[\w.-]+==[^\s;]+", lock.read_text(), re.M))
    try:
        report = query_osv(sorted(packages), options.osv)
    except InputError as error:
        print(f"audit: {error}", file=sys.stderr)
        return 0 if options.offline_ok else 2
    return judge(report, read_ignored(options.ignored), date.today())


def write_bill(lock: Path, out: Path) -> Path:
    """Write the CycloneDX of a lock: names, versions, hashes; reproducible to the byte."""
    out.mkdir(parents=True, exist_ok=True)
    file = out / f"{lock.stem}.cdx.json"
    arguments = ["requirements", str(lock), "--pyproject", str(ROOT / "pyproject.toml")]
    arguments += ["--output-reproducible", "--output-file", str(file)]
    command = [sys.executable, "-W", "ignore", "-m", "cyclonedx_py", *arguments]
    subprocess.run(command, check=True)
    return file


def query_osv(packages: Sequence[str], osv: str) -> list[dict[str, Any]]:
    """pip-audit's report, a dictionary a package; InputError where the database does not answer."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(packages))
        file.flush()
        arguments = ["--no-deps", "--disable-pip", "--requirement", file.name, "--format", "json"]
        arguments += [
            "--vulnerability-service",
            "osv",
            "--osv-url",
            osv,
            "--progress-spinner",
            "off",
        ]
        command = [sys.executable, "-m", "pip_audit", *arguments]
        process = subprocess.run(command, capture_output=True, text=True)
    try:
        report: list[dict[str, Any]] = json.loads(process.stdout)["dependencies"]
    except ValueError:
        message = (process.stderr.strip().splitlines() or ["no answer"])[-1]
        reason = message.partition(":")[0].rpartition(".")[2]
        raise InputError(
            f"nothing was audited, {osv} does not answer ({reason}); run it where it does"
        ) from None
    if skipped := [entry["name"] for entry in report if "skip_reason" in entry]:
        raise InputError(
            f"{len(skipped)} of {len(report)} packages could not be looked up ({skipped[0]}, …);"
            f" run it where {osv} knows them"
        )
    return report


def read_ignored(path: Path) -> dict[str, date]:
    """Return the day from which each ignored id fails again; each entry has a reason."""
    entries = tomllib.loads(path.read_text()).get("ignored", [])
    for entry in entries:
        if not (isinstance(entry.get("until"), date) and entry.get("id") and entry.get("reason")):
            raise InputError(f"{path.name}: {entry}: expected id, until (a day) and reason")
    return {entry["id"]: entry["until"] for entry in entries}


def judge(report: Sequence[dict[str, Any]], ignored: dict[str, date], today: date) -> int:
    """Print the vulnerabilities; return 1 if one of them is not ignored."""
    num_open = 0
    for package in report:
        for vulnerability in package["vulns"]:
            names = {vulnerability["id"], *vulnerability.get("aliases", [])}
            until = max((day for name, day in ignored.items() if name in names), default=None)
            is_ignored = until is not None and today < until
            num_open += not is_ignored
            fixed = ", ".join(vulnerability["fix_versions"]) or "no version yet"
            what = (
                f"{package['name']} {package['version']}: {vulnerability['id']}, fixed in {fixed}"
            )
            print(f"audit: {what}" + (f"; ignored until {until}" if is_ignored else ""))
    print(f"audit: {len(report)} packages, {num_open} known vulnerabilities that are not ignored")
    return int(num_open > 0)


if __name__ == "__main__":
    sys.exit(main())
