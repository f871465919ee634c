"""`marquee data add` from files to `load_dataset`: what went in comes out, or nothing is left."""

import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from marquee.cli import main
from marquee.data.dataset import load_dataset
from tests.support.full_disk import small_disk


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder that holds data root and cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA_ROOT", "data")
    monkeypatch.setenv("DATA_CACHE", str(tmp_path / "cache"))
    return tmp_path


def test_add_leading_zeros_come_out_as_they_went_in() -> None:
    Path("ratings.dat").write_text(
        "1::0114508::0::1365029107\n1::1853728::8::1366576639\n2::0114508::10::1364690142\n"
    )
    Path("movies.dat").write_text("0114508::Species (1995)::Horror|Sci-Fi\n9999999::Unseen::\n")
    args = ["--interactions", "ratings.dat", "--header", "user,movie,rating,time", "--user", "user",
            "--item", "movie", "--rating", "rating", "--time", "time", "--items", "movies.dat",
            "--items-header", "movie,title,genres", "--title", "title",
            "--genres", "genres:|"]  # fmt: skip
    assert main(["data", "add", "tweets", *args]) == 0
    dataset = load_dataset("tweets")
    assert dataset.movies.movie_id.tolist() == ["0114508", "1853728", "9999999"]
    assert dataset.num_items == 2
    assert dataset.scale[0] == 0
    assert dataset.movies.genres[0] == ("Horror", "Sci-Fi")


def test_add_uuids_with_watch_seconds_and_features() -> None:
    users, items = [[str(uuid.UUID(int=n)) for n in range(start, start + 9)] for start in (1, 99)]
    plays = {
        "account": [user for user in users for _ in items],
        "asset": items * len(users),
        "at": pa.array([1_700_000_000_000 + 1000 * n for n in range(81)], pa.timestamp("ms")),
        "seconds": [600.0] * 81,
        "length": [1200.0] * 81,
    }
    pq.write_table(pa.table(plays), "plays.parquet")
    Path("titles.csv").write_text(
        "asset,country\n"
        + "".join(f"{item},{'DE' if n % 2 else 'FR'}\n" for n, item in enumerate(items))
    )
    args = ["--interactions", "plays.parquet", "--user", "account", "--item", "asset", "--time",
            "at", "--watched-seconds", "seconds", "--duration", "length", "--items", "titles.csv",
            "--feature", "country=country:category"]  # fmt: skip
    assert main(["data", "add", "mine", *args]) == 0
    dataset = load_dataset("mine")
    assert dataset.histories.user_id.tolist() == users
    assert dataset.movies.movie_id.tolist() == items
    assert dataset.histories.watched is not None
    assert np.all(dataset.histories.watched == 0.5)
    assert [feature.name for feature in dataset.item_features] == ["country"]
    assert not dataset.has_ratings


def test_add_on_a_full_disk_leaves_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pq.write_table(pa.table({"user": range(90_000), "item": range(90_000)}), "plays.parquet")
    args = ["--interactions", "plays.parquet", "--user", "user", "--item", "item"]
    with small_disk(folder / "cache") as disk, disk.full(65_536):
        assert main(["data", "add", "mine", *args]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not Path("data").exists()


def test_add_stopped_by_a_signal_leaves_nothing() -> None:
    rows = 6_000_000
    numbers = np.arange(rows)
    table = pa.table({"user": numbers // 50, "item": numbers % 5003})
    pq.write_table(table, "plays.parquet")
    command = [sys.executable, "-m", "marquee.cli", "data", "add", "mine", "--interactions",
               "plays.parquet", "--user", "user", "--item", "item"]  # fmt: skip
    root = Path(__file__).parents[2]
    process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(root)})
    while not list(Path("cache").glob(".mine~*")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 128 + signal.SIGTERM
    assert not Path("data").exists()
    assert [path.name for path in Path("cache").iterdir()] == [".mine.lock"]
