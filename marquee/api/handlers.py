"""Handlers: from a validated request to a response, with the stored state of the user.

Each endpoint of the service is one line on top of a handler; nothing here knows HTTP. Everything
runs on one event loop: work below two milliseconds in line, databases and longer work in threads.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast
from zlib import crc32

from marquee.api import metrics
from marquee.api.event_validation import validate_events
from marquee.api.queries import build_query, cache_key, is_slow, merge_history, to_dict
from marquee.api.requests import (
    BatchRequest,
    ChartsRequest,
    EventsRequest,
    PredictRequest,
    RateNextRequest,
    RecommendRequest,
    SimilarRequest,
    UserId,
)
from marquee.api.responses import (
    Availability,
    DeleteResponse,
    EventsReceipt,
    HistoryItem,
    HistoryResponse,
    ReadyResponse,
    SearchResponse,
)
from marquee.api.store_executor import StoreExecutor
from marquee.api.user_cache import CachedUser, UserCache
from marquee.core.times import rfc3339
from marquee.feedback.errors import StoreUnavailable
from marquee.feedback.store import EventStore
from marquee.feedback.user_state import UserState
from marquee.recommender.errors import RequestError
from marquee.recommender.recommender import Recommender
from marquee.recommender.responses import (
    ChartsResponse,
    Movie,
    PredictResponse,
    RateNextResponse,
    RecommendResponse,
    SimilarResponse,
)
from marquee.recommender.search.title_search import TitleSearch


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A bundle, ready to answer."""

    recommender: Recommender
    search: TitleSearch

    @classmethod
    def load(cls, bundle: str) -> "LoadedModel":
        """Load a bundle's folder. Raises InputError where it is damaged."""
        recommender = Recommender.load(bundle)
        return cls(recommender, TitleSearch(recommender.movies, recommender.num_ratings))


class Handlers:
    """The handlers of one bundle and one event store.

    `model` may be exchanged at any time: a request reads it once, and answers from that alone.
    """

    def __init__(
        self,
        model: LoadedModel,
        store: EventStore,
        releases_unavailable: Callable[[], bool | None] = lambda: None,
    ) -> None:
        """Take the model, the store, and the state of the store of releases for /readyz.

        Args:
            model: the first model; see `swap_model`.
            store: the event store.
            releases_unavailable: returns None where no store of releases is followed.
        """
        self.model = model
        self._releases_unavailable = releases_unavailable
        self._store = store
        self._executor = StoreExecutor()
        self._users = UserCache(store, self._executor)
        metrics.set_model(model.recommender.model_version)

    def swap_model(self, model: LoadedModel) -> None:
        """Answer from another bundle from the next request on."""
        previous, self.model = self.model, model
        metrics.set_model(model.recommender.model_version, previous.recommender.model_version)

    async def recommend(self, request: RecommendRequest) -> RecommendResponse:
        """Recommend movies for one user; a repeated plain request comes from the cache."""
        recommender = self.model.recommender
        user = await self._user(request.user_id)
        fields = cache_key(request)
        key = (recommender.model_version, fields)
        if user is not None and fields is not None and key in user.responses:
            metrics.CACHED_LISTS.inc()
            response: RecommendResponse = user.responses[key]
        else:
            query = build_query(recommender, request, user)
            if is_slow(request):  # other requests go on meanwhile
                response = await asyncio.to_thread(recommender.recommend_query, query)
            else:
                response = recommender.recommend_query(query)
            if user is not None and fields is not None:
                user.put(key, response)
        metrics.count_lists("/recommend", [response])
        return response

    async def recommend_batch(self, request: BatchRequest) -> dict[str, Any]:
        """Recommend for many users; an error takes the place of its list."""
        recommender = self.model.recommender
        users = await self._users_by_id([part.user_id for part in request.requests])
        queries = [
            build_query(recommender, part, users.get(part.user_id)) for part in request.requests
        ]
        results = await asyncio.to_thread(lambda: list(recommender.recommend_batch(queries)))
        lists = [result for result in results if not isinstance(result, RequestError)]
        metrics.count_lists("/recommend_batch", lists)
        return {"results": results}

    async def predict(self, request: PredictRequest) -> PredictResponse:
        """Score movies for one user, in the order of the request."""
        recommender = self.model.recommender
        user = await self._user(request.user_id)
        history = merge_history(recommender, request, user)
        return recommender.predict(history=history, movie_ids=request.movie_ids)

    async def rerank(self, request: PredictRequest) -> PredictResponse:
        """Score movies for one user, best first."""
        recommender = self.model.recommender
        user = await self._user(request.user_id)
        history = merge_history(recommender, request, user)
        return recommender.rerank(history=history, movie_ids=request.movie_ids)

    async def similar(self, request: SimilarRequest) -> SimilarResponse:
        """Return the movies nearest to one or several."""
        if (request.movie_id is None) == (request.movie_ids is None):
            raise RequestError("expected movie_id or movie_ids, one of the two", field="movie_id")
        movie_ids = request.movie_ids or [request.movie_id or 0]
        filters = to_dict(request.filters)
        return self.model.recommender.similar(movie_ids, request.k, filters)

    async def charts(self, request: ChartsRequest) -> ChartsResponse:
        """Return a list that is the same for all users."""
        filters = to_dict(request.filters)
        return self.model.recommender.charts(request.kind, request.k, filters)

    async def rate_next(self, request: RateNextRequest) -> RateNextResponse:
        """Return the movies to ask one user about."""
        recommender = self.model.recommender
        user = await self._user(request.user_id)
        state = UserState() if user is None else user.state
        return recommender.rate_next(
            history=merge_history(recommender, request, user),
            k=request.k,
            not_seen=recommender.known_ids(state.not_seen),
            not_interested=recommender.known_ids(state.not_interested),
            seed=crc32(str(request.user_id).encode()),  # each user is asked about other movies
        )

    async def search(self, query: str, k: int) -> SearchResponse:
        """Return movies whose title is like the query, best first."""
        model = self.model
        items = model.recommender.catalog.to_records(model.search.find(query, k))
        return {"items": items, "model_version": model.recommender.model_version}

    async def movie(self, movie_id: int) -> Movie:
        """Return one movie."""
        return self.model.recommender.movie(movie_id)

    async def model_card(self) -> dict[str, Any]:
        """Return the model card: the bundle's manifest without its list of files."""
        manifest = self.model.recommender.manifest
        return {key: value for key, value in manifest.items() if key != "files"}

    async def events(self, request: EventsRequest) -> EventsReceipt:
        """Store events; they count in the next request.

        Raises RequestError "conflict" for an event_id that belongs to other content, and
        StoreUnavailable; nothing is stored then.
        """
        now = datetime.now(UTC)
        events, rejected = validate_events(request.events, self.model.recommender, now)
        positions = list(events)
        result = await self._executor.run(self._store.add, list(events.values()))
        if result.conflicts:
            raise RequestError(
                f"{len(result.conflicts)} event_ids exist with other content, expected new ones; "
                "no event was stored, leave them out",
                code="conflict",
                field=f"events.{positions[result.conflicts[0]]}.event_id",
            )
        self._users.invalidate({event.user_id for event in events.values()})
        metrics.count_events(
            events.values(),
            now,
            accepted=result.accepted,
            duplicates=result.duplicates,
            rejected=len(rejected),
        )
        return {
            "accepted": result.accepted,
            "duplicates": result.duplicates,
            "rejected": rejected,
        }

    async def history(self, user_id: str) -> HistoryResponse:
        """Return the stored history of a user, oldest first; empty for an unknown user.

        A movie that the bundle does not hold is its id only.
        """
        recommender = self.model.recommender
        state = (await self._users.get(user_id)).state
        items: list[HistoryItem] = []
        for movie_id, stars, watched, at_us in state.history:
            item = cast(HistoryItem, recommender.movie_reference(movie_id))
            if stars is not None:
                item["stars"] = stars
            if watched is not None:
                item["watched"] = watched
            item["at"] = rfc3339(at_us)
            items.append(item)
        for movie_id in state.not_interested:
            item = cast(HistoryItem, recommender.movie_reference(movie_id))
            item["not_interested"] = True
            items.append(item)
        return {"user_id": user_id, "items": items}

    async def delete_user(self, user_id: str) -> DeleteResponse:
        """Delete every row of a user."""
        deleted = await self._executor.run(self._store.delete_user, user_id)
        self._users.invalidate({user_id})
        return {"deleted": deleted}

    async def ready(self) -> ReadyResponse:
        """Return the model version, and whether the stores answer."""
        try:
            is_up = await self._executor.run(self._store.is_alive)
        except StoreUnavailable:
            is_up = False
        metrics.STORE_UP.set(is_up)
        response: ReadyResponse = {
            "ready": True,
            "model_version": self.model.recommender.model_version,
            "events": _availability(is_up),
        }
        unavailable = self._releases_unavailable()
        if unavailable is not None:
            response["releases"] = _availability(not unavailable)
        return response

    async def _user(self, user_id: UserId | None) -> CachedUser | None:
        """Return a stored user; None without an id, and while the store is unavailable.

        Lists then use the history of the request alone.
        """
        if user_id is None:
            return None
        try:
            return await self._users.get(str(user_id))
        except StoreUnavailable:
            return None

    async def _users_by_id(
        self, user_ids: Sequence[UserId | None]
    ) -> Mapping[UserId | None, CachedUser | None]:
        unique_ids = list({user_id for user_id in user_ids if user_id is not None})
        users = await asyncio.gather(*(self._user(user_id) for user_id in unique_ids))
        return dict(zip(unique_ids, users, strict=True))


def _availability(is_up: bool) -> Availability:
    return "up" if is_up else "away"
