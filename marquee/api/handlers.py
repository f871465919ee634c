"""Handlers: from a validated request to a response, with the stored state of the user.

Nothing here knows HTTP. Everything runs on one event loop: work below two milliseconds in line,
databases and longer work in threads.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast
from zlib import crc32

from marquee.api import conversion, metrics, requests, responses
from marquee.api.conversion import build_query, merge_history, to_dict
from marquee.api.store_access import CachedUser, StoreExecutor, UserCache
from marquee.core.times import rfc3339
from marquee.feedback.errors import StoreUnavailable
from marquee.feedback.store import EventStore
from marquee.feedback.user_state import UserState
from marquee.recommender import responses as lists
from marquee.recommender.errors import RequestError
from marquee.recommender.recommender import Recommender
from marquee.recommender.search.title_search import TitleSearch


@dataclass(frozen=True, eq=False)
class LoadedModel:
    recommender: Recommender
    search: TitleSearch

    @classmethod
    def load(cls, bundle: str) -> "LoadedModel":
        """Load a bundle's folder. Raises InputError where it is damaged."""
        recommender = Recommender.load(bundle)
        return cls(recommender, TitleSearch(recommender.movies, recommender.num_ratings))


class Handlers:
    """The handlers of one bundle and one event store, named as the endpoints.

    `model` may be exchanged at any time: a request reads it once, and answers from that alone.
    """

    def __init__(
        self,
        model: LoadedModel,
        store: EventStore,
        releases_unavailable: Callable[[], bool | None] = lambda: None,
    ) -> None:
        """releases_unavailable: returns None where no store of releases is followed."""
        self.model = model
        self._releases_unavailable = releases_unavailable
        self._store = store
        self._executor = StoreExecutor()
        self._users = UserCache(store, self._executor)
        metrics.set_model(model.recommender.model_version)

    def swap_model(self, model: LoadedModel) -> None:
        previous, self.model = self.model, model
        metrics.set_model(model.recommender.model_version, previous.recommender.model_version)

    async def recommend(self, request: requests.RecommendRequest) -> lists.RecommendResponse:
        recommender = self.model.recommender
        user = await self._user(request.user_id)
        fields = conversion.cache_key(request)
        key = (recommender.model_version, fields)
        if user is not None and fields is not None and key in user.responses:
            metrics.CACHED_LISTS.inc()
            response: lists.RecommendResponse = user.responses[key]
        else:
            query = build_query(recommender, request, user)
            if conversion.is_slow(request):  # other requests go on meanwhile
                response = await asyncio.to_thread(recommender.recommend_query, query)
            else:
                response = recommender.recommend_query(query)
            if user is not None and fields is not None:
                user.put(key, response)
        metrics.count_lists("/recommend", [response])
        return response

    async def recommend_batch(self, request: requests.BatchRequest) -> dict[str, Any]:
        recommender = self.model.recommender
        user_ids = list({part.user_id for part in request.requests})
        states = await asyncio.gather(*(self._user(user_id) for user_id in user_ids))
        users = dict(zip(user_ids, states, strict=True))
        queries = [build_query(recommender, part, users[part.user_id]) for part in request.requests]
        results = await asyncio.to_thread(lambda: list(recommender.recommend_batch(queries)))
        answered = [result for result in results if not isinstance(result, RequestError)]
        metrics.count_lists("/recommend_batch", answered)
        return {"results": results}

    async def predict(self, request: requests.PredictRequest) -> lists.PredictResponse:
        recommender = self.model.recommender
        history = merge_history(recommender, request, await self._user(request.user_id))
        return recommender.predict(history=history, movie_ids=request.movie_ids)

    async def rerank(self, request: requests.PredictRequest) -> lists.PredictResponse:
        recommender = self.model.recommender
        history = merge_history(recommender, request, await self._user(request.user_id))
        return recommender.rerank(history=history, movie_ids=request.movie_ids)

    async def similar(self, request: requests.SimilarRequest) -> lists.SimilarResponse:
        if (request.movie_id is None) == (request.movie_ids is None):
            raise RequestError("expected movie_id or movie_ids, one of the two", field="movie_id")
        movie_ids = request.movie_ids or [request.movie_id or 0]
        return self.model.recommender.similar(movie_ids, request.k, to_dict(request.filters))

    async def charts(self, request: requests.ChartsRequest) -> lists.ChartsResponse:
        filters = to_dict(request.filters)
        return self.model.recommender.charts(request.kind, request.k, filters)

    async def rate_next(self, request: requests.RateNextRequest) -> lists.RateNextResponse:
        recommender = self.model.recommender
        user = await self._user(request.user_id)
        state = UserState() if user is None else user.state
        return recommender.rate_next(
            history=merge_history(recommender, request, user),
            k=request.k,
            not_seen=recommender.catalog.known_ids(state.not_seen),
            not_interested=recommender.catalog.known_ids(state.not_interested),
            seed=crc32(str(request.user_id).encode()),  # each user is asked about other movies
        )

    async def search(self, params: requests.SearchParams) -> responses.SearchResponse:
        model = self.model
        items = model.recommender.catalog.to_records(model.search.find(params.q, params.k))
        return {"items": items, "model_version": model.recommender.model_version}

    async def movie(self, params: requests.MovieParams) -> lists.Movie:
        return self.model.recommender.catalog.movie(params.movie_id)

    async def model_card(self) -> dict[str, Any]:
        manifest = self.model.recommender.manifest
        return {key: value for key, value in manifest.items() if key != "files"}

    async def events(self, request: requests.EventsRequest) -> responses.EventsReceipt:
        """Store events, all or none; RequestError for an event_id of other content."""
        now = datetime.now(UTC)
        events, rejected = conversion.validate_events(request.events, self.model.recommender, now)
        result = await self._executor.run(self._store.add, list(events.values()))
        if result.conflicts:
            position = list(events)[result.conflicts[0]]
            raise RequestError(
                f"{len(result.conflicts)} event_ids exist with other content, expected new ones; "
                "no event was stored, leave them out",
                code="conflict",
                field=f"events.{position}.event_id",
            )
        self._users.invalidate({event.user_id for event in events.values()})
        receipt = responses.EventsReceipt(
            accepted=result.accepted, duplicates=result.duplicates, rejected=rejected
        )
        metrics.count_events(events.values(), now, receipt)
        return receipt

    async def history(self, params: requests.UserParams) -> responses.HistoryResponse:
        recommender = self.model.recommender
        state = (await self._users.get(params.user_id)).state
        items: list[dict[str, Any]] = []
        for movie_id, stars, watched, at_us in state.history:
            entry = {"stars": stars, "watched": watched, "at": rfc3339(at_us)}
            entry = {name: value for name, value in entry.items() if value is not None}
            items.append({**recommender.catalog.movie_reference(movie_id), **entry})
        for movie_id in state.not_interested:
            items.append({**recommender.catalog.movie_reference(movie_id), "not_interested": True})
        return {"user_id": params.user_id, "items": cast(list[responses.HistoryItem], items)}

    async def delete_user(self, params: requests.UserParams) -> responses.DeleteResponse:
        deleted = await self._executor.run(self._store.delete_user, params.user_id)
        self._users.invalidate({params.user_id})
        return {"deleted": deleted}

    async def ready(self) -> responses.ReadyResponse:
        try:
            is_up = await self._executor.run(self._store.is_alive)
        except StoreUnavailable:
            is_up = False
        metrics.STORE_UP.set(is_up)
        version = self.model.recommender.model_version
        response = responses.ReadyResponse(
            ready=True, model_version=version, events="up" if is_up else "away"
        )
        unavailable = self._releases_unavailable()
        if unavailable is not None:
            response["releases"] = "away" if unavailable else "up"
        return response

    async def _user(self, user_id: requests.UserId | None) -> CachedUser | None:
        """Return a stored user; None without an id, and while the store is unavailable."""
        if user_id is None:
            return None
        try:
            return await self._users.get(str(user_id))
        except StoreUnavailable:
            return None
