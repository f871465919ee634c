"""Write the lists of a batch as parquet files.

    write_ranges(batch, batch.store.user_id_ranges(1024), folder)
    write_manifest(folder, batch)

Needs pyarrow, which the service does without.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from marquee.batch.batch_recommender import BatchJob, BatchRecommender
from marquee.core.files import write_json

MANIFEST = "_lists.json"
"""Counts and sources of the lists. Readers of parquet folders ignore names that begin with _."""


class TableBatches:
    """The form of the batch that Ray Data maps: task rows in, one table per task out."""

    def __init__(self, job: BatchJob) -> None:
        self._batch = BatchRecommender(job)

    def __call__(self, tasks: Mapping[str, Iterable[str]]) -> Iterator[pa.Table]:
        """Yield a table for each task. tasks: columns `first` and `last`, ids of users."""
        for first, last in zip(tasks["first"], tasks["last"], strict=True):
            yield make_table(self._batch, first, last)


def make_table(batch: BatchRecommender, first: str, last: str) -> pa.Table:
    """Return the lists of users `first` to `last` as an Arrow table."""
    return pa.Table.from_pylist(list(batch.rows(first, last)), schema=pa.schema(batch.columns))


def write_ranges(batch: BatchRecommender, ranges: Iterable[tuple[str, str]], folder: Path) -> None:
    """Write one parquet file per range of users, in this process."""
    for number, (first, last) in enumerate(ranges):
        pq.write_table(make_table(batch, first, last), folder / f"part-{number:06}.parquet")


def write_manifest(folder: Path, batch: BatchRecommender) -> dict[str, Any]:
    """Count the rows in the folder, and write them with the model and the store."""
    lists = ds.dataset(folder, format="parquet", schema=pa.schema(batch.columns))
    place = lists.to_table(["place"])["place"]
    manifest = {
        "model_version": batch.recommender.model_version,
        "bundle": batch.recommender.manifest["name"],
        "events": batch.store.address,
        "k": batch.job.query.k,
        "lists": pc.sum(pc.equal(place, 1)).as_py() or 0,
        "rows": len(place),
    }
    write_json(folder / MANIFEST, manifest)
    return manifest
