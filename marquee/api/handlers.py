"""From a checked request to an answer: joins what is stored of a person with the recommender.

The service's endpoints are one line each on top of this; nothing here knows HTTP. Everything runs
on one event loop: what takes under two milliseconds in line, databases and long work in threads.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zlib import crc32

from marquee.api import metrics
from marquee.api.event_validation import EPOCH, MICROSECOND, checked, unix_us
from marquee.api.requests import (
    BatchRequest,
    ChartsRequest,
    EventsRequest,
    Filters,
    Person,
    PredictRequest,
    RateNextRequest,
    RecommendRequest,
    SimilarRequest,
    UserId,
)
from marquee.api.store_executor import StoreExecutor
from marquee.api.user_cache import CachedUser, Memory
from marquee.feedback.errors import StoreUnavailable
from marquee.feedback.store import EventStore
from marquee.feedback.user_state import Known
from marquee.recommender.errors import RequestError
from marquee.recommender.history import Entry
from marquee.recommender.pipeline import Answer
from marquee.recommender.query import Question
from marquee.recommender.recommender import Recommender
from marquee.recommender.search.title_search import TitleSearch

CONTROLS = ("calibration", "novelty", "freshness", "diversity")
ASKED = ("k", "offset", "exclude_seen", "explain", *CONTROLS)
"""What tells apart requests for a known person that name no movie, genre or filter."""


@dataclass(frozen=True, eq=False)
class Model:
    """A bundle, ready to answer."""

    recommender: Recommender
    search: TitleSearch

    @classmethod
    def load(cls, bundle: str) -> "Model":
        """Raises InputError where the bundle is not whole."""
        recommender = Recommender.load(bundle)
        return cls(recommender, TitleSearch(recommender.movies, recommender.num_ratings))


class Answers:
    """One bundle and one event store, ready for requests.

    `model` may be exchanged at any time: a request takes it once, and answers from that alone.
    """

    def __init__(self, model: Model, store: EventStore) -> None:
        self.model = model
        self.releases_away: Callable[[], bool | None] = lambda: None
        """None where no store of releases is followed."""
        self._store = store
        self._calls = StoreExecutor()
        self._memory = Memory(store, self._calls)
        metrics.serves(model.recommender.model_version)

    def swap(self, model: Model) -> None:
        """Answer from another bundle from the next request on."""
        before, self.model = self.model, model
        metrics.serves(model.recommender.model_version, before.recommender.model_version)

    async def recommend(self, request: RecommendRequest) -> Answer:
        recommender = self.model.recommender
        person = await self._person(request.user_id)
        asked = _memorable(request)
        key = (recommender.model_version, asked)
        if person is not None and asked is not None and key in person.answers:
            metrics.REMEMBERED.inc()
            answer: Answer = person.answers[key]
        else:
            question = _question(recommender, request, person)
            if _takes_long(request):  # others go on meanwhile
                answer = await asyncio.to_thread(recommender.answer, question)
            else:
                answer = recommender.answer(question)
            if person is not None and asked is not None:
                person.keep(key, answer)
        metrics.listed("/recommend", [answer])
        return answer

    async def recommend_batch(self, request: BatchRequest) -> Answer:
        recommender = self.model.recommender
        people = await self._people([each.user_id for each in request.requests])
        questions = [
            _question(recommender, each, people.get(each.user_id)) for each in request.requests
        ]
        found = await asyncio.to_thread(lambda: list(recommender.recommend_each(questions)))
        answers = [each for each in found if not isinstance(each, RequestError)]
        metrics.listed("/recommend_batch", answers)
        return {"results": found}

    async def predict(self, request: PredictRequest) -> Answer:
        recommender = self.model.recommender
        person = await self._person(request.user_id)
        history = _history(recommender, request, person)
        return recommender.predict(history=history, movie_ids=request.movie_ids)

    async def rerank(self, request: PredictRequest) -> Answer:
        recommender = self.model.recommender
        person = await self._person(request.user_id)
        history = _history(recommender, request, person)
        return recommender.rerank(history=history, movie_ids=request.movie_ids)

    async def similar(self, request: SimilarRequest) -> Answer:
        if (request.movie_id is None) == (request.movie_ids is None):
            raise RequestError("give movie_id or movie_ids, one of the two", field="movie_id")
        movie_ids = request.movie_ids or [request.movie_id or 0]
        filters = _plain(request.filters)
        return self.model.recommender.similar(movie_ids, request.k, filters)

    async def charts(self, request: ChartsRequest) -> Answer:
        filters = _plain(request.filters)
        return self.model.recommender.charts(request.kind, request.k, filters)

    async def rate_next(self, request: RateNextRequest) -> Answer:
        recommender = self.model.recommender
        person = await self._person(request.user_id)
        known = Known() if person is None else person.known
        return recommender.rate_next(
            history=_history(recommender, request, person),
            k=request.k,
            not_seen=recommender.held(known.not_seen),
            not_interested=recommender.held(known.not_interested),
            seed=crc32(str(request.user_id).encode()),  # not everybody is asked for the same
        )

    async def search(self, query: str, k: int) -> Answer:
        """Movies whose title is like the query, best first."""
        model = self.model
        items = model.recommender.cards.items(model.search.find(query, k))
        return {"items": items, "model_version": model.recommender.model_version}

    async def movie(self, movie_id: int) -> Answer:
        return self.model.recommender.item(movie_id)

    async def card(self) -> Answer:
        """The model card: the bundle's manifest without its list of files."""
        manifest = self.model.recommender.manifest
        return {key: value for key, value in manifest.items() if key != "files"}

    async def events(self, request: EventsRequest) -> Answer:
        """Store what happened; RequestError "conflict" where an event_id came before with other
        content, and StoreUnavailable: nothing is stored then."""
        now = datetime.now(UTC)
        events, rejected = checked(request.events, self.model.recommender, now)
        places = list(events)
        added = await self._calls.make(self._store.add, list(events.values()))
        if added.conflicts:
            raise RequestError(
                f"{len(added.conflicts)} of these event_ids came before with other content; "
                "nothing of this request is stored: leave them out",
                code="conflict",
                field=f"events.{places[added.conflicts[0]]}.event_id",
            )
        self._memory.forget({event.user_id for event in events.values()})
        counts = {"accepted": added.accepted, "duplicates": added.duplicates}
        metrics.arrived(events.values(), now, **counts, rejected=len(rejected))
        return counts | {"rejected": rejected}

    async def history(self, user_id: str) -> Answer:
        """What is stored of a person, oldest first; a movie that the bundle does not hold is its id
        only. Empty for who is not known."""
        recommender = self.model.recommender
        known = (await self._memory.person(user_id)).known
        items: list[Answer] = []
        for movie_id, stars, portion, at_us in known.entries:
            said = {"stars": stars, "portion": portion, "at": _rfc3339(at_us)}
            item = recommender.named(movie_id)
            items.append(item | {key: value for key, value in said.items() if value is not None})
        refused = [
            recommender.named(one) | {"not_interested": True} for one in known.not_interested
        ]
        return {"user_id": user_id, "items": items + refused}

    async def forget(self, user_id: str) -> Answer:
        """Remove every trace of a person."""
        deleted = await self._calls.make(self._store.delete, user_id)
        self._memory.forget({user_id})
        return {"deleted": deleted}

    async def ready(self) -> Answer:
        try:
            up = await self._calls.make(self._store.alive)
        except StoreUnavailable:
            up = False
        metrics.STORE_UP.set(up)
        version = self.model.recommender.model_version
        found: Answer = {"ready": True, "model_version": version, "events": _up_or_away(up)}
        away = self.releases_away()
        return found if away is None else found | {"releases": _up_or_away(not away)}

    async def _person(self, user_id: UserId | None) -> CachedUser | None:
        """What is stored; None for nobody, and while the store is away: lists go on from what the
        request brings."""
        if user_id is None:
            return None
        try:
            return await self._memory.person(str(user_id))
        except StoreUnavailable:
            return None

    async def _people(
        self, user_ids: Sequence[UserId | None]
    ) -> Mapping[UserId | None, CachedUser | None]:
        asked = list({user_id for user_id in user_ids if user_id is not None})
        found = await asyncio.gather(*(self._person(user_id) for user_id in asked))
        return dict(zip(asked, found, strict=True))


def _takes_long(request: RecommendRequest) -> bool:
    """Whether some 5 ms of work and more are asked for: the history encoded once an entry, or ten
    movies chosen together."""
    return request.explain or request.calibration > 0 or request.genre_profile is not None


def _up_or_away(up: bool) -> str:
    return "up" if up else "away"


def _memorable(request: RecommendRequest) -> tuple[Any, ...] | None:
    given = request.history, request.include_ids, request.exclude_ids
    if given != (None,) * 3 or request.filters is not None or request.genre_profile is not None:
        return None
    return tuple(getattr(request, name) for name in ASKED)


def _question(
    recommender: Recommender, request: RecommendRequest, person: CachedUser | None
) -> Question:
    return Question(
        history=_history(recommender, request, person),
        not_interested=recommender.held(person.known.not_interested) if person else (),
        filters=_plain(request.filters),
        include_ids=request.include_ids,
        exclude_ids=request.exclude_ids,
        genre_profile=request.genre_profile,
        **{name: getattr(request, name) for name in ASKED},
    )


def _history(recommender: Recommender, asked: Person, person: CachedUser | None) -> list[Entry]:
    """The stored history, then the request's; by time where every entry has one."""
    entries: list[tuple[float | None, Entry]] = []
    if person is not None:
        entries += recommender.readable(person.known.entries)
    entries += [
        (unix_us(film.at) if film.at else None, (film.movie_id, film.stars, film.portion))
        for film in asked.history or ()
    ]
    if all(at_us is not None for at_us, _ in entries):
        entries.sort(key=lambda entry: entry[0] or 0)
    return [entry for _, entry in entries]


def _plain(filters: Filters | None) -> dict[str, Any] | None:
    return None if filters is None else filters.model_dump(exclude_none=True)


def _rfc3339(at_us: int) -> str:
    return (EPOCH + at_us * MICROSECOND).isoformat().replace("+00:00", "Z")
