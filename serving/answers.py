"""From a checked request to an answer: joins the stored history, the recommender and the search.

The service's endpoints are one line each on top of this; nothing here knows HTTP.
"""

from datetime import UTC, datetime
from typing import Any

from serving.errors import RequestError
from serving.events import EventStore
from serving.history import Entry
from serving.recommender import Answer, Recommender
from serving.schemas import (
    Filters,
    PredictRequest,
    RecommendRequest,
    SimilarRequest,
    UserId,
    Watched,
)
from serving.search import TitleSearch


class Answers:
    """One bundle and one event store, ready for requests."""

    def __init__(self, recommender: Recommender, store: EventStore) -> None:
        self.recommender = recommender
        self._store = store
        self._search = TitleSearch(recommender.movies, recommender.num_ratings)

    def recommend(self, request: RecommendRequest) -> Answer:
        return self.recommender.recommend(
            history=self._history(request.user_id, request.history),
            k=request.k,
            offset=request.offset,
            exclude_seen=request.exclude_seen,
            filters=_plain(request.filters),
            include_ids=request.include_ids,
            exclude_ids=request.exclude_ids,
            calibration=request.calibration,
            novelty=request.novelty,
            freshness=request.freshness,
            genre_profile=request.genre_profile,
        )

    def predict(self, request: PredictRequest) -> Answer:
        history = self._history(request.user_id, request.history)
        return self.recommender.predict(history=history, movie_ids=request.movie_ids)

    def similar(self, request: SimilarRequest) -> Answer:
        if (request.movie_id is None) == (request.movie_ids is None):
            raise RequestError("give movie_id or movie_ids, one of the two", field="movie_id")
        movie_ids = request.movie_ids or [request.movie_id or 0]
        return self.recommender.similar(movie_ids, request.k, _plain(request.filters))

    def search(self, query: str, k: int) -> Answer:
        """Movies whose title is like the query, best first."""
        rows = self._search.find(query, k)
        ids = self.recommender.movie_ids[rows].tolist()
        items = [self.recommender.item(movie_id) for movie_id in ids]
        return {"items": items, "model_version": self.recommender.model_version}

    def movie(self, movie_id: int) -> Answer:
        return self.recommender.item(movie_id)

    def person(self, user_id: str) -> Answer:
        """A stored history, oldest first; a movie that the bundle does not hold is its id only."""
        stored = self._store.history(user_id)
        if not stored:
            raise RequestError(f"user {user_id} has no stored history", code="unknown_user")
        items = []
        for movie_id, stars, at_s in stored:
            film = self.recommender.item(movie_id) if self.recommender.knows(movie_id) else {}
            items.append({"movie_id": movie_id} | film | {"stars": stars, "at": _rfc3339(at_s)})
        return {"user_id": user_id, "items": items}

    def model(self) -> Answer:
        """The model card: the bundle's manifest without its list of files."""
        manifest = self.recommender.manifest
        return {key: value for key, value in manifest.items() if key != "files"}

    def _history(self, user_id: UserId | None, given: list[Watched] | None) -> list[Entry]:
        """The stored history, then the request's; by time where every entry has one."""
        stored = [] if user_id is None else self._store.history(user_id)
        entries: list[tuple[float | None, Entry]] = [*self.recommender.readable(stored)]
        for film in given or []:
            at_s = None if film.at is None else film.at.timestamp()
            entries.append((at_s, (film.movie_id, film.stars, film.portion)))
        if all(at_s is not None for at_s, _ in entries):
            entries.sort(key=lambda entry: entry[0] or 0.0)
        return [entry for _, entry in entries]


def _plain(filters: Filters | None) -> dict[str, Any] | None:
    return None if filters is None else filters.model_dump(exclude_none=True)


def _rfc3339(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat().replace("+00:00", "Z")
