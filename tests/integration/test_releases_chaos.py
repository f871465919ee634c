"""Test the soak of releases in its short form, and what a network does to a single transfer."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from marquee.core.errors import InputError
from marquee.releases import bundle_cache, s3_store, versions
from marquee.releases.open_store import open_store
from marquee.releases.store import Store
from soak.releases import Chaos, Service, chaos
from tests.support import s3_server
from tests.support.flaky_proxy import UNLIMITED, FlakyProxy, flaky_proxy
from tests.support.full_disk import small_disk
from tests.support.release_files import version_of, write_named_bundle

KB = 1024
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.fixture
def proxy(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlakyProxy]:
    with flaky_proxy(endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.address)
        yield proxy


@pytest.fixture
def store(proxy: FlakyProxy, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(s3_store, "PART_BYTES", 128 * KB)
    return open_store(f"s3://{s3_server.new_bucket()}/models/tiny")


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Chaos]:
    with chaos(tmp_path, seed=0) as run:
        yield run


def test_releases_soak_of_each_fault_loses_no_version(
    run: Chaos, capsys: pytest.CaptureFixture[str]
) -> None:
    faults = run.rounds(7)
    output = capsys.readouterr().out
    assert faults == [], output
    for word in ("cut under", "in the store", "in the cache", "killed", "won", "full", "without"):
        assert output.count(word) == 1


def test_releases_soak_reports_a_lost_version(run: Chaos) -> None:
    _, version = run.pushed
    run.store.delete([f"versions/{version}/bundle.json"])
    run.settle()
    assert f"{version} is lost" in run.faults


def test_releases_soak_reports_damaged_and_stray_versions(run: Chaos) -> None:
    first, _ = run.pushed
    run.store.create(f"versions/{'0' * 16}/bundle.json", b"{}")
    run.store.delete([f"versions/{first}/movies.json"])
    run.settle()
    faults = " ".join(run.faults)
    assert f"versions/{first}/movies.json" in faults and f"{'0' * 16} is there, half" in faults


def test_releases_soak_reports_a_service_that_stays_behind(
    run: Chaos, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Service, "poll", lambda self: None)
    for _ in range(2):  # so that a rollback leads elsewhere, too
        run.promote(run.push())
    run.settle()
    assert any("is promoted" in fault for fault in run.faults)


def test_small_disk_that_is_full_takes_no_file(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        with disk.full(0), pytest.raises(OSError):
            (disk.folder / "more").write_bytes(bytes(8 * KB))
        (disk.folder / "more").write_bytes(bytes(8 * KB))


@pytest.mark.parametrize("end", ["reset", "close"])
def test_s3_store_download_over_cut_connections_is_complete(
    store: Store, proxy: FlakyProxy, tmp_path: Path, end: str
) -> None:
    """Two connections break off within their part, which comes again (the first asks the size)."""
    content = bytes(range(256)) * 4 * KB  # 1 MB
    (tmp_path / "sent").write_bytes(content)
    store.upload(tmp_path / "sent", "a")
    budgets = iter([50 * KB] * 3)
    proxy.limit(lambda: (UNLIMITED, next(budgets, UNLIMITED)), end=end)
    store.download("a", tmp_path / "received", len(content))
    assert (tmp_path / "received").read_bytes() == content
    assert proxy.num_cuts >= 2


def test_promotion_whose_answer_is_lost_is_recognized(
    store: Store, proxy: FlakyProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The retry of a conditional write meets its own first try: the condition has failed."""
    bundles = [write_named_bundle(tmp_path / name) for name in ("v1", "v2")]
    first, second = (versions.push(bundle, store)[0] for bundle in bundles)
    for write, change in (
        ("create", lambda: versions.promote(store, first, None)),
        ("swap", lambda: versions.promote(store, second, versions.current(store))),
        ("swap", lambda: versions.rollback(store)),
    ):
        lose_next_answer(store, proxy, write, monkeypatch)
        pointer = change()
        assert versions.current(store) == pointer
    assert proxy.num_cuts == 3


def lose_next_answer(
    store: Store, proxy: FlakyProxy, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut the answer to the next write of this kind, which reaches the server."""
    write = getattr(type(store), name)

    def write_over_cut_connection(self: Any, *args: Any) -> Any:
        monkeypatch.setattr(type(store), name, write)
        budgets = iter([2 * len(CONTINUE) + 10])  # moto asks for the body twice; then it answers
        proxy.limit(lambda: (UNLIMITED, next(budgets, UNLIMITED)))
        return write(self, *args)

    monkeypatch.setattr(type(store), name, write_over_cut_connection)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(b'"name": "v1"', b'"name": "v9"', id="another-word"),
        pytest.param(b'"name"', b"!name!", id="no-json"),
        pytest.param(b'"refit": "none"', b'"refit":  "none"', id="a-space"),
    ],
)
def test_promote_damaged_manifest_is_refused_until_repaired(
    old: bytes, new: bytes, store: Store, tmp_path: Path
) -> None:
    bundle = write_named_bundle(tmp_path / "v1")
    version, key = version_of(bundle), f"versions/{version_of(bundle)}/bundle.json"
    versions.push(bundle, store)
    manifest = store.read(key)
    assert manifest is not None and old in manifest.content
    store.swap(key, manifest.content.replace(old, new), manifest.etag)
    (fault,) = bundle_cache.verify(store, version)
    assert f"{key}: damaged" in fault
    with pytest.raises(InputError, match=r"bundle\.json: damaged.*--repair"):
        versions.promote(store, version, None)
    versions.push(bundle, store, repair=True)
    assert bundle_cache.verify(store, version) == []
    versions.promote(store, version, None)
