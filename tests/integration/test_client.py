"""The Python client: against the service in this process, and a fake that fails on demand."""

import asyncio
import inspect
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, get_args

import httpx
import numpy as np
import pytest

from marquee.recommender.recommender import Recommender
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
from tests.support.in_process_transport import InProcess
from tests.support.paths import ROOT
from tests.support.tiny_bundle import FILMS

HEAT, SUSPECTS, PULP = 6, 50, 296


@pytest.fixture
def marquee(client: Any) -> Iterator[Marquee]:
    with Marquee("http://testserver", transport=InProcess(client)) as marquee:
        yield marquee


# Against the service.


def test_lists_are_those_of_the_library(marquee: Marquee, recommender: Recommender) -> None:
    asked = {"movie_id": HEAT, "stars": 4.0}
    answer = marquee.recommend(history=[asked], k=3, filters={"year_max": 2000})
    same = recommender.recommend(history=[(HEAT, 4.0)], k=3, filters={"year_max": 2000})
    assert answer == same
    assert marquee.predict([1, 480], history=[asked]) == recommender.predict(
        history=[(HEAT, 4.0)], movie_ids=[1, 480]
    )
    assert marquee.similar(HEAT, k=3) == recommender.similar([HEAT], 3)
    assert marquee.similar([HEAT, 1], k=3) == recommender.similar([HEAT, 1], 3)


def test_what_is_stored_and_what_there_is(marquee: Marquee, recommender: Recommender) -> None:
    assert marquee.recommend(user_id=42)["strategy"] == "history"
    entries = marquee.history(42)["items"]
    assert [label(entry) for entry in entries] == [
        "Heat (1995)",
        "The Usual Suspects (1995)",
        "movie 999",
    ]
    assert marquee.search("pulp fiction", k=1)["items"][0] == marquee.movie(PULP)
    assert marquee.model()["model_version"] == recommender.model_version
    assert marquee.ready()


def test_times_and_numbers_of_numpy_are_sent(marquee: Marquee, recommender: Recommender) -> None:
    seen = datetime(1970, 1, 1, 0, 2, tzinfo=UTC)  # between the two that are stored
    answer = marquee.recommend(
        user_id="42", history=[{"movie_id": np.int64(1), "stars": np.float32(4.5), "at": seen}]
    )
    assert answer == recommender.recommend(history=[(HEAT, 4.0), (1, 4.5), (SUSPECTS, 5.0)])


def test_pages_go_on_to_the_last_film_and_repeat_none(marquee: Marquee) -> None:
    pages = list(marquee.recommend_pages(history=[{"movie_id": HEAT}], k=4))
    ids = [item["movie_id"] for page in pages for item in page["items"]]
    assert [len(page["items"]) for page in pages] == [4, 4, 1]
    assert sorted([*ids, HEAT]) == [film[0] for film in FILMS]


def test_what_the_service_refuses(marquee: Marquee) -> None:
    with pytest.raises(UnknownMovie, match="movie 7: not in the catalog") as unknown:
        marquee.predict([1, 7])
    error = unknown.value
    assert (error.status, error.code) == (404, "unknown_movie")
    assert error.fields == [{"field": "movie_ids.1", "message": str(error)}]
    assert marquee.history("nobody")["items"] == []
    with pytest.raises(MarqueeError) as invalid:
        marquee.recommend(k=0)
    assert (invalid.value.status, invalid.value.code) == (422, "invalid")
    assert invalid.value.fields[0]["field"] == "k"


def test_the_async_client_gets_the_same(client: Any, marquee: Marquee) -> None:
    app = httpx.ASGITransport(client.app, client=("127.0.0.1", 50000))

    async def ask() -> list[Any]:
        async with AsyncMarquee("http://testserver", transport=app) as other:
            pages = [page async for page in other.recommend_pages(user_id=42, k=4)]
            return [pages, await other.search("heat"), await other.ready()]

    assert asyncio.run(ask()) == [
        list(marquee.recommend_pages(user_id=42, k=4)),
        marquee.search("heat"),
        True,
    ]


def test_the_readmes_lines_run(marquee: Marquee, capsys: pytest.CaptureFixture[str]) -> None:
    readme = (ROOT / "README.md").read_text()
    block = readme[readme.index("### Client") :].split("```python\n")[1].split("```")[0]
    code = block.replace('Marquee("http://127.0.0.1:3000")', "marquee")
    exec(code, {"marquee": marquee})
    assert "404 unknown_movie movie 999999: not in the catalog" in capsys.readouterr().out


def examples() -> dict[str, dict[str, Any]]:
    """example.http by title: what httpx needs to send each."""
    text = (ROOT / "example.http").read_text()
    head, *parts = text.split("\n### ")
    given = dict(line[1:].split(" = ") for line in head.splitlines() if line.startswith("@"))
    found = {}
    for part in parts:
        for name, value in given.items():
            part = part.replace(f"{{{{{name}}}}}", value)
        top, _, body = part.partition("\n\n")
        title, first, *headers = top.splitlines()
        method, url = first.split(" ")
        sent = dict(line.split(": ", 1) for line in headers)
        content = json.dumps(json.loads(body)) if body.strip() else None
        found[title] = {"method": method, "url": url, "headers": sent, "content": content}
    return found


@pytest.fixture(scope="module")
def answered(client: Any) -> dict[str, Any]:
    """What the service answers to each example, in the order of the file."""
    return {title: client.request(**sent) for title, sent in examples().items()}


@pytest.mark.parametrize("title", list(examples()))
def test_examples(answered: dict[str, Any], title: str) -> None:
    answer = answered[title]
    assert answer.status_code == 200, answer.text
    if title.startswith("Send events"):
        assert answer.json() == {"accepted": 3, "duplicates": 0, "rejected": []}


def test_examples_ask_every_endpoint_of_the_client() -> None:
    sent = {
        (one["method"], httpx.URL(one["url"]).path.split("/")[1]) for one in examples().values()
    }
    with Marquee(transport=httpx.MockTransport(lambda _: httpx.Response(200, json={}))) as marquee:
        seen = spy(marquee)
        ask_everything(marquee)
    called = {(request.method, request.url.path.split("/")[1]) for request in seen}
    assert called <= sent


@pytest.mark.parametrize(
    ("kind", "component", "filled_in"),
    [
        (requests.HistoryEntry, "HistoryEntry", set()),
        (requests.Filters, "Filters", set()),
        (requests.RecommendRequest, "RecommendRequest", set()),
        (requests.RateNextRequest, "RateNextRequest", set()),
        (requests.Event, "EventIn", {"event_id", "at"}),
    ],
)
def test_request_types_have_the_keys_of_the_document(
    kind: Any, component: str, filled_in: set[str]
) -> None:
    """They are written by hand; those of the responses are generated."""
    schema = json.loads((ROOT / "openapi.json").read_text())["components"]["schemas"][component]
    assert set(kind.__annotations__) == set(schema["properties"])
    assert kind.__required_keys__ == set(schema.get("required", ())) - filled_in


def test_kinds_are_those_of_the_document() -> None:
    schemas = json.loads((ROOT / "openapi.json").read_text())["components"]["schemas"]
    kinds = schemas["EventIn"]["properties"]["kind"]["enum"]
    charts = schemas["ChartsRequest"]["properties"]["kind"]["enum"]
    assert (get_args(requests.EventKind), get_args(requests.ChartKind)) == (
        tuple(kinds),
        tuple(charts),
    )


# Against a fake.


def spy(marquee: Any) -> list[httpx.Request]:
    seen: list[httpx.Request] = []
    marquee._http.event_hooks = {"request": [seen.append]}
    return seen


def ask_everything(marquee: Any) -> list[Any]:
    """Each method once, with arguments that every service takes."""
    methods = {
        "recommend": (),
        "recommend_batch": ([{"k": 1}],),
        "predict": ([1],),
        "rerank": ([1],),
        "similar": (1,),
        "charts": (),
        "rate_next": (),
        "search": ("heat",),
        "movie": (1,),
        "history": (42,),
        "forget": ("nobody",),
        "model": (),
        "ready": (),
        "send_events": ([{"user_id": 1, "movie_id": 1, "kind": "click"}],),
    }
    return [getattr(marquee, name)(*given) for name, given in methods.items()]


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.slept: list[float] = []

    def sleep(self, pause_s: float) -> None:
        self.slept.append(pause_s)
        self.now_s += pause_s


Script = Callable[[httpx.Request], httpx.Response]


def failing(*outcomes: httpx.Response | Exception) -> tuple[Script, list[httpx.Request]]:
    """Answers one outcome after another; what was sent is kept."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        outcome = outcomes[min(len(seen), len(outcomes) - 1)]
        seen.append(request)
        if isinstance(outcome, Exception):
            raise outcome
        return httpx.Response(outcome.status_code, headers=outcome.headers, content=outcome.content)

    return answer, seen


def fake(script: Script, retries: Retries | None = None, **given: Any) -> tuple[Marquee, Time]:
    marquee = Marquee(transport=httpx.MockTransport(script), retries=retries or Retries(), **given)
    time = Time()
    marquee._sleep, marquee._clock = time.sleep, lambda: time.now_s
    return marquee, time


def fault(status: int, code: str = "unavailable", **headers: str) -> httpx.Response:
    body = {"error": {"code": code, "message": f"it is {code}"}}
    return httpx.Response(
        status, json=body, headers={k.replace("_", "-"): headers[k] for k in headers}
    )


FINE = httpx.Response(200, json={"items": [], "model_version": "0" * 64})
REFUSED = httpx.ConnectError("connection refused")


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(REFUSED, id="refused"),
        pytest.param(httpx.ReadTimeout("timed out"), id="too-slow"),
        pytest.param(httpx.RemoteProtocolError("closed"), id="cut"),
        pytest.param(fault(429, "busy"), id="busy"),
        pytest.param(fault(503), id="away"),
        pytest.param(httpx.Response(502, text="<html>Bad gateway</html>"), id="bad-gateway"),
        pytest.param(httpx.Response(504), id="gateway-timeout"),
    ],
)
def test_what_passes_is_asked_again(first: Any) -> None:
    script, seen = failing(first, first, FINE)
    marquee, time = fake(script)
    assert marquee.search("heat") == FINE.json()
    assert len(seen) == 3
    assert (
        0.1 <= time.slept[0] <= 0.2 <= time.slept[1] <= 0.4
    )  # twice as long, half of it by chance


@pytest.mark.parametrize("status", [400, 401, 404, 409, 413, 422, 500])
def test_what_does_not_pass_is_asked_once(status: int) -> None:
    script, seen = failing(fault(status, "some"), FINE)
    marquee, _ = fake(script)
    with pytest.raises(MarqueeError, match="it is some") as error:
        marquee.rate(1, HEAT, 4.0)
    assert not isinstance(error.value, Unavailable)
    assert len(seen) == 1


def test_retry_after_is_waited_for() -> None:
    script, _ = failing(fault(503, Retry_After="3"), fault(429, Retry_After="soon"), FINE)
    marquee, time = fake(script)
    marquee.model()
    assert 3.1 <= time.slept[0] <= 3.2 and 0.2 <= time.slept[1] <= 0.4
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=8), usegmt=True)
    script, _ = failing(fault(503, Retry_After=later), FINE)
    marquee, time = fake(script)
    marquee.model()
    assert 6 <= time.slept[0] <= 8.2


def test_it_gives_up_after_so_many_tries() -> None:
    script, seen = failing(REFUSED)
    marquee, time = fake(script, Retries(times=2))
    with pytest.raises(Unavailable, match=r"3000/model \(connection refused; tries: 3\)") as error:
        marquee.model()
    assert (error.value.code, error.value.status, len(seen)) == ("no_answer", None, 3)
    assert len(time.slept) == 2


def test_it_gives_up_where_the_service_asks_for_more_time_than_there_is() -> None:
    script, seen = failing(fault(503, Retry_After="10"))
    marquee, time = fake(script, Retries(times=9, total_s=25))
    with pytest.raises(Unavailable, match="it is unavailable"):
        marquee.model()
    assert len(seen) == 3 and time.now_s < 25


def test_a_repeated_event_is_the_same_event() -> None:
    done = httpx.Response(200, json={"accepted": 0, "duplicates": 1, "rejected": []})
    script, seen = failing(httpx.ReadTimeout("the answer was lost"), fault(503), done)
    marquee, _ = fake(script)
    marquee.rate("ana", HEAT, 4.5)
    bodies = {request.content for request in seen}
    assert len(seen) == 3 and len(bodies) == 1
    (event,) = json.loads(bodies.pop())["events"]
    assert len(event.pop("event_id")) == 36
    assert datetime.fromisoformat(event.pop("at")).tzinfo is not None
    assert event == {"user_id": "ana", "movie_id": HEAT, "kind": "rating", "stars": 4.5}
    assert len({request.headers["X-Request-ID"] for request in seen}) == 1


def test_events_get_ids_of_their_own_and_keep_given_ones() -> None:
    done = httpx.Response(200, json={"accepted": 3, "duplicates": 0, "rejected": []})
    script, seen = failing(done)
    marquee, _ = fake(script)
    click = {"user_id": 1, "movie_id": HEAT, "kind": "click"}
    marquee.send_events([click, click, click | {"event_id": "mine", "at": "2026-11-01T20:00:00Z"}])
    first, second, third = json.loads(seen[0].content)["events"]
    assert first["event_id"] != second["event_id"]
    assert (third["event_id"], third["at"]) == ("mine", "2026-11-01T20:00:00Z")
    assert "event_id" not in click


@pytest.mark.parametrize(
    ("name", "given", "event"),
    [
        ("unrate", (), {"kind": "unrate"}),
        ("watched", (0.05,), {"kind": "watch", "watched": 0.05}),
        ("watched", (), {"kind": "watch", "watched": 1.0}),
        ("not_interested", (), {"kind": "not_interested"}),
        ("not_seen", (), {"kind": "not_seen"}),
    ],
)
def test_one_event_each(name: str, given: tuple[float, ...], event: dict[str, Any]) -> None:
    script, seen = failing(
        httpx.Response(200, json={"accepted": 1, "duplicates": 0, "rejected": []})
    )
    marquee, _ = fake(script)
    getattr(marquee, name)(7, HEAT, *given)
    (sent,) = json.loads(seen[0].content)["events"]
    assert sent == sent | event | {"user_id": 7, "movie_id": HEAT}
    assert set(sent) == {"event_id", "at", "user_id", "movie_id", *event}


def test_a_rejected_event_is_raised_by_rate_and_listed_by_send_events() -> None:
    rejected = {"event_id": "e", "code": "unknown_movie", "message": "movie 7 is not here"}
    body = {"accepted": 0, "duplicates": 0, "rejected": [rejected]}
    script, _ = failing(httpx.Response(200, json=body))
    marquee, _ = fake(script)
    with pytest.raises(UnknownMovie, match="movie 7 is not here"):
        marquee.rate(1, 7, 4.0)
    assert marquee.send_events([{"user_id": 1, "movie_id": 7, "kind": "click"}]) == body


def test_pages_are_asked_for_when_they_are_reached() -> None:
    page = {"items": [], "strategy": "popular", "model_version": "0"}
    script, seen = failing(
        httpx.Response(200, json=page | {"next_offset": 5}),
        httpx.Response(200, json=page | {"next_offset": None}),
    )
    marquee, _ = fake(script)
    pages = marquee.recommend_pages(k=5)
    assert seen == []
    next(pages)
    assert len(seen) == 1
    assert len(list(pages)) == 1
    assert [json.loads(request.content).get("offset") for request in seen] == [None, 5]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(httpx.Response(200, html="<h1>Welcome to nginx!</h1>"), id="html"),
        pytest.param(httpx.Response(404, html="<h1>Not found</h1>"), id="html-404"),
        pytest.param(httpx.Response(200, content=b"\xff{"), id="not-utf8"),
        pytest.param(httpx.Response(200, json=["a list"]), id="another-shape"),
        pytest.param(httpx.Response(422, json={"detail": []}), id="another-error"),
        pytest.param(httpx.Response(301, headers={"Location": "https://x"}), id="redirect"),
    ],
)
def test_an_answer_that_is_not_the_services(answer: httpx.Response) -> None:
    marquee, _ = fake(failing(answer)[0])
    with pytest.raises(MarqueeError, match="expected the service's JSON") as error:
        marquee.model()
    assert (error.value.code, error.value.status) == ("bad_answer", answer.status_code)
    assert "<h1>" not in str(error.value)


def test_an_error_carries_what_the_service_said() -> None:
    body = {"code": "conflict", "message": "event e came before", "fields": [{"field": "events.0"}]}
    answer = httpx.Response(409, json={"error": body}, headers={"X-Request-ID": "abc"})
    marquee, _ = fake(failing(answer)[0])
    with pytest.raises(MarqueeError, match=r"^event e came before$") as error:
        marquee.send_events([])
    assert (error.value.code, error.value.request_id) == ("conflict", "abc")
    assert error.value.fields == [{"field": "events.0"}]


def test_ready_is_asked_once_and_never_raises() -> None:
    for outcome in (REFUSED, fault(503)):
        script, seen = failing(outcome)
        marquee, _ = fake(script)
        assert not marquee.ready()
        assert len(seen) == 1


def test_the_key_is_sent_and_never_told() -> None:
    script, seen = failing(REFUSED)
    marquee, _ = fake(script, Retries(times=0), key="s3cret")
    with pytest.raises(Unavailable) as error:
        marquee.model()
    assert seen[0].headers["Authorization"] == "Bearer s3cret"
    assert "s3cret" not in f"{error.value!r} {vars(error.value)} {marquee!r}"
    with pytest.raises(ValueError, match="the key holds") as refused:
        Marquee(key="s3cret\r\nX-Evil: 1")
    assert "s3cret" not in str(refused.value)


def test_the_address_may_have_a_path_and_a_person_any_letters() -> None:
    script, seen = failing(FINE)
    fake(script, url="https://films.example.org/api")[0].forget("a/b ü?")
    assert str(seen[0].url) == "https://films.example.org/api/users/a%2Fb%20%C3%BC%3F"
    with pytest.raises(ValueError, match=r"'films\.example\.org': no address"):
        Marquee("films.example.org")


def test_a_cancelled_task_stops_while_it_waits() -> None:
    script, seen = failing(fault(503, Retry_After="5"))

    async def give_up() -> None:
        async with AsyncMarquee(transport=httpx.MockTransport(script)) as marquee:
            waiting = asyncio.Event()

            async def sleep(_: float) -> None:
                waiting.set()
                await asyncio.Event().wait()

            marquee._sleep = sleep
            task = asyncio.create_task(marquee.model())
            await asyncio.wait_for(waiting.wait(), timeout=10)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(give_up())
    assert len(seen) == 1


def test_the_async_client_retries_and_raises_alike() -> None:
    script, seen = failing(REFUSED, fault(404, "unknown_movie"))
    slept = []

    async def ask() -> None:
        async with AsyncMarquee(transport=httpx.MockTransport(script)) as marquee:

            async def sleep(pause_s: float) -> None:
                slept.append(pause_s)

            marquee._sleep = sleep
            await marquee.movie(7)

    with pytest.raises(UnknownMovie):
        asyncio.run(ask())
    assert len(seen) == 2 and len(slept) == 1


def test_both_clients_have_the_same_methods_and_send_the_same() -> None:
    def signatures(kind: type) -> dict[str, list[Any]]:
        return {
            name: list(inspect.signature(method).parameters.values())
            for name, method in vars(kind).items()
            if not name.startswith("_") and "close" not in name
        }

    assert signatures(Marquee) == signatures(AsyncMarquee)
    done = httpx.MockTransport(lambda _: httpx.Response(200, json={}))
    with Marquee(transport=done) as marquee:
        seen = spy(marquee)
        ask_everything(marquee)
    also: list[httpx.Request] = []

    async def ask() -> None:
        async with AsyncMarquee(transport=done) as marquee:

            async def keep(request: httpx.Request) -> None:
                also.append(request)

            marquee._http.event_hooks = {"request": [keep]}
            for answer in ask_everything(marquee):
                await answer

    asyncio.run(ask())
    sent = [(request.method, request.url) for request in seen]
    assert sent == [(request.method, request.url) for request in also]


def test_it_needs_nothing_but_httpx() -> None:
    ours = ("serving", "catalogue", "numpy", "pydantic", "orjson", "starlette", "bentoml")
    check = (
        "import marquee_client, deploy.collab_content, sys; "
        f"print(sorted(set({ours}) & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("user_id", ["..", ".", "a/b", "é ?#%"])
def test_any_id_of_a_person_can_be_in_an_address(marquee: Marquee, user_id: str) -> None:
    marquee.rate(user_id, 6, 4.0)
    assert [item["movie_id"] for item in marquee.history(user_id)["items"]][-1] == 6
    assert marquee.forget(user_id)["deleted"] == 1
