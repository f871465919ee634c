"""What goes wrong between here and a bucket: one sentence with the remedy, nothing half-written."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from marquee.core.errors import InputError
from marquee.recommender.recommender import Recommender
from marquee.releases import bundle_cache, s3_store, versions
from marquee.releases.follower import ReleaseFollower
from marquee.releases.open_store import open_store
from marquee.releases.store import UnreachableError
from tests.support import s3_server
from tests.support.release_files import named, released


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with s3_server.server() as url:
        yield url


@pytest.fixture
def url(endpoint: str) -> str:
    return f"s3://{s3_server.new_bucket()}/models/tiny"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return named(tmp_path_factory.mktemp("one") / "v1")


class Says(BaseHTTPRequestHandler):
    """Answers everything with one error of S3."""

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

    def log_message(self, *given: Any) -> None:
        pass


@pytest.fixture
def errors(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Says]]:
    """A server that answers with what is set on its class."""
    handler = type("Handler", (Says,), {})
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
def test_what_s3_says_is_one_sentence_with_a_remedy(
    errors: type[Says], bundle: Path, tmp_path: Path, code: str, status: int, remedy: str
) -> None:
    errors.code, errors.status = code, status
    store = open_store("s3://movies/models/tiny")
    with pytest.raises(InputError, match=remedy) as fault:
        versions.push(bundle, store)
    assert code in str(fault.value) and "\n" not in str(fault.value)
    with pytest.raises(InputError, match=remedy):
        bundle_cache.pull(store, tmp_path / "cache")


def test_without_credentials_it_says_how_to_get_some(
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
    ("setting", "value", "said"),
    [
        pytest.param("AWS_ENDPOINT_URL", "garbage", "Invalid endpoint.*http://HOST:PORT", id="url"),
        pytest.param("AWS_PROFILE", "nobody", "nobody.*check AWS_PROFILE", id="profile"),
        pytest.param("AWS_CONFIG_FILE", __file__, "Unable to parse.*~/.aws/config", id="config"),
    ],
)
def test_a_setting_that_is_none_is_named(
    endpoint: str, monkeypatch: pytest.MonkeyPatch, setting: str, value: str, said: str
) -> None:
    monkeypatch.setenv(setting, value)
    with pytest.raises(InputError, match=said):
        open_store("s3://movies/models/tiny")


def test_a_name_that_no_bucket_has_is_said(endpoint: str) -> None:
    with pytest.raises(InputError, match="not a valid bucket and key"):
        versions.current(open_store("s3://My Bucket/models/tiny"))


def test_a_follower_whose_keys_have_expired_is_away(errors: type[Says], tmp_path: Path) -> None:
    errors.code, errors.status = "ExpiredToken", 400
    followed = ReleaseFollower("s3://movies/models/tiny", tmp_path)
    with pytest.raises(InputError, match="aws sso login"):
        followed.fetch_newer()
    assert followed.unavailable


def test_nobody_there_is_another_fault_than_a_wrong_answer(
    endpoint: str, monkeypatch: pytest.MonkeyPatch, errors: type[Says]
) -> None:
    errors.code, errors.status = "SlowDown", 503
    with pytest.raises(UnreachableError, match="busy"):
        versions.current(open_store("s3://movies/models/tiny"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(UnreachableError, match="check the network and AWS_ENDPOINT_URL"):
        versions.current(open_store("s3://movies/models/tiny"))


def test_a_server_without_conditional_writes_is_named_and_needs_consent(
    url: str, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Swift answers 501 to If-None-Match; others take the write without looking."""
    store = open_store(url)
    version, _ = versions.push(bundle, store)
    put = s3_store.S3Store._put
    monkeypatch.setattr(
        s3_store.S3Store, "_put", lambda self, key, content, **condition: put(self, key, content)
    )
    with pytest.raises(
        InputError, match=r"ignores the condition of a write.*--allow-unconditional"
    ):
        versions.promote(store, version, None)
    assert versions.current(store) is None
    willing = open_store(url, allow_unconditional=True)
    assert versions.promote(willing, version, None).version == version


def test_a_server_that_cannot_is_told_from_one_that_was_quicker(
    errors: type[Says], bundle: Path
) -> None:
    store = open_store("s3://movies/models/tiny")
    errors.code, errors.status = "NotImplemented", 501
    with pytest.raises(InputError, match="has no conditional writes"):
        store.create("a", b"")
    for code, status in (("PreconditionFailed", 412), ("ConditionalRequestConflict", 409)):
        errors.code, errors.status = code, status
        assert store.create("a", b"") is False
        assert store.swap("a", b"", '"etag"') is False


class Cutting:
    """Passes bytes on to a server and cuts every connection after so many from it."""

    def __init__(self, target: str, after: int) -> None:
        self._target, self._after = target, after
        self._door = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._door.getsockname()[1]}"
        self.cuts = 0
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                one, _ = self._door.accept()
            except OSError:
                return
            threading.Thread(target=self._pass, args=[one], daemon=True).start()

    def _pass(self, one: socket.socket) -> None:
        where = urlsplit(self._target)
        with one, socket.create_connection((where.hostname, where.port)) as other:
            back = threading.Thread(target=self._back, args=[other, one], daemon=True)
            back.start()
            try:
                while block := one.recv(1 << 16):
                    other.sendall(block)
            except OSError:
                pass
            back.join()

    def _back(self, other: socket.socket, one: socket.socket) -> None:
        left = self._after
        try:
            while block := other.recv(1 << 12):
                one.sendall(block[:left])
                left -= len(block)
                if left <= 0:
                    self.cuts += 1
                    break
            one.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def close(self) -> None:
        self._door.close()


def test_a_download_that_is_cut_again_and_again_goes_on(
    endpoint: str, url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    content = bytes(range(256)) * 400
    path = tmp_path / "big"
    path.write_bytes(content)
    open_store(url).upload(path, "big", lambda taken: None)
    with closing(Cutting(endpoint, after=30_000)) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        taken: list[int] = []
        open_store(url).download("big", tmp_path / "back", taken.append)
        assert proxy.cuts >= 3
    assert (tmp_path / "back").read_bytes() == content
    assert sum(taken) == len(content), "nothing came twice"


def test_a_download_that_gets_nowhere_gives_up(
    endpoint: str, url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    open_store(url).create("small", b"x" * 1000)
    with closing(Cutting(endpoint, after=100)) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        with pytest.raises(UnreachableError, match="small: "):
            open_store(url).download("small", tmp_path / "back", lambda taken: None)


def test_an_upload_that_was_broken_off_sends_only_what_is_missing(
    url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(s3_store, "PART_BYTES", 5 << 20)
    path = tmp_path / "big"
    path.write_bytes(b"".join(bytes([n]) * (5 << 20) for n in range(3)) + b"end")
    store: Any = open_store(url)
    sent: list[int] = []
    send = store._s3.upload_part

    def breaks(**given: Any) -> Any:
        if len(sent) == 2:
            raise KeyboardInterrupt
        sent.append(given["PartNumber"])
        return send(**given)

    store._s3.upload_part = breaks
    with pytest.raises(KeyboardInterrupt):
        store.upload(path, "big", lambda taken: None)
    assert store.listed("big") == []
    again: list[int] = []
    store._s3.upload_part = lambda **given: again.append(given["PartNumber"]) or send(**given)
    taken: list[int] = []
    store.upload(path, "big", taken.append)
    assert (sent, again) == ([1, 2], [3, 4])
    assert sum(taken) == path.stat().st_size
    store.download("big", tmp_path / "back", lambda taken: None)
    assert (tmp_path / "back").read_bytes() == path.read_bytes()


def test_a_changed_file_does_not_go_on_with_another_ones_parts(
    url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(s3_store, "PART_BYTES", 5 << 20)
    path = tmp_path / "big"
    store: Any = open_store(url)
    begun = store._s3.create_multipart_upload(**store._at("big"))
    other = b"z" * (5 << 20)
    where = store._at("big") | {"UploadId": begun["UploadId"], "PartNumber": 1}
    store._s3.upload_part(**where, Body=other)
    path.write_bytes(b"a" * (6 << 20))
    store.upload(path, "big", lambda taken: None)
    store.download("big", tmp_path / "back", lambda taken: None)
    assert (tmp_path / "back").read_bytes() == path.read_bytes()


def test_a_follower_of_a_store_that_comes_back_takes_what_was_promoted_meanwhile(
    endpoint: str, url: str, bundle: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    store = open_store(url)
    first, second = released(store, bundle, named(tmp_path / "v2"))
    versions.rollback(store)
    with closing(Cutting(endpoint, after=1 << 40)) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        followed = ReleaseFollower(url, tmp_path / "cache")
        folder = next(followed.candidates())
        assert folder.name == first
        followed.mark_active(folder)
        versions.promote(store, second, versions.current(store))
        proxy._after = 200  # every answer is cut in its headers
        with pytest.raises(UnreachableError):
            followed.fetch_newer()
        assert followed.unavailable
        proxy._after = 1 << 40
        folder = followed.fetch_newer() or Path()
        assert folder.name == second and not followed.unavailable
        Recommender.load(folder)
