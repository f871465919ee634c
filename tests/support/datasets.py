"""Data sets of a few hand-written rows: a file of interactions, and how it is read."""

from pathlib import Path
from typing import Any

from marquee.data.dataset import Dataset, read_tables
from marquee.data.prepare import Prepared, prepare
from marquee.data.spec import DatasetSpec


def prepare_text(folder: Path, text: str, /, **options: Any) -> Prepared:
    """Prepare data set "mine" from the text of a csv file; columns u, i, t and r by default."""
    path = folder / "plays.csv"
    path.write_bytes(text.encode())
    return prepare_files(folder, interactions=(str(path),), **options)


def prepare_files(folder: Path, **options: Any) -> Prepared:
    spec = DatasetSpec(**({"user": "u", "item": "i"} | options))
    return prepare("mine", spec, origin=folder)


def load_text(folder: Path, text: str, /, **options: Any) -> Dataset:
    return read_tables("mine", prepare_text(folder, text, **options).folder)


def rows_of(dataset: Dataset) -> list[tuple[Any, ...]]:
    """Return user, item, rating and time of each interaction, as ids."""
    histories = dataset.histories
    return [
        (
            histories.user_id[user],
            dataset.movies.movie_id[item],
            None if rating != rating else float(rating),
            int(timestamp),
        )
        for user, item, rating, timestamp in zip(
            histories.user, histories.item, histories.rating, histories.timestamp, strict=True
        )
    ]
