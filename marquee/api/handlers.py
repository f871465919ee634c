"""Handlers: from a validated request to a response, with the stored state of the user.

Nothing here knows HTTP. Everything runs on one event loop: work below some milliseconds in line,
databases and longer work in threads (marquee/api/compute).
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any, TypeVar, cast
from zlib import crc32

from marquee.api import conversion, metrics, requests, responses
from marquee.api.catalog.catalog_handlers import CatalogHandlers
from marquee.api.catalog.catalog_writes import CatalogWrites
from marquee.api.catalog.rule_handlers import RuleHandlers
from marquee.api.compute import cost
from marquee.api.compute.lists import ListComputer
from marquee.api.conversion import mark_history, mark_in_batch, merge_history
from marquee.api.ids import UserId
from marquee.api.process.catalog_follower import CatalogFollower
from marquee.api.process.loaded_model import LoadedModel
from marquee.api.process.shared_state import SharedState
from marquee.api.requests import RerankRequest
from marquee.api.store_access import CachedUser, StoreExecutor, UserCache
from marquee.api.unknown_movies import (
    missing_viewer,
    name_unknown,
    skip_or_error,
    skip_unknown,
)
from marquee.catalog.catalog_store import CatalogStore
from marquee.core.ids import id_type
from marquee.core.times import rfc3339
from marquee.feedback.errors import StoreUnavailable
from marquee.feedback.store import EventStore
from marquee.feedback.user_settings import UserSettings
from marquee.feedback.user_state import UserState
from marquee.recommender import responses as lists
from marquee.recommender.errors import RequestError
from marquee.recommender.foreign_ids import (
    ForeignId,
    known_id,
    known_ids,
    require_movie,
    stored_entries,
)
from marquee.recommender.recommender import Recommender

UserRequest = TypeVar("UserRequest", bound=requests.UserRequest)


class Handlers:
    """The handlers of one bundle and one event store, named as the endpoints.

    `model` may be exchanged at any time: a request reads it once, and answers from that alone.
    """

    def __init__(
        self,
        model: LoadedModel,
        store: EventStore,
        releases_unavailable: Callable[[], bool | None] = lambda: None,
        shared: SharedState | None = None,
        viewer_required: Sequence[str] = (),
    ) -> None:
        """releases_unavailable: returns None where no store of releases is followed.

        shared: what the workers of the service share; None for a single process.
        viewer_required: what each request for a list must say of its viewer.
        """
        self._viewer_required = viewer_required
        shared = shared or SharedState()
        self._releases_unavailable = releases_unavailable
        self._store = store
        self._reads, self._writes = StoreExecutor(), StoreExecutor()
        self._users = UserCache(store, self._reads, shared=shared)
        self._settings = UserSettings(store.database)
        catalog = CatalogStore(store.database)
        self.follower = CatalogFollower(catalog, StoreExecutor(), shared, model)
        writes = CatalogWrites(self._writes, self.follower)
        self.catalog = CatalogHandlers(catalog, self.follower, writes)
        self._lists = ListComputer()
        self.rules = RuleHandlers(catalog, store, self.follower, self._reads, writes, self._lists)
        metrics.set_model(model.recommender.model_version)

    @property
    def model(self) -> LoadedModel:
        """Return the model that answers, with the catalog as far as this worker knows it."""
        return self.follower.model

    async def swap_model(self, model: LoadedModel) -> None:
        """Answer from another bundle from now on."""
        previous = self.model
        await self.follower.adopt(model)
        metrics.set_model(model.recommender.model_version, previous.recommender.model_version)

    async def recommend(self, request: requests.RecommendRequest) -> lists.RecommendResponse:
        self._check_viewer(request.viewer)
        recommender = (await self.follower.current()).recommender
        request, user = await self._user(request)
        fields = conversion.cache_key(request)
        if recommender.catalog.changes_with_time:
            fields = None  # time alone changes the list
        key = (recommender.catalog.serial, fields)
        if user is not None and fields is not None and key in user.responses:
            metrics.CACHED_LISTS.inc()
            response: lists.RecommendResponse = user.responses[key]
        else:
            known, unknown_ids = skip_unknown(recommender.catalog, request)
            response = await self._lists.recommend(recommender, known, user)
            response = name_unknown(response, unknown_ids)
            if user is not None and fields is not None:
                user.put(key, response)
        metrics.count_lists("/recommend", [response])
        return mark_history(response, request, user)

    async def recommend_batch(self, request: requests.BatchRequest) -> dict[str, Any]:
        recommender = (await self.follower.current()).recommender
        required = self._viewer_required
        parts = [skip_or_error(recommender.catalog, part, required) for part in request.requests]
        known = [part for part in parts if not isinstance(part, RequestError)]
        personal = [part for part, _ in known if part.personalized is not False]
        user_ids = list({part.user_id for part in personal})
        states = await asyncio.gather(*(self._stored_user(user_id) for user_id in user_ids))
        users = dict(zip(user_ids, states, strict=True))
        lists_of_users = [conversion.personal(part, users.get(part.user_id)) for part, _ in known]
        computed = await self._lists.recommend_batch(recommender, lists_of_users)
        answers = iter(
            mark_in_batch(result, part, user, unknown_ids)
            for (part, user), (_, unknown_ids), result in zip(
                lists_of_users, known, computed, strict=True
            )
        )
        results = [part if isinstance(part, RequestError) else next(answers) for part in parts]
        answered = [result for result in results if not isinstance(result, RequestError)]
        metrics.count_lists("/recommend_batch", answered)
        return {"results": results}

    async def predict(self, request: requests.PredictRequest) -> lists.PredictResponse:
        recommender = (await self.follower.current()).recommender
        return await self._predict(recommender, recommender.predict, request)

    async def rerank(self, request: RerankRequest) -> lists.PredictResponse:
        self._check_viewer(request.viewer)
        recommender = (await self.follower.current()).recommender
        return await self._predict(recommender, recommender.rerank, request)

    async def _predict(
        self,
        recommender: Recommender,
        predict: Callable[..., lists.PredictResponse],
        request: requests.PredictRequest,
    ) -> lists.PredictResponse:
        request, user = await self._user(request)
        known, unknown_ids = skip_unknown(recommender.catalog, request)

        def answer() -> lists.PredictResponse:
            history = merge_history(recommender, known, user)
            options = {}
            if isinstance(known, RerankRequest):
                options = {"viewer": known.viewer, "surface": known.surface}
            return predict(history=history, movie_ids=known.movie_ids, **options)

        response = await self._lists.compute(answer, cost.predict_cost(known, user))
        return mark_history(name_unknown(response, unknown_ids), request, user)

    async def similar(self, request: requests.SimilarRequest) -> lists.SimilarResponse:
        if (request.movie_id is None) == (request.movie_ids is None):
            raise RequestError("expected movie_id or movie_ids, one of the two", field="movie_id")
        self._check_viewer(request.viewer)
        recommender = (await self.follower.current()).recommender
        request, user = await self._personal(request)
        unknown: dict[ForeignId, None] = {}
        if request.movie_id is not None:
            movie_ids = [require_movie(recommender.catalog, request.movie_id)]
        else:
            movie_ids = known_ids(recommender.catalog, request.movie_ids or (), unknown)
        page = conversion.common_page(recommender.catalog, request, user, unknown)
        response: lists.SimilarResponse = {
            "items": [],
            "model_version": recommender.model_version,
            "next_offset": None,
        }
        if movie_ids:
            response = recommender.similar(movie_ids, **page)
        return mark_history(name_unknown(response, list(unknown)), request, user)

    async def charts(self, request: requests.ChartsRequest) -> lists.ChartsResponse:
        self._check_viewer(request.viewer)
        recommender = (await self.follower.current()).recommender
        request, user = await self._personal(request)
        unknown: dict[ForeignId, None] = {}
        page = conversion.common_page(recommender.catalog, request, user, unknown)
        response = recommender.charts(request.kind, **page)
        return mark_history(name_unknown(response, list(unknown)), request, user)

    async def rate_next(self, request: requests.RateNextRequest) -> lists.RateNextResponse:
        self._check_viewer(request.viewer)
        recommender = (await self.follower.current()).recommender
        request, user = await self._user(request)
        known, unknown_ids = skip_unknown(recommender.catalog, request)
        state = UserState() if user is None else user.state

        def rate_next() -> lists.RateNextResponse:
            return recommender.rate_next(
                history=merge_history(recommender, known, user),
                k=request.k,
                viewer=request.viewer,
                surface=request.surface,
                not_seen=known_ids(recommender.catalog, state.not_seen, {}),
                not_interested=known_ids(recommender.catalog, state.not_interested, {}),
                seed=crc32(str(request.user_id).encode()),  # each user is asked about other movies
            )

        cost_ms = cost.rate_next_cost(recommender, known, user)
        response = await self._lists.compute(rate_next, cost_ms)
        return mark_history(name_unknown(response, unknown_ids), request, user)

    async def search(self, params: requests.SearchParams) -> responses.SearchResponse:
        self._check_viewer(params.viewer)
        model = await self.follower.current()
        end = params.offset + params.k
        items, has_more = model.find(
            params.q, params.offset, params.k, params.viewer, params.surface
        )
        return {
            "items": items,
            "model_version": model.recommender.model_version,
            "next_offset": end if has_more else None,
        }

    async def model_card(self) -> dict[str, Any]:
        recommender = self.model.recommender
        card = {key: value for key, value in recommender.manifest.items() if key != "files"}
        return card | {
            "id_type": id_type(recommender.movie_ids),
            "has_ratings": recommender.has_ratings,
            "scale": card["scale"] or None,
            "features": card.get("features") or {"item": [], "user": []},
            "charts": list(recommender.chart_kinds),
        }

    async def events(self, request: requests.EventsRequest) -> responses.EventsReceipt:
        """Store each event that can be; RequestError where all conflict with stored ones."""
        now = datetime.now(UTC)
        events, rejected = conversion.validate_events(request.events, self.model.recommender, now)
        result = await self._writes.run(self._store.add, list(events.values()))
        indexes = list(events)
        conflicts = [indexes[position] for position in result.conflicts]
        if len(conflicts) == len(request.events):
            raise conversion.conflict(f"events.{conflicts[0]}.event_id")
        rejected += [
            conversion.rejected_event(index, events.pop(index), conversion.conflict())
            for index in conflicts
        ]
        rejected.sort(key=itemgetter("index"))
        self._users.invalidate({event.user_id for event in events.values()})
        receipt = responses.EventsReceipt(
            accepted=result.accepted, duplicates=result.duplicates, rejected=rejected
        )
        catalog = self.model.recommender.catalog
        movie_ids = dict.fromkeys(event.movie_id for event in events.values())
        if unknown_ids := [movie_id for movie_id in movie_ids if not catalog.has_movie(movie_id)]:
            receipt["unknown_ids"] = unknown_ids
        metrics.count_events(events.values(), now, receipt)
        return receipt

    async def history(
        self, params: requests.UserParams | requests.UserIdRequest
    ) -> responses.HistoryResponse:
        catalog = self.model.recommender.catalog
        state = (await self._users.get(str(params.user_id))).state
        items: list[dict[str, Any]] = []
        for movie_id, stars, watched, at_us in stored_entries(catalog, state.history):
            entry = {"stars": stars, "watched": watched, "at": rfc3339(at_us)}
            entry = {name: value for name, value in entry.items() if value is not None}
            items.append({**catalog.movie_reference(movie_id), **entry})
        for movie_id in state.not_interested:
            own_id = known_id(catalog, movie_id)
            reference = catalog.movie_reference(movie_id if own_id is None else own_id)
            items.append({**reference, "not_interested": True})
        return {"user_id": str(params.user_id), "items": cast(list[responses.HistoryItem], items)}

    async def delete_user(
        self, params: requests.UserParams | requests.UserIdRequest
    ) -> responses.DeleteResponse:
        user_id = str(params.user_id)
        deleted = await self._writes.run(self._store.delete_user, user_id)
        self._users.invalidate({user_id})
        return {"deleted": deleted}

    async def erase(self, request: requests.UserIdRequest) -> responses.EraseResponse:
        deleted = (await self.delete_user(request))["deleted"]
        return {"deleted": deleted, "receipt": responses.ERASE_RECEIPT}

    async def settings(
        self, request: requests.UserSettingsRequest
    ) -> responses.UserSettingsResponse:
        """Store what a user has chosen; it counts in the next list."""
        user_id = str(request.user_id)
        await self._writes.run(self._settings.set_personalized, user_id, request.personalized)
        self._users.invalidate({user_id})
        return {"user_id": user_id, "personalized": request.personalized}

    async def export(self, request: requests.UserIdRequest) -> responses.ExportResponse:
        user_id = str(request.user_id)
        rows = await self._reads.run(self._store.user_rows, user_id)
        events = [conversion.exported_event(row) for row in rows]
        chosen = await self._reads.run(self._settings.personalized, user_id)
        settings = {} if chosen is None else {"personalized": chosen}
        return {"user_id": user_id, "user_key": None, "events": events, "settings": settings}

    async def ready(self) -> responses.ReadyResponse:
        try:
            is_up = await self._reads.run(self._store.is_alive)
        except StoreUnavailable:
            is_up = False
        metrics.STORE_UP.set(is_up)
        version = self.model.recommender.model_version
        response = responses.ReadyResponse(
            ready=True, model_version=version, events="up" if is_up else "away"
        )
        if is_up and self._writes.failed_recently:
            response["event_writes"] = "away"
        if not self.follower.is_known:
            response["catalog"] = "away"
        unavailable = self._releases_unavailable()
        if unavailable is not None:
            response["releases"] = "away" if unavailable else "up"
        return response

    def _check_viewer(self, viewer: Mapping[str, Any] | None) -> None:
        """Raise RequestError where a request does not say what every list must know."""
        if error := missing_viewer(viewer, self._viewer_required):
            raise error

    async def _user(self, request: UserRequest) -> tuple[UserRequest, CachedUser | None]:
        """Do as `_personal`; RequestError where the stored history must not be missing."""
        request, user = await self._personal(request)
        if error := conversion.missing_history(request, user):
            raise error
        return request, user

    async def _personal(
        self, request: conversion.PersonalRequest
    ) -> tuple[conversion.PersonalRequest, CachedUser | None]:
        """Return a request and its stored user, without what may not be used of the user.

        The user is None without an id, and while the store is unavailable.
        """
        user_id = None if request.personalized is False else request.user_id
        return conversion.personal(request, await self._stored_user(user_id))

    async def _stored_user(self, user_id: UserId | None) -> CachedUser | None:
        """Return a stored user; None without an id, and while the store is unavailable."""
        if user_id is None:
            return None
        try:
            return await self._users.get(str(user_id))
        except StoreUnavailable:
            return None
