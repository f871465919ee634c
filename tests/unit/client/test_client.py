"""Test both clients against a transport that answers what the test says."""

import asyncio
import inspect
import json
import re
from collections.abc import Callable
from typing import Any, get_args

import httpx
import pytest

from marquee_client import (
    AsyncMarquee,
    Marquee,
    MarqueeError,
    Retries,
    Unavailable,
    UnknownMovie,
    label,
    requests,
)
from tests.support.client_calls import call_every_method
from tests.support.paths import ROOT

HEAT = 6
QUICK = Retries(first_pause_s=0.001)
OK = httpx.Response(200, json={"items": [], "model_version": "0" * 64})
RECEIPT = {"accepted": 1, "duplicates": 0, "rejected": []}
REFUSED = httpx.ConnectError("connection refused")

Script = Callable[[httpx.Request], httpx.Response]


def script_of(*outcomes: httpx.Response | Exception) -> tuple[Script, list[httpx.Request]]:
    """Answer one outcome after another, the last one for good; keep the requests."""
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        outcome = outcomes[min(len(sent), len(outcomes) - 1)]
        sent.append(request)
        if isinstance(outcome, Exception):
            raise outcome
        return httpx.Response(outcome.status_code, headers=outcome.headers, content=outcome.content)

    return answer, sent


def client_of(script: Script, retries: Retries = QUICK, **options: Any) -> Marquee:
    return Marquee(transport=httpx.MockTransport(script), retries=retries, **options)


def error(status: int, code: str = "unavailable", **headers: str) -> httpx.Response:
    body = {"error": {"code": code, "message": f"it is {code}"}}
    return httpx.Response(status, json=body, headers=headers)


@pytest.mark.parametrize(
    "outcome",
    [
        pytest.param(REFUSED, id="refused"),
        pytest.param(error(429, "busy"), id="busy"),
        pytest.param(error(503), id="unavailable"),
        pytest.param(httpx.Response(502, text="<html>Bad gateway</html>"), id="bad-gateway"),
    ],
)
def test_client_transient_error_is_tried_again(outcome: Any) -> None:
    script, sent = script_of(outcome, outcome, OK)
    assert client_of(script).search("heat") == OK.json()
    assert len(sent) == 3


@pytest.mark.parametrize("status", [400, 401, 404, 409, 413, 422, 500])
def test_client_final_error_is_raised_at_once(status: int) -> None:
    script, sent = script_of(error(status, "some"), OK)
    with pytest.raises(MarqueeError, match="it is some") as raised:
        client_of(script).rate(1, HEAT, 4.0)
    assert not isinstance(raised.value, Unavailable)
    assert len(sent) == 1


def test_client_no_answer_over_all_tries_is_unavailable() -> None:
    script, sent = script_of(REFUSED)
    client = client_of(script, Retries(times=2, first_pause_s=0.001))
    with pytest.raises(Unavailable, match=r"3000/model \(connection refused; tries: 3\)") as raised:
        client.model()
    assert (raised.value.code, raised.value.status, len(sent)) == ("no_answer", None, 3)


def test_client_busy_over_all_tries_is_unavailable() -> None:
    script, _ = script_of(error(503))
    with pytest.raises(Unavailable, match="it is unavailable") as raised:
        client_of(script, Retries(times=0)).model()
    assert raised.value.status == 503


def test_client_retried_event_is_the_same_event() -> None:
    receipt = httpx.Response(200, json={"accepted": 0, "duplicates": 1, "rejected": []})
    script, sent = script_of(httpx.ReadTimeout("the answer was lost"), error(503), receipt)
    client_of(script).rate("ana", HEAT, 4.5)
    bodies = {request.content for request in sent}
    assert len(sent) == 3 and len(bodies) == 1
    (event,) = json.loads(bodies.pop())["events"]
    assert len(event.pop("event_id")) == 36
    assert event == {"user_id": "ana", "movie_id": HEAT, "kind": "rating", "stars": 4.5}
    assert len({request.headers["X-Request-ID"] for request in sent}) == 1


def test_client_events_get_ids_unless_they_have_one() -> None:
    script, sent = script_of(httpx.Response(200, json=RECEIPT))
    click = {"user_id": 1, "movie_id": HEAT, "kind": "click"}
    complete = click | {"event_id": "mine", "at": "2026-11-01T20:00:00Z"}
    client_of(script).send_events([click, click, complete])
    first, second, third = json.loads(sent[0].content)["events"]
    assert first["event_id"] != second["event_id"]
    assert (third["event_id"], third["at"]) == ("mine", "2026-11-01T20:00:00Z")
    assert "event_id" not in click


@pytest.mark.parametrize(
    ("name", "args", "event"),
    [
        ("rate", (4.5,), {"kind": "rating", "stars": 4.5}),
        ("unrate", (), {"kind": "unrate"}),
        ("watched", (0.05,), {"kind": "watch", "watched": 0.05}),
        ("watched", (), {"kind": "watch", "watched": 1.0}),
        ("not_interested", (), {"kind": "not_interested"}),
        ("not_seen", (), {"kind": "not_seen"}),
    ],
)
def test_client_event_method_sends_one_event(
    name: str, args: tuple[float, ...], event: dict[str, Any]
) -> None:
    script, sent = script_of(httpx.Response(200, json=RECEIPT))
    assert getattr(client_of(script), name)(7, HEAT, *args) is None
    (content,) = json.loads(sent[0].content)["events"]
    assert content == content | event | {"user_id": 7, "movie_id": HEAT}
    assert set(content) == {"event_id", "user_id", "movie_id", *event}, "no time: it is now"


def test_client_rejected_event_is_raised_by_rate_alone() -> None:
    rejected = {
        "index": 0,
        "event_id": "e",
        "code": "unknown_movie",
        "message": "movie 7 is not here",
    }
    body = {"accepted": 0, "duplicates": 0, "rejected": [rejected]}
    client = client_of(script_of(httpx.Response(200, json=body))[0])
    with pytest.raises(UnknownMovie, match="movie 7 is not here"):
        client.rate(1, 7, 4.0)
    assert client.send_events([{"user_id": 1, "movie_id": 7, "kind": "click"}]) == body


def test_client_pages_are_requested_when_reached() -> None:
    page = {"items": [], "strategy": "popular", "model_version": "0"}
    script, sent = script_of(
        httpx.Response(200, json=page | {"next_offset": 5}),
        httpx.Response(200, json=page | {"next_offset": None}),
    )
    pages = client_of(script).recommend_pages(k=5)
    assert sent == []
    next(pages)
    assert len(sent) == 1
    assert len(list(pages)) == 1
    assert [json.loads(request.content).get("offset") for request in sent] == [None, 5]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(httpx.Response(200, html="<h1>Welcome to nginx!</h1>"), id="html"),
        pytest.param(httpx.Response(404, html="<h1>Not found</h1>"), id="html-404"),
        pytest.param(httpx.Response(200, content=b"\xff{"), id="not-utf8"),
        pytest.param(httpx.Response(200, json=["a list"]), id="list"),
        pytest.param(httpx.Response(422, json={"detail": []}), id="other-error-shape"),
        pytest.param(httpx.Response(301, headers={"Location": "https://x"}), id="redirect"),
    ],
)
def test_client_answer_of_another_server_is_bad_answer(answer: httpx.Response) -> None:
    with pytest.raises(MarqueeError, match="expected the service's JSON") as raised:
        client_of(script_of(answer)[0]).model()
    assert (raised.value.code, raised.value.status) == ("bad_answer", answer.status_code)
    assert "<h1>" not in str(raised.value)


def test_client_error_has_code_fields_and_request_id() -> None:
    body = {"code": "conflict", "message": "event e came before", "fields": [{"field": "events.0"}]}
    answer = httpx.Response(409, json={"error": body}, headers={"X-Request-ID": "abc"})
    with pytest.raises(MarqueeError, match=r"^event e came before$") as raised:
        client_of(script_of(answer)[0]).send_events([])
    assert (raised.value.code, raised.value.request_id) == ("conflict", "abc")
    assert raised.value.fields == [{"field": "events.0"}]


@pytest.mark.parametrize(
    "outcome", [REFUSED, error(503), error(404)], ids=["refused", "503", "404"]
)
def test_client_ready_tries_once_and_never_raises(outcome: Any) -> None:
    script, sent = script_of(outcome)
    assert not client_of(script).ready()
    assert len(sent) == 1


def test_client_key_is_sent_and_in_no_error() -> None:
    script, sent = script_of(REFUSED)
    client = client_of(script, Retries(times=0), key="s3cret")
    with pytest.raises(Unavailable) as raised:
        client.model()
    assert sent[0].headers["Authorization"] == "Bearer s3cret"
    assert "s3cret" not in f"{raised.value!r} {vars(raised.value)} {client!r}"


@pytest.mark.parametrize("key", ["s3cret\r\nX-Evil: 1", "s3cret key", "s3crét"])
def test_client_key_that_no_header_can_carry_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="the key holds") as raised:
        Marquee(key=key)
    assert key not in str(raised.value)


def test_client_address_may_have_a_path() -> None:
    script, sent = script_of(OK)
    client_of(script, url="https://movies.example.org/api").forget("a/b ü?")
    assert str(sent[0].url) == "https://movies.example.org/api/users/erase"
    assert json.loads(sent[0].content) == {"user_id": "a/b ü?"}


@pytest.mark.parametrize(
    "url",
    [
        "movies.example.org", "http://", "http://[", "http://m:99999", "http://m:0", "http://m n",
        "http://m/api?x=1", "http://m/#y", "ftp://m", "", None,
    ],
)  # fmt: skip
def test_client_address_that_is_none_is_refused(url: Any) -> None:
    with pytest.raises(ValueError, match=re.escape(f"{url!r}: no address of a service")):
        Marquee(url)


def test_client_address_may_name_a_port() -> None:
    for url in ("HTTP://m", "https://[::1]:3000/api", "http://127.0.0.1:3000/"):
        Marquee(url).close()


def test_client_value_that_is_no_json_is_refused() -> None:
    with pytest.raises(TypeError, match="cannot be sent as JSON"):
        client_of(script_of(OK)[0]).recommend(k=object())  # type: ignore[arg-type]


def test_async_client_cancelled_task_stops_in_its_pause() -> None:
    script, sent = script_of(error(503, **{"Retry-After": "10"}))

    async def cancel() -> None:
        async with AsyncMarquee(transport=httpx.MockTransport(script)) as client:
            task = asyncio.create_task(client.model())
            async with asyncio.timeout(10):
                while not sent:
                    await asyncio.sleep(0.001)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(cancel())
    assert len(sent) == 1


def test_async_client_retries_and_raises_like_the_sync_one() -> None:
    script, sent = script_of(REFUSED, error(404, "unknown_movie"))

    async def call() -> None:
        transport = httpx.MockTransport(script)
        async with AsyncMarquee(transport=transport, retries=QUICK) as client:
            await client.movie(7)

    with pytest.raises(UnknownMovie):
        asyncio.run(call())
    assert len(sent) == 2


def test_clients_have_the_same_methods() -> None:
    def signatures(kind: type) -> dict[str, list[Any]]:
        return {
            name: list(inspect.signature(getattr(kind, name)).parameters.values())
            for name in dir(kind)
            if not name.startswith("_") and "close" not in name
        }

    assert signatures(Marquee) == signatures(AsyncMarquee)
    assert len(signatures(Marquee)) == 29


def test_client_methods_keep_name_signature_and_docstring() -> None:
    client = client_of(script_of(OK)[0])
    assert client.search.__name__ == "search"
    assert "as users type it" in (client.search.__doc__ or "")
    names = ["title", "k", "offset", "country", "max_age"]
    assert list(inspect.signature(client.search).parameters) == names
    with pytest.raises(TypeError):
        client.search()  # type: ignore[call-arg]


def test_clients_send_the_same_requests() -> None:
    script, sent = script_of(httpx.Response(200, json=RECEIPT))
    call_every_method(client_of(script))
    async_script, async_sent = script_of(httpx.Response(200, json=RECEIPT))

    async def call() -> None:
        async with AsyncMarquee(transport=httpx.MockTransport(async_script)) as client:
            for answer in call_every_method(client):
                await answer

    def content(request: httpx.Request) -> str:
        text = request.content.decode()
        return "" if "event_id" in text else text  # ids and times differ

    asyncio.run(call())
    assert [(request.method, request.url, content(request)) for request in sent] == [
        (request.method, request.url, content(request)) for request in async_sent
    ]


@pytest.mark.parametrize(
    ("movie", "expected"),
    [
        ({"movie_id": 6, "title": "Heat", "year": 1995}, "Heat (1995)"),
        ({"movie_id": 6, "title": "Heat", "year": None}, "Heat"),
        ({"movie_id": 999}, "movie 999"),
    ],
)
def test_label_of_a_movie(movie: Any, expected: str) -> None:
    assert label(movie) == expected


SCHEMAS = json.loads((ROOT / "openapi.json").read_text())["components"]["schemas"]


@pytest.mark.parametrize(
    ("kind", "component", "optional"),
    [
        (requests.HistoryEntry, "HistoryEntry", set()),
        (requests.Filters, "Filters", set()),
        (requests.RecommendRequest, "RecommendRequest", set()),
        (requests.RateNextRequest, "RateNextRequest", set()),
        (requests.Event, "EventIn", {"event_id", "at"}),
    ],
)
def test_request_type_has_the_keys_of_openapi(
    kind: Any, component: str, optional: set[str]
) -> None:
    """They are written by hand; those of the responses are generated."""
    schema = SCHEMAS[component]
    assert set(kind.__annotations__) == set(schema["properties"])
    assert kind.__required_keys__ == set(schema.get("required", ())) - optional


def test_request_kinds_are_those_of_openapi() -> None:
    kinds = SCHEMAS["EventIn"]["properties"]["kind"]["enum"]
    charts = SCHEMAS["ChartsRequest"]["properties"]["kind"]["enum"]
    assert get_args(requests.EventKind) == tuple(kinds)
    assert get_args(requests.ChartKind) == tuple(charts)
