"""Test releases in a folder and in a bucket: complete or absent, one winner, a way back."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from marquee.core.errors import InputError
from marquee.promotion.releases_command import main
from marquee.recommender.bundle import PARTS
from marquee.recommender.recommender import Recommender
from marquee.releases import bundle_cache, versions
from marquee.releases.folder_store import FolderStore
from marquee.releases.follower import ReleaseFollower
from marquee.releases.open_store import open_store
from marquee.releases.store import Store
from tests.support import s3_server
from tests.support.paths import ROOT
from tests.support.processes import start_together
from tests.support.release_files import damage, release, version_of, write_named_bundle


@pytest.fixture(params=["folder", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store."""
    if request.param == "folder":
        return str(tmp_path / "store")
    request.getfixturevalue("endpoint")
    return f"s3://{s3_server.new_bucket()}/models/tiny"


@pytest.fixture
def store(url: str) -> Store:
    return open_store(url)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three bundles of the same movies."""
    top = tmp_path_factory.mktemp("three")
    return [write_named_bundle(top / name) for name in ("v1", "v2", "v3")]


def test_pull_returns_the_promoted_version(
    store: Store, bundles: list[Path], tmp_path: Path
) -> None:
    assert versions.current(store) is None
    first, second = release(store, *bundles[:2])
    folder = bundle_cache.pull(store, tmp_path / "cache")
    assert folder.name == second == version_of(bundles[1])
    assert Recommender.load(folder).manifest["name"] == "v2"
    assert {release.version for release in versions.list_versions(store)} == {first, second}
    assert bundle_cache.pull(store, tmp_path / "cache", first[:6]).name == first


def test_rollback_twice_goes_back_twice(store: Store, bundles: list[Path]) -> None:
    first, second, third = release(store, *bundles)
    assert versions.rollback(store).version == second
    assert versions.rollback(store).version == first
    with pytest.raises(InputError, match=f"no version before {first}, expected one to go back to"):
        versions.rollback(store)
    assert versions.promote(store, third, versions.current(store)).previous == (first,)


def test_push_again_sends_and_changes_nothing(
    store: Store, bundles: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    version, new = versions.push(bundles[0], store, "# the card\n")
    monkeypatch.setattr(type(store), "upload", lambda *args: pytest.fail("sent again"))
    assert new and versions.push(bundles[0], store, "# another") == (version, False)
    card = store.read(f"versions/{version}/MODEL_CARD.md")
    assert card is not None and card.content == b"# the card\n"


def test_push_interrupted_is_no_version_and_resumes_by_file(
    store: Store, bundles: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    upload, sent = type(store).upload, []

    def upload_two_files(self: Any, path: Path, key: str) -> None:
        if len(sent) == 2:
            raise KeyboardInterrupt
        sent.append(path.name)
        upload(self, path, key)

    monkeypatch.setattr(type(store), "upload", upload_two_files)
    with pytest.raises(KeyboardInterrupt):
        versions.push(bundles[0], store)
    assert versions.list_versions(store) == []
    with pytest.raises(InputError, match="no version"):
        versions.promote(store, version_of(bundles[0]), None)
    sent_later: list[str] = []

    def upload_the_others(self: Any, path: Path, key: str) -> None:
        sent_later.append(path.name)
        upload(self, path, key)

    monkeypatch.setattr(type(store), "upload", upload_the_others)
    versions.push(bundles[0], store)
    assert set(sent) & set(sent_later) == set()
    assert len(sent + sent_later) == len(PARTS)


def test_promote_after_another_promotion_is_refused(store: Store, bundles: list[Path]) -> None:
    first, second, third = (versions.push(bundle, store)[0] for bundle in bundles)
    versions.promote(store, first, None)
    pointer = versions.current(store)
    versions.promote(store, second, pointer)
    with pytest.raises(InputError, match=f"concurrent promotion: {second}"):
        versions.promote(store, third, pointer)
    latest = versions.current(store)
    assert latest is not None and latest.version == second


def test_store_swap_of_many_processes_has_one_winner(url: str, store: Store) -> None:
    store.create("a", b"0")
    program = (
        "import sys, time; from marquee.releases.open_store import open_store;"
        "s = open_store(sys.argv[1]);"
        "e = s.read('a').etag; print('ready', flush=True); sys.stdin.readline();"
        "print(int(s.swap('a', sys.argv[2].encode(), e)))"
    )
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", program, url, str(n)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for n in range(1, 4)
    ]
    start_together(racers)
    won = [racer.communicate(timeout=60)[0].strip() for racer in racers]
    assert sorted(won) == ["0", "0", "1"]
    winner = store.read("a")
    assert winner is not None and winner.content == str(won.index("1") + 1).encode()


def test_pull_damaged_object_is_refused_until_repaired(
    store: Store, bundles: list[Path], tmp_path: Path
) -> None:
    _, second = release(store, *bundles[:2])
    damage(store, f"versions/{second}/encoder.onnx", tmp_path)
    with pytest.raises(InputError, match=r"encoder\.onnx: damaged"):
        bundle_cache.pull(store, tmp_path / "cache")
    assert not (tmp_path / "cache" / second).exists()
    (fault,) = bundle_cache.verify(store, second)
    assert "encoder.onnx" in fault
    versions.push(bundles[1], store, repair=True)
    assert bundle_cache.verify(store, second) == []
    assert bundle_cache.pull(store, tmp_path / "cache").name == second


@pytest.mark.parametrize("name", ["bundle.json", "arrays.safetensors"])
def test_pull_damaged_cache_is_fetched_again(
    store: Store, bundles: list[Path], tmp_path: Path, name: str
) -> None:
    release(store, bundles[0])
    folder = bundle_cache.pull(store, tmp_path)
    (folder / name).write_bytes(b"no")
    assert bundle_cache.pull(store, tmp_path) == folder
    Recommender.load(folder)
    (folder / name).unlink()
    Recommender.load(bundle_cache.pull(store, tmp_path))


def test_pull_on_full_disk_keeps_cache_and_no_half_version(
    store: Store, bundles: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (versions.push(bundle, store)[0] for bundle in bundles[:2])
    folder = bundle_cache.pull(store, tmp_path / "cache", first)

    def download_to_full_disk(self: Any, key: str, path: Path, size: int) -> None:
        path.write_bytes(b"some")
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr(type(store), "download", download_to_full_disk)
        with pytest.raises(InputError, match=r"No space left.*BUNDLE_CACHE"):
            bundle_cache.pull(store, tmp_path / "cache", second)
    assert [path.name for path in (tmp_path / "cache").glob("*") if path.is_dir()] == [first]
    Recommender.load(folder)
    bundle_cache.pull(store, tmp_path / "cache", second)


def test_prune_spares_current_and_rollback_versions(store: Store, bundles: list[Path]) -> None:
    first, second, third = release(store, *bundles)
    newest = versions.list_versions(store)[0].version  # the clock of a bucket counts whole seconds
    versions.rollback(store)  # second serves, first is the way back
    assert set(versions.prune(store, keep=1)) == {third} - {newest}
    versions.rollback(store)
    deleted = set(versions.prune(store, keep=1))
    newest = versions.list_versions(store)[0].version
    assert {release.version for release in versions.list_versions(store)} == {first, newest}
    assert deleted <= {second, third}
    stored = {listed.key.split("/")[1] for listed in store.listed("versions/")}
    assert not stored & deleted
    with pytest.raises(InputError, match="expected 1 or more"):
        versions.prune(store, keep=0)


def test_prune_without_a_known_current_version_is_refused(
    store: Store, bundles: list[Path]
) -> None:
    for bundle in bundles[:2]:
        versions.push(bundle, store)
    with pytest.raises(InputError, match="nothing is promoted, so the serving version is unknown"):
        versions.prune(store, keep=1)
    missing = replace(versions.find(store, version_of(bundles[0])), version="a" * 16)
    store.create("current.json", missing.to_json())
    with pytest.raises(InputError, match=f"{'a' * 16} is promoted and gone"):
        versions.prune(store, keep=1)
    assert len(versions.list_versions(store)) == 2


def test_prune_spares_version_promoted_meanwhile(
    store: Store, bundles: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    release(store, *bundles)
    current = versions.list_versions(store)[0].version
    delete, promoted = type(store).delete, []

    def delete_and_promote(self: Any, keys: list[str]) -> None:
        delete(self, keys)
        names = {release.version for release in versions.list_versions(store)} - {current}
        if "versions/" in keys[0] and not promoted and names:
            promoted.extend(names)
            versions.promote(store, promoted[0], versions.current(store))

    versions.promote(store, current, versions.current(store))
    pointer = versions.current(store)
    assert pointer is not None
    pointer_object = store.read("current.json")
    assert pointer_object is not None
    store.swap("current.json", replace(pointer, previous=()).to_json(), pointer_object.etag)
    monkeypatch.setattr(type(store), "delete", delete_and_promote)
    assert len(versions.prune(store, keep=1)) == 1
    assert {release.version for release in versions.list_versions(store)} == {current, promoted[0]}


POINTER = {
    "version": "a" * 16,
    "model_version": "a" * 64,
    "manifest_sha256": "b" * 64,
    "promoted_at": "2026-11-23T00:00:00+00:00",
    "previous": ["c" * 16],
}


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff garbage", id="garbage"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b"[]", id="list"),
        pytest.param(b'{"version": "x"}', id="fields"),
        pytest.param(POINTER | {"previous": 3}, id="previous"),
        pytest.param(POINTER | {"previous": ["../x"]}, id="way-back"),
        pytest.param(POINTER | {"version": ""}, id="no-name"),
        pytest.param(POINTER | {"version": "../../precious"}, id="elsewhere"),
    ],
)
def test_pointer_invalid_is_refused_and_touches_nothing(
    store: Store, url: str, bundles: list[Path], tmp_path: Path, content: Any
) -> None:
    """A folder of that name is emptied before a release comes into it: the cache, or another."""
    (version,) = release(store, bundles[0])
    follower = ReleaseFollower(url, tmp_path / "cache" / "inner")
    folder = next(follower.candidates())
    follower.mark_active(folder)
    precious = tmp_path / "cache" / "precious"
    precious.mkdir()
    store.delete(["current.json"])
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    assert store.create("current.json", raw)
    remove = r"(aws s3 rm s3:|rm /).*current\.json, then marquee releases promote"
    with pytest.raises(InputError, match=rf"(?s)not a pointer .*{remove}"):
        versions.current(store)
    with pytest.raises(InputError, match="not a pointer"):
        ReleaseFollower(url, tmp_path / "cache" / "inner").fetch_newer()
    assert precious.is_dir() and folder.is_dir()
    (candidate,) = ReleaseFollower(url, tmp_path / "cache" / "inner").candidates()
    assert candidate.name == version


def test_list_versions_skips_other_objects(store: Store, bundles: list[Path]) -> None:
    """A note, a copied folder, the empty object that S3's console makes for a folder."""
    (version,) = release(store, bundles[0])
    raw = (bundles[0] / "bundle.json").read_bytes()
    markers = [] if isinstance(store, FolderStore) else ["versions/"]
    for key in ["versions/README", "versions/mine/bundle.json", *markers]:
        store.create(key, b"mine" if key.endswith("README") else raw)
    assert [release.version for release in versions.list_versions(store)] == [version]
    store.create(f"versions/{'0' * 16}/bundle.json", raw)
    with pytest.raises(InputError, match=f"damaged .it belongs to {version}"):
        versions.find(store, "000")
    faults = bundle_cache.verify(store, "0" * 16)
    assert any(f"it belongs to {version}" in fault for fault in faults)


def test_find_ambiguous_prefix_is_refused(store: Store, bundles: list[Path]) -> None:
    first, second = (versions.push(bundle, store)[0] for bundle in bundles[:2])
    with pytest.raises(InputError, match=r"'' begins .*, .*, expected one version"):
        versions.find(store, "")
    assert versions.find(store, first[:15]).version == first
    assert versions.find(store, second).version == second


def test_push_again_sends_missing_files(store: Store, bundles: list[Path]) -> None:
    version, _ = versions.push(bundles[0], store)
    store.delete([f"versions/{version}/movies.json"])
    (fault,) = bundle_cache.verify(store, version)
    assert f"movies.json: missing; marquee releases push BUNDLE {store.url} --repair" in fault
    assert versions.push(bundles[0], store) == (version, False)
    assert bundle_cache.verify(store, version) == []


def test_rollback_to_damaged_version_needs_force(
    store: Store, bundles: list[Path], tmp_path: Path, capsys: Any
) -> None:
    first, second = release(store, *bundles[:2])
    damage(store, f"versions/{first}/movies.json", tmp_path)
    assert main(["rollback", store.url]) == 1
    error = capsys.readouterr().err
    assert f"{first} served before and would be refused" in error
    assert "movies.json: damaged" in error
    assert versions.current(store).version == second  # type: ignore[union-attr]
    assert main(["rollback", store.url, "--force"]) == 0
    assert main(["promote", second, store.url]) == 1, "the current one cannot be compared"
    assert "the current version cannot be loaded" in capsys.readouterr().err
    assert main(["promote", second, store.url, "--force"]) == 0


def test_pull_removes_stray_files_of_the_cache(
    store: Store, url: str, bundles: list[Path], tmp_path: Path
) -> None:
    release(store, bundles[0])
    folder = bundle_cache.pull(store, tmp_path)
    (folder / "sub").mkdir()
    (folder / "sub" / "x").write_text("x")
    (folder / ".nfs01").write_text("x")
    Recommender.load(bundle_cache.pull(store, tmp_path))
    (folder / "x").write_text("x")
    bundle_cache.set_good(tmp_path, folder)
    good = bundle_cache.get_good(tmp_path)
    assert good is not None
    Recommender.load(good)


def test_prune_removes_temporary_files_of_a_killed_writer(
    bundles: list[Path], tmp_path: Path
) -> None:
    store = open_store(str(tmp_path / "store"))
    first, *_ = release(store, *bundles)
    (tmp_path / "store" / "versions" / first / ".movies.json.f00").write_text("half")
    assert first in versions.prune(store, keep=1)
    assert not (tmp_path / "store" / "versions" / first).exists()


def test_verify_on_full_disk_names_tmpdir(
    store: Store, bundles: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    (version,) = release(store, bundles[0])

    def download_to_full_disk(self: Any, key: str, path: Path, size: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(type(store), "download", download_to_full_disk)
    with pytest.raises(InputError, match=r"No space left.*TMPDIR"):
        bundle_cache.verify(store, version)


def test_push_to_read_only_folder_names_the_remedy(
    bundles: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(*args: Any) -> None:
        raise OSError(30, os.strerror(30))

    monkeypatch.setattr(os, "fsync", read_only)
    with pytest.raises(InputError, match=r"Read-only.*name another folder, or mount it for"):
        versions.push(bundles[0], open_store(str(tmp_path / "store")))


def test_follower_fetches_each_promotion_once(
    url: str, store: Store, bundles: list[Path], tmp_path: Path
) -> None:
    follower = ReleaseFollower(url, tmp_path / "cache")
    with pytest.raises(InputError, match="nothing has been promoted"):
        next(follower.candidates())
    first, second = release(store, *bundles[:2])
    folder = next(follower.candidates())
    assert folder.name == second
    follower.mark_active(folder)
    assert follower.fetch_newer() is None
    versions.rollback(store)
    previous = follower.fetch_newer()
    assert previous is not None and previous.name == first
    follower.mark_active(previous)
    assert follower.fetch_newer() is None


def test_follower_without_store_serves_last_good_version(
    url: str, store: Store, bundles: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = release(store, *bundles[:2])
    follower = ReleaseFollower(url, tmp_path / "cache")
    follower.mark_active(next(follower.candidates()))
    damage(store, f"versions/{first}/golden.json", tmp_path)
    versions.rollback(store)
    with pytest.raises(InputError, match="damaged"):
        follower.fetch_newer()
    assert follower.fetch_newer() is None, "not fetched again at once"
    (folder,) = ReleaseFollower(url, tmp_path / "cache").candidates()
    assert folder.name == second
    if url.startswith("s3://"):
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        away = ReleaseFollower(url, tmp_path / "cache")
        assert [folder.name for folder in away.candidates()] == [second]
        assert away.unavailable
        with pytest.raises(InputError, match="no answer"):
            list(ReleaseFollower(url, tmp_path / "other").candidates())


def test_pull_after_a_kill_keeps_complete_files(
    url: str, store: Store, bundles: list[Path], tmp_path: Path
) -> None:
    (version,) = release(store, bundles[0])
    program = (
        "import sys, time; from marquee.releases import bundle_cache, open_store as s\n"
        "for kind in (s.FolderStore, s.S3Store):\n"
        "    def slow(self, key, path, size, download=kind.download):\n"
        "        download(self, key, path, size)\n"
        "        if key.endswith('golden.json'):\n"
        "            path.write_bytes(path.read_bytes()[:5]); print('half', flush=True)\n"
        "            time.sleep(60)\n"
        "    kind.download = slow\n"
        "bundle_cache.pull(s.open_store(sys.argv[1]), sys.argv[2])"
    )
    command = [sys.executable, "-c", program, url, str(tmp_path / "cache")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as puller:
        assert puller.stdout and puller.stdout.readline() == b"half\n"
        puller.send_signal(signal.SIGKILL)
    assert not (tmp_path / "cache" / version).exists()
    part = tmp_path / "cache" / f".part-{version}"
    inode = (part / "arrays.safetensors").stat().st_ino
    folder = bundle_cache.pull(store, tmp_path / "cache")
    Recommender.load(folder)
    assert (folder / "arrays.safetensors").stat().st_ino == inode, "a complete file stays"


def test_pull_by_three_threads_fetches_each_file_once(
    store: Store, bundles: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release(store, bundles[0])
    download, keys, is_alone = type(store).download, [], threading.Lock()

    def download_alone(self: Any, key: str, path: Path, size: int) -> None:
        assert is_alone.acquire(blocking=False), "two threads fetch at once"
        keys.append(key)
        download(self, key, path, size)
        is_alone.release()

    monkeypatch.setattr(type(store), "download", download_alone)
    is_ready = threading.Barrier(3, timeout=60)

    def pull() -> Path:
        is_ready.wait()
        return bundle_cache.pull(store, tmp_path)

    with ThreadPoolExecutor(3) as pool:
        pulls = [pool.submit(pull) for _ in range(3)]
        folders = {future.result(timeout=60) for future in pulls}
    assert len(folders) == 1
    assert len(keys) == len(set(keys)) == len(PARTS)


def test_releases_command_verbs(url: str, bundles: list[Path], tmp_path: Path, capsys: Any) -> None:
    first, second = map(version_of, bundles[:2])
    for bundle in bundles[:2]:
        assert main(["push", str(bundle), url]) == 0
    assert main(["promote", first, url]) == 0
    assert main(["promote", second[:8], url]) == 0
    capsys.readouterr()
    assert main(["list", url]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0]: line.split("MB")[1].strip() for line in lines} == {
        second: "current",
        first: "1 back",
    }
    assert main(["rollback", url]) == 0
    assert first in capsys.readouterr().out
    assert main(["pull", url, "--cache", str(tmp_path / "cache")]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "cache" / first)
    assert main(["verify", url]) == 0
    damage(open_store(url), f"versions/{second}/movies.json", tmp_path)
    assert main(["verify", url]) == 1
    assert "movies.json: damaged" in capsys.readouterr().out
    assert main(["prune", url, "--keep", "1"]) == 0
    assert main(["promote", "ffff", url]) == 2
    assert "no version 'ffff'" in capsys.readouterr().err
    assert main(["push", url]) == 2
    for limit in ("nan", "-1", "inf", "0"):
        assert main(["promote", first, url, "--max-mb", limit]) == 2


def test_push_writes_a_model_card(store: Store, bundles: list[Path]) -> None:
    main(["push", str(bundles[0]), store.url])
    card_object = store.read(f"versions/{version_of(bundles[0])}/MODEL_CARD.md")
    assert card_object is not None
    card = card_object.content.decode()
    manifest = json.loads((bundles[0] / "bundle.json").read_text())
    assert f"# Model card: {manifest['name']}" in card
    assert manifest["model_version"] in card and "0.5 to 5.0 stars" in card


def test_push_damaged_bundle_stores_nothing(
    store: Store, bundles: list[Path], tmp_path: Path
) -> None:
    bad = shutil.copytree(bundles[0], tmp_path / "bad")
    (bad / "encoder.onnx").write_bytes(b"no")
    with pytest.raises(InputError, match=r"encoder\.onnx"):
        versions.push(bad, store)
    assert store.listed("") == []


@pytest.mark.parametrize(
    ("url", "message"),
    [
        pytest.param("gs://b/p", "unknown kind of store", id="kind"),
        pytest.param("s3://b", "no bucket with a prefix", id="no-prefix"),
        pytest.param("s3://b/../p", "no bucket with a prefix", id="dots"),
        pytest.param(__file__, "is a file", id="file"),
        pytest.param("", "address: empty", id="empty"),
        pytest.param("s3:/b/p", "unknown kind of store", id="one-slash"),
    ],
)
def test_open_store_invalid_address_is_refused(url: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        open_store(url)


def test_open_store_of_a_bundle_is_refused(bundles: list[Path]) -> None:
    """With versions/ in it, it would be no bundle any more."""
    with pytest.raises(InputError, match="is a bundle, expected another folder"):
        open_store(str(bundles[0]))
