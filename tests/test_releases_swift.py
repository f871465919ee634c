"""Releases on OpenStack Swift: a server of another make, which checks signatures and clocks.

Skipped where Debian's packages are missing: apt-get install swift-proxy swift-account
swift-container swift-object (see tests/swift_server.py).
"""

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import boto3
import botocore.auth
import pytest

from marquee.core.errors import InputError
from marquee.promotion.releases_command import main
from marquee.recommender.recommender import Recommender
from marquee.releases import bundle_cache, s3_store, versions
from marquee.releases.open_store import open_store
from marquee.releases.store import Store, UnreachableError
from tests.line import WHOLE, line
from tests.test_releases import named, version_of

PYTHON = Path("/usr/bin/python3")
SERVER = Path(__file__).with_name("swift_server.py")
NEEDED = "import swift.obj.server, swift.container.server, swift.account.server, swift.proxy.server"


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if subprocess.run([PYTHON, "-c", NEEDED], capture_output=True, check=False).returncode:
        pytest.skip("needs apt-get install swift-proxy swift-account swift-container swift-object")
    folder = tmp_path_factory.mktemp("swift")
    command = [PYTHON, "-W", "ignore", SERVER, folder]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.kill()


@pytest.fixture
def url(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test:marquee",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    bucket = f"movies-{uuid4().hex}"
    boto3.Session().client("s3").create_bucket(Bucket=bucket)
    return f"s3://{bucket}/models/tiny"


@pytest.fixture
def store(url: str) -> Store:
    return open_store(url, allow_unconditional=True)


def test_without_conditional_writes_nothing_goes_unless_asked_for(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = named(tmp_path / "v1")
    assert main(["push", str(bundle), url]) == 2
    said = capsys.readouterr().err
    assert "this server has no conditional writes" in said and "--allow-unconditional" in said
    assert versions.list_versions(open_store(url)) == []


def test_the_whole_way(url: str, store: Store, tmp_path: Path) -> None:
    bundles = [named(tmp_path / name) for name in ("v1", "v2")]
    first, second = map(version_of, bundles)
    for bundle in bundles:
        assert main(["push", str(bundle), url, "--allow-unconditional"]) == 0
        assert main(["promote", version_of(bundle), url, "--allow-unconditional"]) == 0
    pointer = versions.current(store)
    assert pointer is not None and (pointer.version, pointer.previous) == (second, (first,))
    Recommender.load(bundle_cache.pull(store, tmp_path / "cache"))
    assert main(["verify", url]) == 0
    assert main(["rollback", url, "--allow-unconditional"]) == 0
    assert bundle_cache.pull(store, tmp_path / "cache").name == first
    with pytest.raises(InputError, match="concurrent promotion"):
        versions.promote(store, second, pointer)


def test_an_upload_that_was_broken_off_goes_on(
    url: str, endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_store, "PART_BYTES", 5 << 20)
    path, told = tmp_path / "sent", list[int]()
    path.write_bytes(b"".join(bytes([n]) * (5 << 20) for n in range(2)) + b"end")
    with line(endpoint) as wire:
        monkeypatch.setenv("AWS_ENDPOINT_URL", wire.address)
        store = open_store(url)
        wire.trouble(lambda: (max(0, (8 << 20) - wire.sent), WHOLE))  # half of the second part
        with pytest.raises(UnreachableError):
            store.upload(path, "big", told.append)
        assert sum(told) == 5 << 20
        wire.mend()
        before = wire.sent
        store.upload(path, "big", told.append)
        assert wire.sent - before < 6 << 20, "the first part is not sent again"
    store.download("big", tmp_path / "got", told.append)
    assert (tmp_path / "got").read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        pytest.param("AWS_SECRET_ACCESS_KEY", "guess", "check AWS_SECRET_ACCESS_KEY", id="secret"),
        pytest.param("AWS_ACCESS_KEY_ID", "who", "check AWS_", id="key"),
    ],
)
def test_wrong_credentials(
    url: str, monkeypatch: pytest.MonkeyPatch, setting: str, value: str, said: str
) -> None:
    monkeypatch.setenv(setting, value)
    with pytest.raises(InputError, match=said):
        versions.current(open_store(url))


def test_a_missing_bucket(url: str) -> None:
    with pytest.raises(InputError, match="there is no such bucket"):
        versions.list_versions(open_store("s3://missing/models/tiny"))


def test_a_clock_that_is_wrong(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    late = datetime.now(UTC) + timedelta(hours=1)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_, **__: late)
    with pytest.raises(InputError, match=r"clock is wrong; set it"):
        versions.current(open_store(url))
