"""Everybody's lists as tables: one process's work, and a folder that is whole or absent.

    lists = Lists(Job("bundles/ml-1m", "sqlite:///events.sqlite"))
    lists.table("1", "1042")      # ten rows a person, by user_id (SCHEMA below)

Needs pyarrow, which the service does without: marquee/batch/ray_job.py imports this file on demand.
"""

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from marquee.core.errors import InputError
from marquee.feedback.store import EventStore
from marquee.feedback.user_state import Known
from marquee.recommender.errors import RequestError
from marquee.recommender.pipeline import NO_CONTROLS, Answer
from marquee.recommender.query import Question
from marquee.recommender.recommender import Recommender
from marquee.recommender.rerank import Controls

SCHEMA = pa.schema(
    [
        ("user_id", pa.string()),
        ("place", pa.int32()),  # 1 is the best
        ("movie_id", pa.int64()),
        ("score", pa.float32()),
        ("expected", pa.float32()),  # stars; low to high is their central 90%
        ("low", pa.float32()),
        ("high", pa.float32()),
        ("p_like", pa.float32()),  # chance of 4 stars or more
        ("strategy", pa.string()),
        ("model_version", pa.string()),
    ]
)
STARS = ("expected", "low", "high", "p_like")
CARD = "_lists.json"
"""What the lists were made of; readers of parquet folders pass over names that begin with _."""


@dataclass(frozen=True)
class Job:
    """What every process is told."""

    bundle: str
    events: str
    k: int = 10
    controls: Controls = NO_CONTROLS


class Lists:
    """A bundle and a store, read only, ready to answer blocks of persons."""

    def __init__(self, job: Job) -> None:
        self.recommender = Recommender.load(job.bundle)
        self.store = EventStore(job.events, read_only=True)
        self._job = job

    def table(self, first: str, last: str) -> pa.Table:
        """The lists of every person of the store from `first` to `last`, in that order."""
        persons, questions = [], []
        for user_id, known in self.store.histories(first, last):
            persons.append(user_id)
            questions.append(self._question(known))
        return _table(zip(persons, self.recommender.recommend_each(questions), strict=True))

    def _question(self, known: Known) -> Question:
        job, recommender = self._job, self.recommender
        return Question(
            history=[entry for _, entry in recommender.readable(known.entries)],
            not_interested=recommender.held(known.not_interested),
            k=job.k,
            **{field.name: getattr(job.controls, field.name) for field in fields(Controls)},
        )

    def write(self, ranges: Iterable[tuple[str, str]], folder: Path) -> None:
        """A file for each range of persons."""
        for n, (first, last) in enumerate(ranges):
            pq.write_table(self.table(first, last), folder / f"part-{n:06}.parquet")

    def __call__(self, ranges: Mapping[str, Iterable[str]]) -> Iterator[pa.Table]:
        """As Ray Data asks: a batch of columns `first` and `last` -> a table for each."""
        for first, last in zip(ranges["first"], ranges["last"], strict=True):
            yield self.table(first, last)


def _table(lists: Iterable[tuple[str, Answer | RequestError]]) -> pa.Table:
    columns: dict[str, list[Any]] = {name: [] for name in SCHEMA.names}
    for user_id, answer in lists:
        if isinstance(answer, RequestError):
            raise answer
        for place, item in enumerate(answer["items"], 1):
            columns["user_id"].append(user_id)
            columns["place"].append(place)
            for name in ("movie_id", "score"):
                columns[name].append(item[name])
            for name in STARS:
                columns[name].append(item["stars"][name])
            for name in ("strategy", "model_version"):
                columns[name].append(answer[name])
    return pa.table(columns, schema=SCHEMA)


@contextmanager
def whole(out: Path) -> Iterator[Path]:
    """A new folder that takes the place of `out` when all went well, and else disappears.

    Raises InputError where `out` holds something, cannot be written, or the disk is full.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: holds something already; name a folder that is new or empty")
    new = out.parent / f".{out.name}.{uuid4().hex}.new"
    try:
        new.mkdir(parents=True)
        yield new
        new.rename(out)
    except OSError as error:
        raise InputError(
            f"{out}: the lists cannot be written ({error.strerror or error})"
        ) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def sign(folder: Path, lists: Lists, job: Job) -> dict[str, Any]:
    """Count what lies in the folder and write its card."""
    place = ds.dataset(folder, format="parquet", schema=SCHEMA).to_table(columns=["place"])["place"]
    card = {
        "model_version": lists.recommender.model_version,
        "bundle": lists.recommender.manifest["name"],
        "events": lists.store.address,
        "k": job.k,
        "lists": pc.sum(pc.equal(place, 1)).as_py() or 0,
        "rows": len(place),
    }
    (folder / CARD).write_text(json.dumps(card, indent=1) + "\n")
    return card
