"""The client that waits for each answer. Safe to share among threads, as httpx's is."""

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Self, Unpack

import httpx

from marquee_client import calls
from marquee_client.calls import Answer, Call
from marquee_client.connection import TIMEOUT_S, URL, settings
from marquee_client.errors import must_accept, read
from marquee_client.retries import RETRIES, Attempts, Outcome, Retries
from marquee_client.types import (
    Accepted,
    Chart,
    Charts,
    Deleted,
    Event,
    History,
    ListRequest,
    Movie,
    Movies,
    Person,
    Ranking,
    RateNext,
    RateNextRequest,
    Recommendation,
    Recommendations,
    RecommendRequest,
    Similar,
    UserId,
)


class Marquee:
    """A connection to one service.

        with Marquee("https://films.example.org", key="…") as marquee:
            marquee.recommend(history=[{"movie_id": 50, "stars": 5.0}], k=3)["items"]

    url: where the service is, with a path where a proxy gives it one. key: one of its API_KEYS.
    timeout_s: for connecting, and for each silence while an answer is read (the service itself
    gives up after 4 s). retries: see Retries. transport: of httpx, for a proxy or certificates.
    Each method raises Unavailable where nobody answers over the retries, and MarqueeError (or a
    subclass) for what the service refuses.
    """

    def __init__(
        self,
        url: str = URL,
        key: str | None = None,
        *,
        timeout_s: float = TIMEOUT_S,
        retries: Retries = RETRIES,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = httpx.Client(transport=transport, **settings(url, key, timeout_s))
        self._retries = retries
        self._sleep, self._clock = time.sleep, time.monotonic

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def recommend(self, **asked: Unpack[RecommendRequest]) -> Recommendation:
        """The k best movies for a person, known by user_id or by the history given, or both."""
        return self._ask(calls.recommend(asked))

    def recommend_pages(self, **asked: Unpack[RecommendRequest]) -> Iterator[Recommendation]:
        """One page of k after another until the last; each is asked for when it is reached.

        A film that is rated between two pages moves the later ones up by a place.
        """
        while True:
            page = self.recommend(**asked)
            yield page
            if page["next_offset"] is None:
                return
            asked["offset"] = page["next_offset"]

    def recommend_batch(self, requests: Sequence[RecommendRequest]) -> Recommendations:
        """Many lists at once, in the order asked: less work for the service than one by one."""
        return self._ask(calls.recommend_batch(requests))

    def predict(self, movie_ids: Iterable[int], **person: Unpack[Person]) -> Ranking:
        """Stars and support of these movies, in the order asked."""
        return self._ask(calls.predict(movie_ids, person))

    def rerank(self, movie_ids: Iterable[int], **person: Unpack[Person]) -> Ranking:
        """The same movies, best first."""
        return self._ask(calls.rerank(movie_ids, person))

    def similar(self, movie_ids: int | Iterable[int], **asked: Unpack[ListRequest]) -> Similar:
        """The k movies nearest to one, or to several taken together."""
        return self._ask(calls.similar(movie_ids, asked))

    def charts(self, kind: Chart = "popular", **asked: Unpack[ListRequest]) -> Charts:
        """A list that is the same for everybody."""
        return self._ask(calls.charts(kind, asked))

    def rate_next(self, **asked: Unpack[RateNextRequest]) -> RateNext:
        """The k films whose rating would tell most, with why."""
        return self._ask(calls.rate_next(asked))

    def send_events(self, events: Iterable[Event]) -> Accepted:
        """Store what people did. Those that the service rejects are in the answer, not raised.

        An event without `event_id` gets one, so that a retry stores it once. Raises MarqueeError
        with code "conflict" where an event_id came before with other content: nothing is stored.
        """
        return self._ask(calls.send_events(events))

    def rate(self, user_id: UserId, movie_id: int, stars: float) -> None:
        """Store a rating of now; one given before is replaced. Raises where it is rejected."""
        self._store(calls.event("rating", user_id, movie_id, stars=stars))

    def unrate(self, user_id: UserId, movie_id: int) -> None:
        """Take a rating back."""
        self._store(calls.event("unrate", user_id, movie_id))

    def watched(self, user_id: UserId, movie_id: int, portion: float = 1.0) -> None:
        """Store that this share of the film (0..1) was watched."""
        self._store(calls.event("watch", user_id, movie_id, portion=portion))

    def not_interested(self, user_id: UserId, movie_id: int) -> None:
        """Never recommend this film to this person again."""
        self._store(calls.event("not_interested", user_id, movie_id))

    def not_seen(self, user_id: UserId, movie_id: int) -> None:
        """Store that a film which rate_next asked about was not seen: it is not asked again."""
        self._store(calls.event("not_seen", user_id, movie_id))

    def search(self, title: str, k: int = 10) -> Movies:
        """Movies whose title is like this one, as people type it, best first."""
        return self._ask(calls.search(title, k))

    def movie(self, movie_id: int) -> Movie:
        """One movie; raises UnknownMovie."""
        return self._ask(calls.movie(movie_id))

    def history(self, user_id: UserId) -> History:
        """What is stored of a person, oldest first; empty where nothing is."""
        return self._ask(calls.history(user_id))

    def forget(self, user_id: UserId) -> Deleted:
        """Delete everything stored of a person.

        `deleted` counts what the last try deleted: 0 where the answer to an earlier one was lost.
        """
        return self._ask(calls.forget(user_id))

    def model(self) -> dict[str, Any]:
        """The model card, with `model_version`."""
        return self._ask(calls.model())

    def ready(self) -> bool:
        """Whether the service answers requests at this moment: asked once, raises nothing."""
        outcome = self._try(calls.ready().request(self._http))
        return isinstance(outcome, httpx.Response) and outcome.status_code == 200

    def _store(self, event: Call[Accepted]) -> None:
        must_accept(self._ask(event))

    def _ask(self, call: Call[Answer]) -> Answer:
        request = call.request(self._http)
        attempts = Attempts(self._retries, self._clock)
        while True:
            outcome = self._try(request)
            pause_s = attempts.pause_s(outcome)
            if pause_s is None:
                answer: Answer = read(request, outcome, attempts.made)
                return answer
            self._sleep(pause_s)

    def _try(self, request: httpx.Request) -> Outcome:
        try:
            return self._http.send(request)
        except httpx.RequestError as error:
            return error
