"""Memory that data takes: next to nothing more for each rating."""

import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from benchmarks.data import generated_ratings
from datamodules.config import DataConfig
from datamodules.loaders import SequenceWindows, rating_bins
from datamodules.splits import split_next
from marquee.core import memmap
from marquee.data.dataset import load_dataset
from marquee.data.history_order import build_histories
from marquee.data.movielens.presets import HALF_STARS
from tests.support.paths import ROOT


def peak_bytes(name: str, root: Path) -> int:
    """Most memory that numpy and Python take from columns to an epoch's batches; mapped files are
    not in it."""
    tracemalloc.start()
    dataset = load_dataset(name, root)
    split = split_next(build_histories(dataset), dataset.num_items)
    bins = rating_bins(split.train_histories.rating, HALF_STARS)
    config = DataConfig(name=name, targets_per_batch=2048)
    for _ in SequenceWindows(split, bins, config, epoch=lambda: 0):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_one_rating_more_takes_next_to_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One int64 column in memory would take 8 bytes a rating, a Python object 28 at least."""
    monkeypatch.setattr(generated_ratings, "NUM_MOVIES", 2000)
    monkeypatch.setattr(memmap, "CHUNK_ROWS", 1 << 14)
    few, many = 100_000, 500_000
    for number in (few, many):
        generated_ratings.write_generated(tmp_path / str(number), number)
    few_bytes, many_bytes = (peak_bytes(str(number), tmp_path) for number in (few, many))
    assert (many_bytes - few_bytes) / (many - few) < 5


def test_item_features_import_loads_no_text_libraries() -> None:
    check = "import datamodules.item_features, sys; print({'sklearn', 'nltk'} & set(sys.modules))"
    process = subprocess.run(
        [sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert process.stdout.strip() == "set()", process.stderr
