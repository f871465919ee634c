"""`make check-security` with a fake osv.dev: findings, ignored ids, no connection."""

import json
import threading
from collections.abc import Iterator
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from marquee.core.errors import InputError
from tests.support.audit import judge, main, read_ignored
from tests.support.paths import ROOT
from tests.support.processes import free_port

HASH = "ab" * 32
KNOWN = {
    "id": "PYSEC-2026-1",
    "aliases": ["CVE-2026-1"],
    "modified": "2026-01-01T00:00:00Z",
    "published": "2026-01-01T00:00:00Z",
    "details": "It can be made to fall over.",
    "affected": [
        {
            "package": {"name": "six", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.17.0"}]}],
        }
    ],
}


class Osv(BaseHTTPRequestHandler):
    """A fake osv.dev that knows a vulnerability of six alone."""

    def do_POST(self) -> None:
        query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = {"vulns": [KNOWN]} if query["package"]["name"] == "six" else {}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def osv() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Osv)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1/query"
    server.shutdown()


def arguments(folder: Path, osv: str, ignored: str = "") -> list[str]:
    """A lock of two packages."""
    lock, ignored_file = folder / "small.lock", folder / "ignored.toml"
    lock.write_text(
        "".join(f"{name} \\\n    --hash=sha256:{HASH}\n" for name in ("six==1.16.0", "idna==3.20"))
    )
    ignored_file.write_text(ignored)
    options = ["--locks", str(lock), "--ignored", str(ignored_file), "--out", str(folder / "sbom")]
    return [*options, "--osv", osv]


def test_audit_fails_on_a_vulnerability_and_writes_the_bill(
    osv: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(tmp_path, osv)) == 1
    output = capsys.readouterr().out
    assert "audit: six 1.16.0: PYSEC-2026-1, fixed in 1.17.0\n" in output
    assert "audit: 3 packages, 1 known" in output, "the lock's two, and torch"
    bill = json.loads((tmp_path / "sbom" / "small.cdx.json").read_text())
    assert bill["bomFormat"] == "CycloneDX" and bill["metadata"]["component"]["name"] == "marquee"
    assert {part["purl"] for part in bill["components"]} == {
        "pkg:pypi/six@1.16.0",
        "pkg:pypi/idna@3.20",
    }
    assert HASH in json.dumps(bill["components"])


def test_audit_ignores_an_id_until_its_day(
    osv: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tomorrow = date.today() + timedelta(days=1)
    ignored = f'[[ignored]]\nid = "CVE-2026-1"\nuntil = {tomorrow}\nreason = "not reached"\n'
    assert main(arguments(tmp_path, osv, ignored)) == 0
    assert f"ignored until {tomorrow}" in capsys.readouterr().out
    six = {"name": "six", "version": "1.16.0", "vulns": [{"id": "CVE-2026-1", "fix_versions": []}]}
    assert judge([six], {"CVE-2026-1": tomorrow}, tomorrow) == 1


@pytest.mark.parametrize(("options", "status"), [([], 2), (["--offline-ok"], 0)])
def test_audit_without_a_connection_fails(
    options: list[str], status: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    closed_url = f"http://127.0.0.1:{free_port()}/v1/query"
    assert main([*arguments(tmp_path, closed_url), *options]) == status
    message = capsys.readouterr().err
    assert message.startswith(
        f"audit: nothing was audited, {closed_url} does not answer (ConnectionError)"
    )
    assert message.count("\n") == 1 and (tmp_path / "sbom" / "small.cdx.json").is_file()


def test_ignored_id_without_a_day_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "ignored.toml"
    file.write_text('[[ignored]]\nid = "CVE-2026-1"\nreason = "no time"\n')
    with pytest.raises(InputError, match=r"expected id, until \(a day\) and reason"):
        read_ignored(file)


def test_committed_ignored_ids_are_readable() -> None:
    assert read_ignored(ROOT / "audit-ignored.toml") == {}
