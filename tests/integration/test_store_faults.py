"""Test the faults between here and a bucket: one sentence with the remedy, no half object."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.retries.standard import ExponentialBackoff

from marquee.core.errors import InputError
from marquee.recommender.recommender import Recommender
from marquee.releases import bundle_cache, s3_store, versions
from marquee.releases.follower import ReleaseFollower
from marquee.releases.open_store import open_store
from marquee.releases.store import UnreachableError
from tests.support import s3_server
from tests.support.flaky_proxy import UNLIMITED, flaky_proxy
from tests.support.release_files import release, write_named_bundle


@pytest.fixture
def url(endpoint: str) -> str:
    return f"s3://{s3_server.new_bucket()}/models/tiny"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_named_bundle(tmp_path_factory.mktemp("one") / "v1")


class ErrorHandler(BaseHTTPRequestHandler):
    """Answers every request with one error of S3."""

    code, status = "AccessDenied", 403

    def _answer(self) -> None:
        body = f"<Error><Code>{self.code}</Code><Message>No.</Message></Error>".encode()
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(self.status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_DELETE = _answer

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def errors(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[ErrorHandler]]:
    """A server that answers with the code and the status of its class."""
    handler = type("Handler", (ErrorHandler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    yield handler
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("code", "status", "remedy"),
    [
        ("InvalidAccessKeyId", 403, "check AWS_ACCESS_KEY_ID"),
        ("SignatureDoesNotMatch", 403, "check AWS_SECRET_ACCESS_KEY"),
        ("ExpiredToken", 400, "aws sso login"),
        ("InvalidToken", 400, "check AWS_SESSION_TOKEN"),
        ("RequestTimeTooSkewed", 403, r"clock is wrong; set it \(timedatectl"),
        ("AccessDenied", 403, "the role needs s3:GetObject"),
        ("NoSuchBucket", 404, "there is no such bucket"),
        ("PermanentRedirect", 301, "set AWS_REGION"),
        ("SomethingNew", 400, "SomethingNew: No"),
    ],
)
def test_s3_error_is_one_sentence_with_a_remedy(
    errors: type[ErrorHandler], bundle: Path, tmp_path: Path, code: str, status: int, remedy: str
) -> None:
    errors.code, errors.status = code, status
    store = open_store("s3://movies/models/tiny")
    with pytest.raises(InputError, match=remedy) as error:
        versions.push(bundle, store)
    assert code in str(error.value) and "\n" not in str(error.value)
    with pytest.raises(InputError, match=remedy):
        bundle_cache.pull(store, tmp_path / "cache")


def test_s3_store_without_credentials_names_their_sources(
    endpoint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    with pytest.raises(InputError, match=r"no credentials, expected keys.*; set AWS_ACCESS_KEY_ID"):
        versions.current(open_store("s3://movies/models/tiny"))


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        pytest.param("AWS_ENDPOINT_URL", "garbage", "Invalid endpoint.*http://HOST:PORT", id="url"),
        pytest.param("AWS_ENDPOINT_URL_S3", "localhost:9000", "http://HOST:PORT", id="no-scheme"),
        pytest.param("AWS_ENDPOINT_URL_S3", "ftp://minio", "http://HOST:PORT", id="scheme"),
        pytest.param("AWS_ENDPOINT_URL_S3", "http://minio:x", "http://HOST:PORT", id="port"),
        pytest.param("AWS_S3_ADDRESSING_STYLE", "paths", "expected one of auto, path", id="style"),
        pytest.param("AWS_SSE", "kms", "expected one of AES256, aws:kms", id="encryption"),
        pytest.param("AWS_PROFILE", "nobody", "nobody.*AWS_PROFILE", id="profile"),
        pytest.param("AWS_CONFIG_FILE", __file__, "Unable to parse.*~/.aws/config", id="config"),
    ],
)
def test_s3_store_invalid_setting_is_named(
    endpoint: str, monkeypatch: pytest.MonkeyPatch, setting: str, value: str, message: str
) -> None:
    monkeypatch.setenv(setting, value)
    with pytest.raises(InputError, match=message):
        open_store("s3://movies/models/tiny")


def test_s3_store_invalid_bucket_name_is_refused(endpoint: str) -> None:
    with pytest.raises(InputError, match="no bucket with a prefix"):
        open_store("s3://My Bucket/models/tiny")


def test_follower_with_expired_keys_is_unavailable(
    errors: type[ErrorHandler], tmp_path: Path
) -> None:
    errors.code, errors.status = "ExpiredToken", 400
    follower = ReleaseFollower("s3://movies/models/tiny", tmp_path)
    with pytest.raises(InputError, match="aws sso login"):
        follower.fetch_newer()
    assert follower.unavailable


def test_s3_store_busy_or_absent_server_is_unreachable(
    endpoint: str, monkeypatch: pytest.MonkeyPatch, errors: type[ErrorHandler]
) -> None:
    errors.code, errors.status = "SlowDown", 503
    with pytest.raises(UnreachableError, match="busy"):
        versions.current(open_store("s3://movies/models/tiny"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(UnreachableError, match="check the network and AWS_ENDPOINT_URL"):
        versions.current(open_store("s3://movies/models/tiny"))


class CarelessStore(s3_store.S3Store):
    """A store whose server takes every write, whatever its condition."""

    def create(self, key: str, content: bytes) -> bool:
        self.delete([key])
        return super().create(key, content)


def test_promote_without_conditional_writes_needs_consent(url: str, bundle: Path) -> None:
    """Swift answers 501 to If-None-Match; others take the write without looking."""
    store = CarelessStore(url)
    version, _ = versions.push(bundle, store)
    with pytest.raises(
        InputError, match=r"ignores the condition of a write.*--allow-unconditional"
    ):
        versions.promote(store, version, None)
    assert versions.current(store) is None
    willing = open_store(url, allow_unconditional=True)
    assert versions.promote(willing, version, None).version == version


def test_s3_conditional_write_unable_is_not_lost(errors: type[ErrorHandler], bundle: Path) -> None:
    store = open_store("s3://movies/models/tiny")
    errors.code, errors.status = "NotImplemented", 501
    with pytest.raises(InputError, match="has no conditional writes"):
        store.create("a", b"")
    for code, status in (("PreconditionFailed", 412), ("ConditionalRequestConflict", 409)):
        errors.code, errors.status = code, status
        assert store.create("a", b"") is False
        assert store.swap("a", b"", '"etag"') is False


@pytest.mark.parametrize("end", ["reset", "close"])
def test_s3_download_that_never_completes_is_unreachable(
    endpoint: str, url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, end: str
) -> None:
    """Each answer is cut in its headers, also where the connection is closed in order."""
    open_store(url).create("small", b"x" * 1000)
    with flaky_proxy(endpoint) as proxy:
        proxy.limit(lambda: (UNLIMITED, 100), end=end)
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.address)
        with pytest.raises(UnreachableError, match="small: "):
            open_store(url).download("small", tmp_path / "received", 1000)


def test_s3_download_of_fewer_bytes_than_listed_is_unreachable(url: str, tmp_path: Path) -> None:
    store = open_store(url)
    store.create("small", b"x" * 1000)
    with pytest.raises(UnreachableError, match="small: cut off after 1,000 bytes"):
        store.download("small", tmp_path / "received", 1001)


def test_s3_upload_in_parts_is_complete(
    url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(s3_store, "PART_BYTES", 5 << 20)
    path, store = tmp_path / "big", open_store(url)
    path.write_bytes(b"".join(bytes([n]) * (5 << 20) for n in range(3)) + b"end")
    store.upload(path, "big")
    (listed,) = store.listed("big")
    store.download("big", tmp_path / "received", listed.size)
    assert (tmp_path / "received").read_bytes() == path.read_bytes()


def test_s3_upload_that_fails_leaves_no_object_and_no_parts(
    endpoint: str, url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Parts that stay behind would be paid for."""
    monkeypatch.setattr(s3_store, "PART_BYTES", 5 << 20)
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda self, context: 0)
    path = tmp_path / "big"
    path.write_bytes(bytes(12 << 20))
    with flaky_proxy(endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.address)
        store = open_store(url)
        proxy.limit(lambda: (1 << 20, UNLIMITED))
        with pytest.raises(UnreachableError):
            store.upload(path, "big")
        proxy.limit()
        assert store.listed("big") == []
        bucket = url.removeprefix("s3://").partition("/")[0]
        assert "Uploads" not in boto3.client("s3").list_multipart_uploads(Bucket=bucket)


def test_follower_fetches_promotion_made_while_unreachable(
    endpoint: str, url: str, bundle: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    store = open_store(url)
    first, second = release(store, bundle, write_named_bundle(tmp_path / "v2"))
    versions.rollback(store)
    with flaky_proxy(endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.address)
        follower = ReleaseFollower(url, tmp_path / "cache")
        folder = next(follower.candidates())
        assert folder.name == first
        follower.mark_active(folder)
        versions.promote(store, second, versions.current(store))
        proxy.limit(lambda: (UNLIMITED, 200), end="close")  # every answer is cut in its headers
        with pytest.raises(UnreachableError):
            follower.fetch_newer()
        assert follower.unavailable
        proxy.limit()
        folder = follower.fetch_newer() or Path()
        assert folder.name == second and not follower.unavailable
        Recommender.load(folder)
