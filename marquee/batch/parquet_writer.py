"""Write the lists of a batch as parquet files, into a folder that appears complete or not at all.

    with atomic_dir(Path("lists")) as folder:
        write_ranges(batch, batch.store.user_id_ranges(1024), folder)
        write_manifest(folder, batch)

pyarrow, which the service does without, is imported by the functions that need it.
"""

import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from marquee.batch.batch_recommender import COLUMNS, BatchJob, BatchRecommender
from marquee.core.errors import InputError
from marquee.core.files import write_json

if TYPE_CHECKING:
    import pyarrow as pa

INSTALL = "install it with: pip install -e '.[ray]'"
MANIFEST = "_lists.json"
"""Counts and sources of the lists. Readers of parquet folders ignore names that begin with _."""


def check_pyarrow() -> None:
    """Raise InputError where pyarrow is not installed."""
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"pyarrow: cannot be imported ({error}), expected the extra `ray`; {INSTALL}"
        ) from error


class TableBatches:
    """The form of the batch that Ray Data maps: task rows in, one table per task out."""

    def __init__(self, job: BatchJob) -> None:
        self._batch = BatchRecommender(job)

    def __call__(self, tasks: Mapping[str, Iterable[str]]) -> "Iterator[pa.Table]":
        """Yield a table for each task. tasks: columns `first` and `last`, ids of users."""
        for first, last in zip(tasks["first"], tasks["last"], strict=True):
            yield make_table(self._batch, first, last)


def make_table(batch: BatchRecommender, first: str, last: str) -> "pa.Table":
    """Return the lists of users `first` to `last` as an Arrow table of COLUMNS."""
    import pyarrow as pa

    return pa.table(batch.columns(first, last), schema=pa.schema(COLUMNS))


def write_ranges(batch: BatchRecommender, ranges: Iterable[tuple[str, str]], folder: Path) -> None:
    """Write one parquet file per range of users, in this process."""
    import pyarrow.parquet as pq

    for number, (first, last) in enumerate(ranges):
        pq.write_table(make_table(batch, first, last), folder / f"part-{number:06}.parquet")


@contextmanager
def atomic_dir(out: Path) -> Iterator[Path]:
    """Yield a new folder that takes the place of `out` at the end.

    An error removes it.

    Raises InputError where `out` is not empty or cannot be written, or the disk is full.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: not empty, expected a new or empty folder; name another --out")
    new = out.parent / f".{out.name}.{uuid4().hex}.new"
    try:
        new.mkdir(parents=True)
        yield new
        new.rename(out)
    except OSError as error:
        raise InputError(
            f"{out}: the lists cannot be written ({error.strerror or error}), expected a folder "
            "that can be written and space for it; name another --out"
        ) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def write_manifest(folder: Path, batch: BatchRecommender) -> dict[str, Any]:
    """Count the rows in the folder, and write them with the model and the store."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.dataset as ds

    files = ds.dataset(folder, format="parquet", schema=pa.schema(COLUMNS))
    place = files.to_table(columns=["place"])["place"]
    manifest = {
        "model_version": batch.recommender.model_version,
        "bundle": batch.recommender.manifest["name"],
        "events": batch.store.address,
        "k": batch.job.k,
        "lists": pc.sum(pc.equal(place, 1)).as_py() or 0,
        "rows": len(place),
    }
    write_json(folder / MANIFEST, manifest)
    return manifest
