"""The soak of releases in its short form; and one by one, what a network does to a transfer."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from marquee.core.errors import InputError
from marquee.releases import bundle_cache, s3_store, versions
from marquee.releases.open_store import open_store
from marquee.releases.store import Store
from soak.releases import Chaos, Service, chaos
from tests.support import s3_server
from tests.support.flaky_proxy import WHOLE, Line, line
from tests.support.full_disk import disk
from tests.support.release_files import named, version_of

KB = 1024
GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with s3_server.server() as url:
        yield url


@pytest.fixture
def wire(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    with line(endpoint) as wire:
        monkeypatch.setenv("AWS_ENDPOINT_URL", wire.address)
        yield wire


@pytest.fixture
def store(wire: Line) -> Store:
    return open_store(f"s3://{s3_server.new_bucket()}/models/tiny")


@pytest.fixture
def trouble(tmp_path: Path) -> Iterator[Chaos]:
    with chaos(tmp_path, seed=0) as trouble:
        yield trouble


def test_whatever_goes_wrong_a_whole_version_answers_and_none_is_lost(
    trouble: Chaos, capsys: pytest.CaptureFixture[str]
) -> None:
    faults = trouble.rounds(7)
    said = capsys.readouterr().out
    assert faults == [], said
    for each in ("cut under", "in the store", "in the cache", "killed", "won", "full", "without"):
        assert said.count(each) == 1


def test_the_soak_sees_a_lost_version(trouble: Chaos) -> None:
    _, version = trouble.pushed
    trouble.store.delete([f"versions/{version}/bundle.json"])
    trouble._settle()
    assert f"{version} is lost" in trouble.faults


def test_the_soak_sees_a_damaged_version_and_what_is_left_over(trouble: Chaos) -> None:
    first, _ = trouble.pushed
    trouble.store.create(f"versions/{'0' * 16}/bundle.json", b"{}")
    trouble.store.delete([f"versions/{first}/movies.json"])
    trouble._settle()
    said = " ".join(trouble.faults)
    assert f"versions/{first}/movies.json" in said and f"{'0' * 16} is there, half" in said


def test_the_soak_sees_a_service_that_stays_behind(
    trouble: Chaos, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Service, "poll", lambda self: None)
    for _ in range(2):  # so that a way back leads elsewhere, too
        trouble._promote(trouble._push())
    trouble._settle()
    assert any("is promoted" in fault for fault in trouble.faults)


def test_a_full_disk_is_full(tmp_path: Path) -> None:
    with disk(tmp_path / "disk") as small:
        with small.full(0), pytest.raises(OSError):
            (small.folder / "more").write_bytes(bytes(8 * KB))
        (small.folder / "more").write_bytes(bytes(8 * KB))


def test_a_download_goes_on_where_it_was_cut(store: Store, wire: Line, tmp_path: Path) -> None:
    content = bytes(range(256)) * 4 * KB  # 1 MB
    (tmp_path / "sent").write_bytes(content)
    store.upload(tmp_path / "sent", "a", lambda taken: None)
    told: list[int] = []
    wire.trouble(lambda: (WHOLE, 300 * KB))
    store.download("a", tmp_path / "got", told.append)
    assert (tmp_path / "got").read_bytes() == content
    assert wire.cuts >= 3 and sum(told) == len(content), "nothing came twice"


def test_an_upload_leaves_none_behind_that_was_begun_twice(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a lost answer to the first beginning; its parts would be paid for, for ever."""
    monkeypatch.setattr(s3_store, "PART_BYTES", 5 << 20)
    bucket, _, prefix = store.url.removeprefix("s3://").partition("/")
    client, path = boto3.client("s3"), tmp_path / "sent"
    for _ in range(2):
        client.create_multipart_upload(Bucket=bucket, Key=f"{prefix}/a")
    client.create_multipart_upload(Bucket=bucket, Key=f"{prefix}/another")
    path.write_bytes(bytes(6 << 20))
    store.upload(path, "a", lambda taken: None)
    left = client.list_multipart_uploads(Bucket=bucket)["Uploads"]
    assert [each["Key"] for each in left] == [f"{prefix}/another"]


def test_who_promoted_and_never_heard_so_has_promoted(
    store: Store, wire: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer to a conditional write is lost; asked again, the server says it has changed."""
    bundles = [named(tmp_path / name) for name in ("v1", "v2")]
    first, second = (versions.push(bundle, store)[0] for bundle in bundles)
    for write, change in (
        ("create", lambda: versions.promote(store, first, None)),
        ("swap", lambda: versions.promote(store, second, versions.current(store))),
        ("swap", lambda: versions.rollback(store)),
    ):
        lose_the_answer(store, wire, write, monkeypatch)
        pointer = change()
        assert versions.current(store) == pointer
    assert wire.cuts == 3


def lose_the_answer(store: Store, wire: Line, name: str, patch: pytest.MonkeyPatch) -> None:
    """Of the next write of this kind: it reaches the server, and what comes back is cut."""
    write = getattr(type(store), name)

    def lost(self: Any, *given: Any) -> Any:
        patch.setattr(type(store), name, write)
        budgets = iter([2 * len(GO_ON) + 10])  # moto asks for the body twice; then it answers
        wire.trouble(lambda: (WHOLE, next(budgets, WHOLE)))
        return write(self, *given)

    patch.setattr(type(store), name, lost)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(b'"name": "v1"', b'"name": "v9"', id="another-word"),
        pytest.param(b'"name"', b"!name!", id="no-json"),
        pytest.param(b'"refit": "none"', b'"refit":  "none"', id="a-space"),
    ],
)
def test_a_damaged_manifest_is_found_and_never_promoted(
    old: bytes, new: bytes, store: Store, tmp_path: Path
) -> None:
    bundle = named(tmp_path / "v1")
    version, key = version_of(bundle), f"versions/{version_of(bundle)}/bundle.json"
    versions.push(bundle, store)
    found = store.read(key)
    assert found is not None and old in found.content
    store.swap(key, found.content.replace(old, new), found.etag)
    (wrong,) = bundle_cache.verify(store, version)
    assert f"{key}: damaged" in wrong
    with pytest.raises(InputError, match=r"bundle\.json: damaged.*--repair"):
        versions.promote(store, version, None)
    versions.push(bundle, store, repair=True)
    assert bundle_cache.verify(store, version) == []
    versions.promote(store, version, None)
