"""Recommend for every user of an event store, a range of users at a time.

    batch = BatchRecommender(BatchJob(bundle="bundles/ml-1m", events="sqlite:///events.sqlite",
                                      query=RecommendQuery(k=10)))
    rows = list(batch.rows("1", "1042"))      # ten per user, in the order of user_id

A list is the answer of `Recommender.recommend` for the stored history of that user, with the
catalog and the rules of the store as they are when the job starts. A user who has chosen lists
without history gets those of nobody.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from marquee.catalog.catalog_store import CatalogStore
from marquee.catalog.records import ChangeCursor
from marquee.core.command import say
from marquee.core.ids import id_type
from marquee.feedback.store import EventStore
from marquee.recommender.catalog.catalog_pages import apply_pages
from marquee.recommender.errors import RequestError
from marquee.recommender.foreign_ids import known_ids, stored_history
from marquee.recommender.query import RecommendQuery
from marquee.recommender.recommender import Recommender

STAR_COLUMNS = (
    ("expected", "float32"),  # stars; low to high is their central 90%
    ("low", "float32"),
    ("high", "float32"),
    ("p_like", "float32"),  # chance of 4 stars of 5 or more, of 8 of 10, …
)


@dataclass(frozen=True, kw_only=True)
class BatchJob:
    """The settings that every process needs."""

    bundle: str
    """Folder of the bundle."""
    events: str
    """URL of the event store."""
    query: RecommendQuery
    """The query of every user, without history."""


def with_catalog(recommender: Recommender, store: EventStore) -> Recommender:
    """Return the recommender with the catalog and the rules of a store."""
    for page in CatalogStore(store.database).changes_since(ChangeCursor()):
        recommender = apply_pages(recommender, [page], say)
    return recommender


class BatchRecommender:
    """A bundle and a store, both read only, that recommend for ranges of users."""

    def __init__(self, job: BatchJob) -> None:
        """Load the bundle and open the store; raises InputError where one cannot be read."""
        self.job = job
        recommender = Recommender.load(job.bundle)
        self.store = EventStore(job.events, read_only=True)
        self.recommender = with_catalog(recommender, self.store)

    @property
    def columns(self) -> tuple[tuple[str, str], ...]:
        """Return names and Arrow types of the columns, one row per user and place."""
        is_text = id_type(self.recommender.movie_ids) == "text"
        return (
            ("user_id", "string"),
            ("place", "int32"),  # 1 is the best
            ("movie_id", "string" if is_text else "int64"),
            ("score", "float32"),
            *(STAR_COLUMNS if self.recommender.has_ratings else ()),
            ("strategy", "string"),
            ("model_version", "string"),
        )

    def rows(self, first: str, last: str) -> Iterator[dict[str, Any]]:
        """Yield the rows of the store's users from `first` to `last`, in order.

        A user who has seen every movie has no row. Raises RequestError where a query is refused.
        """
        catalog, states = self.recommender.catalog, dict(self.store.user_states(first, last))
        queries = [
            replace(
                self.job.query,
                history=stored_history(catalog, state.history),
                not_interested=known_ids(catalog, state.not_interested, {}),
            )
            for state in (state.for_lists() for state in states.values())
        ]
        responses = self.recommender.recommend_batch(queries)
        for user_id, response in zip(states, responses, strict=True):
            if isinstance(response, RequestError):
                raise response
            for place, item in enumerate(response["items"], 1):
                yield {
                    "user_id": user_id,
                    "place": place,
                    "movie_id": item["movie_id"],
                    "score": item["score"],
                    **item.get("stars", {}),
                    "strategy": response["strategy"],
                    "model_version": response["model_version"],
                }
