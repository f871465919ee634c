"""Many ratings: columns, mapped arrays, work in blocks, and memory that does not grow with them."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from benchmarks.data import generated_ratings
from datamodules.config import DataConfig
from datamodules.loaders import SequenceWindows, rating_bins
from datamodules.splits import Split, random_holdout, split_new_movies, split_new_users, split_next
from marquee.core import memmap
from marquee.core.errors import InputError
from marquee.data.dataset import Dataset, load_dataset
from marquee.data.layouts import COLUMN_FILES, HALF_STARS
from marquee.data.npy_columns import Block, write_columns
from marquee.data.user_histories import UserHistories, build_histories

MOVIES = "movieId,title,genres\n10,Heat (1995),Action\n20,Amélie,(no genres listed)\n"
ROWS = [(1, 20, 4.5, 900), (1, 10, 4.0, 800), (2, 20, 0.5, 700), (3, 10, 5.0, 600), (3, 20, 3.0, 7)]


def block_of(rows: list[tuple[int, int, float, int]]) -> Block:
    user, movie, stars, timestamp = (np.array(column) for column in zip(*rows, strict=True))
    return user, movie, stars, timestamp


def write_mine(root: Path, rows: list[tuple[int, int, float, int]] = ROWS) -> Path:
    write_columns(root / "mine", [block_of(rows[:2]), block_of(rows[2:])])
    (root / "mine" / "movies.csv").write_text(MOVIES)
    return root / "mine"


def windows(split: Split, shuffled: bool = False) -> SequenceWindows:
    return SequenceWindows(
        split,
        rating_bins(split.train_histories.rating, HALF_STARS),
        DataConfig(name="mine", targets_per_batch=2048, shuffled=shuffled),
        epoch=lambda: 0,
    )


def test_npy_columns_equal_the_text_data_set(tmp_path: Path) -> None:
    folder = tmp_path / "ml-latest-small"
    folder.mkdir()
    lines = [f"{u},{m},{s},{t}" for u, m, s, t in ROWS]
    (folder / "ratings.csv").write_text("\n".join(["userId,movieId,rating,timestamp", *lines, ""]))
    (folder / "movies.csv").write_text(MOVIES)
    write_mine(tmp_path)
    text, columns = load_dataset("ml-latest-small", tmp_path), load_dataset("mine", tmp_path)
    assert columns.movies.title == text.movies.title == ["Heat", "Amélie"]
    assert columns.scale == text.scale
    for mapped, parsed in zip(columns.interactions.columns, text.interactions.columns, strict=True):
        assert isinstance(mapped.base, np.memmap)
        assert mapped.tolist() == parsed.tolist()
    for mapped, parsed in zip(
        build_histories(columns).columns, build_histories(text).columns, strict=True
    ):
        assert mapped.dtype == parsed.dtype
        assert mapped.tolist() == parsed.tolist()


def test_npy_columns_last_duplicate_counts(tmp_path: Path) -> None:
    write_mine(tmp_path, [*ROWS[:2], (1, 20, 1.0, 5), *ROWS[2:]])
    dataset = load_dataset("mine", tmp_path)
    assert dataset.interactions.movie_id.tolist() == [10, 20, 20, 10, 20]
    assert dataset.interactions.rating.tolist() == [4.0, 1.0, 0.5, 5.0, 3.0]
    assert dataset.report[0].startswith("columns: 1 ratings dropped")


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        pytest.param((4, 10, np.nan, 9), "row 6: 'nan' stars, expected 0.5 to 5", id="nan"),
        pytest.param((4, 10, 3.7, 9), "row 6: '3.7", id="between-steps"),
        pytest.param((4, 0, 3.5, 9), "row 6: movie id '0'", id="movie-0"),
        pytest.param((4, 10, 3.5, -9), "row 6: timestamp '-9'", id="time-negative"),
        pytest.param(
            (2, 10, 3.5, 9), "row 6: user 2 after user 3, expected ascending users", id="users-fall"
        ),
    ],
)
def test_npy_columns_bad_row_is_named(
    tmp_path: Path, row: tuple[int, int, float, int], sentence: str
) -> None:
    write_mine(tmp_path, [*ROWS, row])
    with pytest.raises(InputError) as error:
        load_dataset("mine", tmp_path)
    assert sentence in str(error.value)


def test_npy_columns_incomplete_are_refused(tmp_path: Path) -> None:
    folder = write_mine(tmp_path)
    stars, users = folder / "columns" / "stars.npy", folder / "columns" / "user_id.npy"
    complete = stars.read_bytes()
    for content, sentence in (
        (complete[:-1], "expected a complete .npy file"),
        (b"", "expected a complete .npy file"),
        (users.read_bytes(), "int32 of shape .5,., expected float32"),
    ):
        stars.write_bytes(content)
        with pytest.raises(InputError, match=sentence):
            load_dataset("mine", tmp_path)
    np.save(stars, np.ones(4, np.float32))
    with pytest.raises(InputError, match=r"differ in length \(user_id.npy 5, .* stars.npy 4"):
        load_dataset("mine", tmp_path)
    stars.unlink()
    with pytest.raises(
        InputError, match=r"mine: columns/stars.npy missing, expected in the folder; put it there"
    ):
        load_dataset("mine", tmp_path)


def test_npy_columns_fingerprint_follows_every_column(tmp_path: Path) -> None:
    folder = write_mine(tmp_path)
    fingerprints = {load_dataset("mine", tmp_path).sha256}
    for name in COLUMN_FILES:
        column = np.load(folder / name)
        column[-1] += 1
        np.save(folder / name, column)
        fingerprints.add(load_dataset("mine", tmp_path).sha256)
    assert len(fingerprints) == 1 + len(COLUMN_FILES)


def test_write_columns_is_atomic(tmp_path: Path) -> None:
    def broken() -> Iterator[Block]:
        yield block_of(ROWS)
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(InputError, match=r"cannot be written .No space left"):
        write_columns(tmp_path / "mine", broken())
    assert list((tmp_path / "mine").iterdir()) == []
    write_mine(tmp_path)
    with pytest.raises(InputError, match="exists already"):
        write_mine(tmp_path)


def test_memmap_zeros_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    column = memmap.zeros(1000, np.int32)
    column[7] = 7
    assert column.sum() == 7
    assert list(tmp_path.iterdir()) == []
    assert len(memmap.zeros(0, np.int32)) == 0


def test_memmap_chunks_release_resident_pages() -> None:
    column, process = memmap.zeros(16_000_000, np.int32), psutil.Process()
    column[:] = 1
    resident = process.memory_info().shared
    for rows in memmap.iter_chunks(len(column)):
        column[rows] += 1
    assert resident - process.memory_info().shared > 0.9 * column.nbytes
    assert (column == 2).all()


def test_memmap_zeros_full_disk_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: int, start: int, size: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(InputError, match=r"no space for 8 MB of temporary files .* point TMPDIR"):
        memmap.zeros(1_000_000, np.int64)


@pytest.fixture
def generated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    monkeypatch.setattr(generated_ratings, "NUM_MOVIES", 300)
    monkeypatch.setattr(generated_ratings, "BLOCK_USERS", 40)
    generated_ratings.write_generated(tmp_path / "generated", 5000)
    return load_dataset("generated", tmp_path)


def test_generated_data_has_the_requested_size(generated: Dataset, tmp_path: Path) -> None:
    assert len(generated.interactions) == 5000
    assert generated.report == ()
    assert len(generated.movies) == 300
    assert build_histories(generated).length[:-1].min() >= 15
    generated_ratings.write_generated(tmp_path / "again", 5000)
    assert load_dataset("again", tmp_path).sha256 == generated.sha256


def chunked_results(dataset: Dataset) -> list[np.ndarray]:
    """Everything that is computed chunk by chunk."""
    histories, num_items = build_histories(dataset), len(dataset.movies)
    by_users = split_new_users(histories, num_items)
    by_movies = split_new_movies(histories, num_items)
    split = split_next(histories, num_items)
    tables: list[UserHistories] = [histories, split.train_histories, by_users.train_histories]
    queries = by_movies.test, random_holdout(histories, by_users.test)
    batches = [*windows(split), *windows(split, shuffled=True)]
    return [
        *(column for table in tables for column in (table.indptr, *table.columns)),
        *(batch[name].numpy() for batch in batches for name in ("item_BL", "star_BL")),
        *(column for q in queries for column in (q.start, q.item_N, q.rating_N, q.timestamp_N)),
        *(by_movies.subset_N, by_movies.test.context_end, histories.item_counts(num_items)),
    ]


@pytest.mark.parametrize("block", [3, 77, 1000])
def test_chunk_size_changes_no_result(
    generated: Dataset, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    assert len(generated.interactions) < memmap.CHUNK_ROWS  # all of it is one block
    expected = chunked_results(generated)
    monkeypatch.setattr(memmap, "CHUNK_ROWS", block)
    for chunked, result in zip(chunked_results(generated), expected, strict=True):
        np.testing.assert_array_equal(chunked, result)
