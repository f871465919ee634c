"""Many ratings: mapped arrays, work in chunks, and memory that does not grow with them."""

import errno
import os
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
from marquee.data.history_order import build_histories
from marquee.data.movielens.presets import HALF_STARS
from marquee.data.user_histories import UserHistories


def windows(split: Split, shuffled: bool = False) -> SequenceWindows:
    return SequenceWindows(
        split,
        rating_bins(split.train_histories.rating, HALF_STARS),
        DataConfig(name="mine", targets_per_batch=2048, shuffled=shuffled),
        epoch=lambda: 0,
    )


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
    assert len(generated.histories.item) == 5000
    assert generated.report == ()
    assert len(generated.movies) == 300
    assert build_histories(generated).length[:-1].min() >= 15
    generated_ratings.write_generated(tmp_path / "again", 5000)
    assert load_dataset("again", tmp_path).sha256 == generated.sha256


def test_loaded_columns_are_mapped(generated: Dataset) -> None:
    for column in generated.histories.columns.values():
        assert isinstance(column.base, np.memmap)


def chunked_results(dataset: Dataset) -> list[np.ndarray]:
    """Everything that is computed chunk by chunk."""
    histories, num_items = build_histories(dataset), dataset.num_items
    by_users = split_new_users(histories, num_items)
    by_movies = split_new_movies(histories, num_items)
    split = split_next(histories, num_items)
    tables: list[UserHistories] = [histories, split.train_histories, by_users.train_histories]
    queries = by_movies.test, random_holdout(histories, by_users.test)
    batches = [*windows(split), *windows(split, shuffled=True)]
    return [
        *(column for table in tables for column in (table.indptr, *table.columns.values())),
        *(batch[name].numpy() for batch in batches for name in ("item_BL", "star_BL")),
        *(column for q in queries for column in (q.start, q.item_N, q.rating_N, q.timestamp_N)),
        *(by_movies.subset_N, by_movies.test.context_end, histories.item_counts(num_items)),
    ]


@pytest.mark.parametrize("block", [3, 77, 1000])
def test_chunk_size_changes_no_result(
    generated: Dataset, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    assert len(generated.histories.item) < memmap.CHUNK_ROWS  # all of it is one block
    expected = chunked_results(generated)
    monkeypatch.setattr(memmap, "CHUNK_ROWS", block)
    for chunked, result in zip(chunked_results(generated), expected, strict=True):
        np.testing.assert_array_equal(chunked, result)
