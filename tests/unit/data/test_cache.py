"""The cache of prepared data sets: found, verified, renewed, cleaned, safe under two processes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from marquee.core.errors import InputError
from marquee.data.dataset import cached_folder, load_dataset
from marquee.data.engine import cache
from marquee.data.spec import DatasetSpec
from marquee.data.spec_file import write_spec
from tests.support.paths import ROOT

MOVIES = "movieId,title,genres\n10,Heat (1995),Action\n20,Amélie,(no genres listed)\n"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("DATA_CACHE", str(tmp_path / "cache"))
    yield tmp_path / "data"


def add_mine(root: Path, text: str = "u,i\n1,10\n") -> Path:
    """Write data set "mine": one file beside the data root, and dataset.yaml."""
    (root / "mine").mkdir(parents=True, exist_ok=True)
    path = root.parent / "plays.csv"
    path.write_text(text)
    spec = DatasetSpec(interactions=(str(path),), user="u", item="i")
    write_spec(spec, root / "mine" / "dataset.yaml")
    return path


def write_movielens(root: Path, ratings: str) -> Path:
    folder = root / "ml-latest-small"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ratings.csv").write_text("userId,movieId,rating,timestamp\n" + ratings)
    (folder / "movies.csv").write_text(MOVIES)
    return folder


def folders(name: str) -> list[Path]:
    return cache.folders_of(name)


def test_cache_second_load_reads_no_source(root: Path) -> None:
    path = add_mine(root)
    first = cached_folder("mine", root)
    os.utime(path, ns=(1, 1))  # another time, the same bytes
    assert cached_folder("mine", root) == first
    path.unlink()
    assert cached_folder("mine", root) == first
    assert load_dataset("mine", root).histories.user_id.tolist() == [1]


def test_cache_changed_source_is_refused_with_the_remedy(root: Path) -> None:
    path = add_mine(root)
    cached_folder("mine", root)
    path.write_text("u,i\n1,11\n")
    with pytest.raises(InputError) as error:
        load_dataset("mine", root)
    assert f"{path} has changed" in str(error.value)
    assert "marquee data add mine --from" in str(error.value)
    assert str(error.value).endswith("--replace`")


@pytest.mark.parametrize("pattern", ["", "/*.csv"], ids=["folder", "glob"])
def test_cache_new_part_file_is_refused_with_the_remedy(root: Path, pattern: str) -> None:
    parts = root.parent / "parts"
    parts.mkdir(parents=True)
    (parts / "1.csv").write_text("u,i\n1,10\n")
    (root / "mine").mkdir(parents=True)
    spec = DatasetSpec(interactions=(f"{parts}{pattern}",), user="u", item="i")
    write_spec(spec, root / "mine" / "dataset.yaml")
    cached_folder("mine", root)
    assert cached_folder("mine", root).is_dir()  # nothing has changed
    (parts / "_SUCCESS").touch()
    (parts / "2.csv").write_text("u,i\n2,10\n")
    with pytest.raises(InputError, match=r"2\.csv is new since it was added") as error:
        load_dataset("mine", root)
    assert str(error.value).endswith("--replace`")


def test_cache_edited_spec_prepares_again_and_cleans(root: Path) -> None:
    path = add_mine(root, "u,i,r\n1,10,4\n1,11,5\n")
    assert load_dataset("mine", root).scale == ()
    spec = DatasetSpec(interactions=(str(path),), user="u", item="i", rating="r")
    write_spec(spec, root / "mine" / "dataset.yaml")
    assert load_dataset("mine", root).scale == (4, 5)
    assert len(folders("mine")) == 1


def test_cache_movielens_follows_its_files(root: Path) -> None:
    write_movielens(root, "1,10,4.0,800\n")
    first = load_dataset("ml-latest-small", root)
    write_movielens(root, "1,10,4.0,800\n2,20,3.5,900\n")
    second = load_dataset("ml-latest-small", root)
    assert len(second.histories) == 2
    assert first.sha256 != second.sha256
    assert len(folders("ml-latest-small")) == 1
    assert first.histories.item.tolist() == [0]  # an open data set outlives its folder


@pytest.mark.parametrize("file", ["item.npy", "items.json", "manifest.json"])
def test_cache_damaged_folder_is_prepared_again(root: Path, file: str) -> None:
    add_mine(root)
    folder = cached_folder("mine", root)
    (folder / file).write_bytes((folder / file).read_bytes()[:-1])
    assert load_dataset("mine", root).histories.item.tolist() == [0]


def test_cache_keeps_other_names_and_roots(root: Path) -> None:
    add_mine(root)
    write_movielens(root, "1,10,4.0,800\n")
    write_movielens(root / "other", "1,20,4.0,800\n")
    for name, place in (("mine", root), ("ml-latest-small", root)):
        load_dataset(name, place)
    load_dataset("ml-latest-small", root / "other")
    assert len(folders("ml-latest-small")) == 2
    assert len(folders("mine")) == 1


def test_cache_failed_preparation_leaves_nothing(root: Path) -> None:
    add_mine(root, "u,i\n1,\n")
    with pytest.raises(InputError):
        load_dataset("mine", root)
    assert [path.name for path in cache.cache_root().iterdir()] == [".mine.lock"]


def test_cache_two_processes_prepare_once(root: Path) -> None:
    add_mine(root)
    program = (
        "import sys; from marquee.data.dataset import cached_folder;"
        "print(cached_folder('mine', sys.argv[1]))"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(root)], cwd=ROOT, text=True, stdout=subprocess.PIPE
        )
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert outputs[0] == outputs[1] != ""
    assert [str(path) for path in folders("mine")] == [outputs[0].strip()]


def test_cache_that_is_a_file_is_refused(root: Path) -> None:
    add_mine(root)
    cache.cache_root().parent.mkdir(parents=True, exist_ok=True)
    cache.cache_root().write_text("a file, not a folder")
    with pytest.raises(InputError, match="DATA_CACHE"):
        load_dataset("mine", root)
