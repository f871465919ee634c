"""Recommend for every user of an event store, a range of users at a time.

    batch = BatchRecommender(BatchJob(bundle="bundles/ml-1m", events="sqlite:///events.sqlite"))
    batch.columns("1", "1042")      # ten rows per user, in the order of user_id

A list is the answer of `Recommender.recommend` for the stored history of that user.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from marquee.feedback.store import EventStore
from marquee.feedback.user_state import UserState
from marquee.recommender.errors import RequestError
from marquee.recommender.query import RecommendQuery
from marquee.recommender.recommender import Recommender
from marquee.recommender.rerank.controls import NO_CONTROLS, Controls

Table: TypeAlias = dict[str, list[Any]]
"""Columns by name, all of one length."""

COLUMNS = (
    ("user_id", "string"),
    ("place", "int32"),  # 1 is the best
    ("movie_id", "int64"),
    ("score", "float32"),
    ("expected", "float32"),  # stars; low to high is their central 90%
    ("low", "float32"),
    ("high", "float32"),
    ("p_like", "float32"),  # chance of 4 stars or more
    ("strategy", "string"),
    ("model_version", "string"),
)
"""Names and Arrow types of the columns, one row per user and place."""


@dataclass(frozen=True, kw_only=True)
class BatchJob:
    """The settings that every process needs."""

    bundle: str
    """Folder of the bundle."""
    events: str
    """URL of the event store."""
    k: int = 10
    controls: Controls = NO_CONTROLS


class BatchRecommender:
    """A bundle and a store, both read only, that recommend for ranges of users."""

    def __init__(self, job: BatchJob) -> None:
        """Load the bundle and open the store; raises InputError where one cannot be read."""
        self.job = job
        self.recommender = Recommender.load(job.bundle)
        self.store = EventStore(job.events, read_only=True)

    def columns(self, first: str, last: str) -> Table:
        """Return the lists of the store's users from `first` to `last`, in order.

        A user who has seen every movie has no row. Raises RequestError where a query is refused.
        """
        columns: Table = {name: [] for name, _ in COLUMNS}
        for row in self._rows(first, last):
            for name, values in columns.items():
                values.append(row[name])
        return columns

    def _rows(self, first: str, last: str) -> Iterator[dict[str, Any]]:
        user_ids, queries = [], []
        for user_id, state in self.store.user_states(first, last):
            user_ids.append(user_id)
            queries.append(self._query(state))
        responses = self.recommender.recommend_batch(queries)
        for user_id, response in zip(user_ids, responses, strict=True):
            if isinstance(response, RequestError):
                raise response
            for place, item in enumerate(response["items"], 1):
                yield {
                    "user_id": user_id,
                    "place": place,
                    "movie_id": item["movie_id"],
                    "score": item["score"],
                    **item["stars"],
                    "strategy": response["strategy"],
                    "model_version": response["model_version"],
                }

    def _query(self, state: UserState) -> RecommendQuery:
        controls = self.job.controls
        return RecommendQuery(
            history=[entry for _, entry in self.recommender.usable_entries(state.history)],
            not_interested=self.recommender.known_ids(state.not_interested),
            k=self.job.k,
            calibration=controls.calibration,
            novelty=controls.novelty,
            freshness=controls.freshness,
        )
