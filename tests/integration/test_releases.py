"""Releases on a folder and in a bucket: whole or not there, one winner, a way back."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from marquee.core.errors import InputError
from marquee.promotion.releases_command import main
from marquee.recommender.recommender import Recommender
from marquee.releases import bundle_cache, versions
from marquee.releases.folder_store import FolderStore
from marquee.releases.follower import ReleaseFollower
from marquee.releases.open_store import open_store
from marquee.releases.store import Store
from marquee.training.model_card import model_card, results_of
from tests.support import s3_server
from tests.support.paths import ROOT
from tests.support.release_files import damage, named, released, version_of
from tests.support.tiny_bundle import tiny_parts


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with s3_server.server() as url:
        yield url


@pytest.fixture(params=["folder", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store that address: empty."""
    if request.param == "folder":
        return str(tmp_path / "store")
    request.getfixturevalue("endpoint")
    return f"s3://{s3_server.new_bucket()}/models/tiny"


@pytest.fixture
def store(url: str) -> Store:
    return open_store(url)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three whole bundles of the same films."""
    top = tmp_path_factory.mktemp("three")
    return [named(top / name) for name in ("v1", "v2", "v3")]


def test_what_is_pushed_and_promoted_is_what_is_pulled(
    store: Store, bundles: list[Path], tmp_path: Path
) -> None:
    assert versions.current(store) is None
    first, second = released(store, *bundles[:2])
    folder = bundle_cache.pull(store, tmp_path / "cache")
    assert folder.name == second == version_of(bundles[1])
    assert Recommender.load(folder).manifest["name"] == "v2"
    assert {one.version for one in versions.list_versions(store)} == {first, second}
    assert bundle_cache.pull(store, tmp_path / "cache", first[:6]).name == first


def test_the_way_back_leads_further_back_each_time(store: Store, bundles: list[Path]) -> None:
    first, second, third = released(store, *bundles)
    assert versions.rollback(store).version == second
    assert versions.rollback(store).version == first
    with pytest.raises(InputError, match=f"no version before {first}, expected one to go back to"):
        versions.rollback(store)
    assert versions.promote(store, third, versions.current(store)).previous == (first,)


def test_pushing_again_sends_nothing_and_changes_nothing(
    store: Store, bundles: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    version, new = versions.push(bundles[0], store, "# the card\n")
    monkeypatch.setattr(type(store), "upload", lambda *given: pytest.fail("sent again"))
    assert new and versions.push(bundles[0], store, "# another") == (version, False)
    found = store.read(f"versions/{version}/MODEL_CARD.md")
    assert found is not None and found.content == b"# the card\n"


def test_half_a_push_is_no_version_and_goes_on_where_it_was(
    store: Store, bundles: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    upload, sent = type(store).upload, []

    def breaks(self: Any, path: Path, key: str, told: Any) -> None:
        if len(sent) == 2:
            raise KeyboardInterrupt
        sent.append(path.name)
        upload(self, path, key, told)

    monkeypatch.setattr(type(store), "upload", breaks)
    with pytest.raises(KeyboardInterrupt):
        versions.push(bundles[0], store)
    assert versions.list_versions(store) == []
    with pytest.raises(InputError, match="no version"):
        versions.promote(store, version_of(bundles[0]), None)
    again: list[str] = []
    monkeypatch.setattr(
        type(store),
        "upload",
        lambda self, path, key, told: [again.append(path.name), upload(self, path, key, told)],
    )
    versions.push(bundles[0], store)
    assert set(sent) & set(again) == set()
    assert len(sent + again) == 4


def test_of_two_who_promote_what_they_saw_one_wins(store: Store, bundles: list[Path]) -> None:
    first, second, third = (versions.push(bundle, store)[0] for bundle in bundles)
    versions.promote(store, first, None)
    seen = versions.current(store)
    versions.promote(store, second, seen)
    with pytest.raises(InputError, match=f"concurrent promotion: {second}"):
        versions.promote(store, third, seen)
    pointer = versions.current(store)
    assert pointer is not None and pointer.version == second


def test_of_many_processes_that_swap_at_once_one_wins(url: str, store: Store) -> None:
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
    for racer in racers:
        assert racer.stdout and racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin
        racer.stdin.write("go\n")
        racer.stdin.flush()
    won = [racer.communicate()[0].strip() for racer in racers]
    assert sorted(won) == ["0", "0", "1"]
    found = store.read("a")
    assert found is not None and found.content == str(won.index("1") + 1).encode()


def test_a_damaged_object_is_refused_named_and_mended(
    store: Store, bundles: list[Path], tmp_path: Path
) -> None:
    _, second = released(store, *bundles[:2])
    damage(store, f"versions/{second}/encoder.onnx", tmp_path)
    with pytest.raises(InputError, match=r"encoder\.onnx: damaged"):
        bundle_cache.pull(store, tmp_path / "cache")
    assert not (tmp_path / "cache" / second).exists()
    (wrong,) = bundle_cache.verify(store, second)
    assert "encoder.onnx" in wrong
    versions.push(bundles[1], store, repair=True)
    assert bundle_cache.verify(store, second) == []
    assert bundle_cache.pull(store, tmp_path / "cache").name == second


@pytest.mark.parametrize("name", ["bundle.json", "arrays.safetensors"])
def test_a_damaged_cache_heals(
    store: Store, bundles: list[Path], tmp_path: Path, name: str
) -> None:
    released(store, bundles[0])
    folder = bundle_cache.pull(store, tmp_path)
    (folder / name).write_bytes(b"no")
    assert bundle_cache.pull(store, tmp_path) == folder
    Recommender.load(folder)
    (folder / name).unlink()
    Recommender.load(bundle_cache.pull(store, tmp_path))


def test_a_full_disk_leaves_nothing_half_and_what_was_there(
    store: Store, bundles: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (versions.push(bundle, store)[0] for bundle in bundles[:2])
    folder = bundle_cache.pull(store, tmp_path / "cache", first)

    def full(self: Any, key: str, path: Path, told: Any) -> None:
        path.write_bytes(b"some")
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr(type(store), "download", full)
        with pytest.raises(InputError, match=r"No space left.*BUNDLE_CACHE"):
            bundle_cache.pull(store, tmp_path / "cache", second)
    assert [path.name for path in (tmp_path / "cache").glob("*") if path.is_dir()] == [first]
    Recommender.load(folder)
    bundle_cache.pull(store, tmp_path / "cache", second)


def test_pruning_spares_what_serves_and_the_way_back(store: Store, bundles: list[Path]) -> None:
    first, second, third = released(store, *bundles)
    newest = versions.list_versions(store)[0].version  # the clock of a bucket counts whole seconds
    versions.rollback(store)  # second serves, first is the way back
    assert set(versions.prune(store, keep=1)) == {third} - {newest}
    versions.rollback(store)
    gone = set(versions.prune(store, keep=1))
    newest = versions.list_versions(store)[0].version
    assert {one.version for one in versions.list_versions(store)} == {first, newest}
    assert gone <= {second, third}
    assert not [each for each in store.listed("versions/") if each.key.split("/")[1] in gone]
    with pytest.raises(InputError, match="expected 1 or more"):
        versions.prune(store, keep=0)


def test_nothing_is_pruned_where_what_serves_is_not_known(
    store: Store, bundles: list[Path]
) -> None:
    for bundle in bundles[:2]:
        versions.push(bundle, store)
    with pytest.raises(InputError, match="nothing is promoted, so the serving version is unknown"):
        versions.prune(store, keep=1)
    gone = replace(versions.find(store, version_of(bundles[0])), version="a" * 16)
    store.create("current.json", gone.to_json())
    with pytest.raises(InputError, match=f"{'a' * 16} is promoted and gone"):
        versions.prune(store, keep=1)
    assert len(versions.list_versions(store)) == 2


def test_what_is_promoted_while_others_are_pruned_stays(
    store: Store, bundles: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    released(store, *bundles)
    kept = versions.list_versions(store)[0].version
    delete, others = type(store).delete, []

    def promotes(self: Any, keys: list[str]) -> None:
        delete(self, keys)
        left = {one.version for one in versions.list_versions(store)} - {kept}
        if "versions/" in keys[0] and not others and left:
            others.extend(left)
            versions.promote(store, others[0], versions.current(store))

    versions.promote(store, kept, versions.current(store))
    pointer = versions.current(store)
    assert pointer is not None
    (there,) = [each for each in [store.read("current.json")] if each]
    store.swap("current.json", replace(pointer, previous=()).to_json(), there.etag)
    monkeypatch.setattr(type(store), "delete", promotes)
    assert len(versions.prune(store, keep=1)) == 1
    assert {one.version for one in versions.list_versions(store)} == {kept, others[0]}


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
def test_a_pointer_that_is_none_is_said_and_touches_nothing(
    store: Store, url: str, bundles: list[Path], tmp_path: Path, content: Any
) -> None:
    """A folder of that name is emptied before a release comes into it: the cache, or another."""
    (version,) = released(store, bundles[0])
    followed = ReleaseFollower(url, tmp_path / "cache" / "inner")
    folder = next(followed.candidates())
    followed.mark_active(folder)
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
    (kept,) = ReleaseFollower(url, tmp_path / "cache" / "inner").candidates()
    assert kept.name == version


def test_what_else_lies_below_versions_is_no_version(store: Store, bundles: list[Path]) -> None:
    """A note, a folder somebody copied, the empty object that S3's console makes for a folder."""
    (version,) = released(store, bundles[0])
    raw = (bundles[0] / "bundle.json").read_bytes()
    markers = [] if isinstance(store, FolderStore) else ["versions/"]
    for key in ["versions/README", "versions/mine/bundle.json", *markers]:
        store.create(key, b"mine" if key.endswith("README") else raw)
    assert [one.version for one in versions.list_versions(store)] == [version]
    store.create(f"versions/{'0' * 16}/bundle.json", raw)
    with pytest.raises(InputError, match=f"damaged .it belongs to {version}"):
        versions.find(store, "000")
    assert any(f"it belongs to {version}" in said for said in bundle_cache.verify(store, "0" * 16))


def test_a_beginning_that_two_versions_share_is_not_enough(
    store: Store, bundles: list[Path]
) -> None:
    first, second = (versions.push(bundle, store)[0] for bundle in bundles[:2])
    with pytest.raises(InputError, match=r"'' begins .*, .*, expected one version"):
        versions.find(store, "")
    assert versions.find(store, first[:15]).version == first
    assert versions.find(store, second).version == second


def test_pushing_again_sends_what_has_gone_missing(store: Store, bundles: list[Path]) -> None:
    version, _ = versions.push(bundles[0], store)
    store.delete([f"versions/{version}/movies.json"])
    (said,) = bundle_cache.verify(store, version)
    assert f"movies.json: missing; marquee releases push BUNDLE {store.url} --repair" in said
    assert versions.push(bundles[0], store) == (version, False)
    assert bundle_cache.verify(store, version) == []


def test_the_way_back_to_what_would_be_refused_needs_force(
    store: Store, bundles: list[Path], tmp_path: Path, capsys: Any
) -> None:
    first, second = released(store, *bundles[:2])
    damage(store, f"versions/{first}/movies.json", tmp_path)
    assert main(["rollback", store.url]) == 1
    said = capsys.readouterr().err
    assert f"{first} served before and would be refused" in said and "movies.json: damaged" in said
    assert versions.current(store).version == second  # type: ignore[union-attr]
    assert main(["rollback", store.url, "--force"]) == 0
    assert main(["promote", second, store.url]) == 1, "the current one cannot be asked"
    assert "the current version cannot be loaded" in capsys.readouterr().err
    assert main(["promote", second, store.url, "--force"]) == 0


def test_a_stray_file_in_the_cache_is_removed(
    store: Store, url: str, bundles: list[Path], tmp_path: Path
) -> None:
    released(store, bundles[0])
    folder = bundle_cache.pull(store, tmp_path)
    (folder / "sub").mkdir()
    (folder / "sub" / "x").write_text("x")
    (folder / ".nfs01").write_text("x")
    Recommender.load(bundle_cache.pull(store, tmp_path))
    (folder / "x").write_text("x")
    bundle_cache.set_good(tmp_path, folder)
    found = bundle_cache.get_good(tmp_path)
    assert found is not None
    Recommender.load(found)


def test_what_a_killed_writer_left_goes_with_its_version(
    bundles: list[Path], tmp_path: Path
) -> None:
    store = open_store(str(tmp_path / "store"))
    first, *_ = released(store, *bundles)
    (tmp_path / "store" / "versions" / first / ".movies.json.f00").write_text("half")
    assert first in versions.prune(store, keep=1)
    assert not (tmp_path / "store" / "versions" / first).exists()


def test_a_full_disk_of_temporary_files_is_said(
    store: Store, bundles: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    (version,) = released(store, bundles[0])

    def full(self: Any, key: str, path: Path, told: Any) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(type(store), "download", full)
    with pytest.raises(InputError, match=r"No space left.*TMPDIR"):
        bundle_cache.verify(store, version)


def test_a_folder_that_cannot_be_written_is_said_with_the_remedy(
    bundles: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(*given: Any) -> None:
        raise OSError(30, os.strerror(30))

    monkeypatch.setattr(os, "fsync", read_only)
    with pytest.raises(InputError, match=r"Read-only.*name another folder, or mount it for"):
        versions.push(bundles[0], open_store(str(tmp_path / "store")))


def test_following_the_pointer(url: str, store: Store, bundles: list[Path], tmp_path: Path) -> None:
    followed = ReleaseFollower(url, tmp_path / "cache")
    with pytest.raises(InputError, match="nothing has been promoted"):
        next(followed.candidates())
    first, second = released(store, *bundles[:2])
    folder = next(followed.candidates())
    assert folder.name == second
    followed.mark_active(folder)
    assert followed.fetch_newer() is None
    versions.rollback(store)
    back = followed.fetch_newer()
    assert back is not None and back.name == first
    followed.mark_active(back)
    assert followed.fetch_newer() is None


def test_without_the_store_the_last_one_that_answered_is_there(
    url: str, store: Store, bundles: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = released(store, *bundles[:2])
    followed = ReleaseFollower(url, tmp_path / "cache")
    followed.mark_active(next(followed.candidates()))
    damage(store, f"versions/{first}/golden.json", tmp_path)
    versions.rollback(store)
    with pytest.raises(InputError, match="damaged"):
        followed.fetch_newer()
    assert followed.fetch_newer() is None, "not fetched again at once"
    (folder,) = ReleaseFollower(url, tmp_path / "cache").candidates()
    assert folder.name == second
    if url.startswith("s3://"):
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        away = ReleaseFollower(url, tmp_path / "cache")
        assert [folder.name for folder in away.candidates()] == [second]
        assert away.unavailable
        with pytest.raises(InputError, match="no answer"):
            list(ReleaseFollower(url, tmp_path / "other").candidates())


def test_a_puller_that_is_killed_goes_on_next_time(
    url: str, store: Store, bundles: list[Path], tmp_path: Path
) -> None:
    (version,) = released(store, bundles[0])
    program = (
        "import sys, time; from marquee.releases import bundle_cache, open_store as s\n"
        "for kind in (s.FolderStore, s.S3Store):\n"
        "    def slow(self, key, path, progress, download=kind.download):\n"
        "        download(self, key, path, progress)\n"
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
    kept = (part / "arrays.safetensors").stat().st_ino
    folder = bundle_cache.pull(store, tmp_path / "cache")
    Recommender.load(folder)
    assert (folder / "arrays.safetensors").stat().st_ino == kept, "what had come whole is kept"


def test_two_pullers_of_one_cache_fetch_once(
    store: Store, bundles: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    released(store, bundles[0])
    download, fetched = type(store).download, []

    def counted(self: Any, key: str, path: Path, progress: Any) -> None:
        fetched.append(key)
        time.sleep(0.01)
        download(self, key, path, progress)

    monkeypatch.setattr(type(store), "download", counted)
    threads = [threading.Thread(target=bundle_cache.pull, args=[store, tmp_path]) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(fetched) == len(set(fetched)) == 4


def test_the_commands(url: str, bundles: list[Path], tmp_path: Path, capsys: Any) -> None:
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


def test_the_model_card_comes_from_the_manifest(store: Store, bundles: list[Path]) -> None:
    main(["push", str(bundles[0]), store.url])
    found = store.read(f"versions/{version_of(bundles[0])}/MODEL_CARD.md")
    assert found is not None
    said = found.content.decode()
    manifest = json.loads((bundles[0] / "bundle.json").read_text())
    assert f"# Model card: {manifest['name']}" in said
    assert manifest["model_version"] in said and "0.5 to 5.0 stars" in said


def test_the_model_card_shows_the_figures_of_its_own_training_alone(tmp_path: Path) -> None:
    one = {"mean": 0.2, "low": 0.19, "high": 0.21}
    content = {
        "recipe": "recipes/a.yaml",
        "commit": "c1",
        "data_sha256": "d1",
        "protocol": "next",
        "seeds": [0, 1],
        "num_users": 6040,
        "metrics": {"ndcg@10": one, "rmse/rater=harsh": one},
        "baselines": {"ease": {"ndcg@10": one | {"mean": 0.15}}},
    }
    for name, change in {"ours": {}, "older": {"commit": "c0"}, "other": {"recipe": "b"}}.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content | change))
    manifest = tiny_parts()["manifest"] | {"recipe": "recipes/a.yaml", "commit": "c1"}
    manifest |= {"model_version": "f" * 64, "data": manifest["data"] | {"sha256": "d1"}}
    found = list(results_of(manifest, tmp_path))
    assert found == [content]
    released = datetime(2026, 11, 23, tzinfo=UTC)
    said = model_card("tiny", found, manifest=manifest, released=released)
    assert "| ndcg@10 | 0.2000 [0.1900, 0.2100] | 0.1500 [0.1900, 0.2100] |" in said
    assert "Released on 2026-11-23" in said and "harsh" not in said
    assert list(results_of(manifest, tmp_path / "none")) == []
    (tmp_path / "list.json").write_text("[]")
    assert len(list(results_of(manifest, tmp_path))) == 1
    (tmp_path / "half.json").write_text("{")
    with pytest.raises(InputError, match=r"half\.json: not JSON .*--results"):
        list(results_of(manifest, tmp_path))


def test_a_bad_bundle_is_not_pushed(store: Store, bundles: list[Path], tmp_path: Path) -> None:
    bad = shutil.copytree(bundles[0], tmp_path / "bad")
    (bad / "encoder.onnx").write_bytes(b"no")
    with pytest.raises(InputError, match=r"encoder\.onnx"):
        versions.push(bad, store)
    assert store.listed("") == []


@pytest.mark.parametrize(
    ("url", "said"),
    [
        pytest.param("gs://b/p", "unknown kind of store", id="kind"),
        pytest.param("s3://b", "no bucket with a prefix", id="no-prefix"),
        pytest.param("s3://b/../p", "no bucket with a prefix", id="dots"),
        pytest.param(__file__, "is a file", id="file"),
        pytest.param("", "address: empty", id="empty"),
        pytest.param("s3:/b/p", "unknown kind of store", id="one-slash"),
    ],
)
def test_an_address_that_is_none(url: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        open_store(url)


def test_a_bundle_is_no_store(bundles: list[Path]) -> None:
    """With versions/ in it, it would be no bundle any more."""
    with pytest.raises(InputError, match="is a bundle, expected another folder"):
        open_store(str(bundles[0]))
