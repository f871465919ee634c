"""Test the Python client against the service in this process, and the examples of the docs."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import numpy as np
import pytest

from marquee.recommender.recommender import Recommender
from marquee_client import AsyncMarquee, Marquee, MarqueeError, UnknownMovie, label
from tests.support.client_calls import call_every_method
from tests.support.in_process_transport import InProcess
from tests.support.paths import ROOT
from tests.support.tiny_bundle import MOVIES

HEAT, SUSPECTS, PULP = 6, 50, 296


@pytest.fixture
def marquee(client: Any) -> Iterator[Marquee]:
    with Marquee("http://testserver", transport=InProcess(client)) as marquee:
        yield marquee


def test_client_lists_equal_the_library(marquee: Marquee, recommender: Recommender) -> None:
    entry = {"movie_id": HEAT, "stars": 4.0}
    answer = marquee.recommend(history=[entry], k=3, filters={"year_max": 2000})
    history = [(HEAT, 4.0)]
    assert answer == recommender.recommend(history=history, k=3, filters={"year_max": 2000})
    predicted = marquee.predict([1, 480], history=[entry])
    assert predicted == recommender.predict(history=history, movie_ids=[1, 480])
    assert marquee.similar(HEAT, k=3) == recommender.similar([HEAT], 3)
    assert marquee.similar([HEAT, 1], k=3) == recommender.similar([HEAT, 1], 3)


def test_client_stored_user_and_catalog(marquee: Marquee, recommender: Recommender) -> None:
    assert marquee.recommend(user_id=42)["strategy"] == "history"
    labels = [label(item) for item in marquee.history(42)["items"]]
    assert labels == ["Heat (1995)", "The Usual Suspects (1995)", "movie 999"]
    assert marquee.search("pulp fiction", k=1)["items"][0] == marquee.movie(PULP)
    assert marquee.model()["model_version"] == recommender.model_version
    assert marquee.ready()


def test_client_sends_times_and_numpy_numbers(marquee: Marquee, recommender: Recommender) -> None:
    at = datetime(1970, 1, 1, 0, 2, tzinfo=UTC)  # between the two that are stored
    entry = {"movie_id": np.int64(1), "stars": np.float32(4.5), "at": at}
    answer = marquee.recommend(user_id="42", history=[entry])  # type: ignore[list-item]
    assert answer == recommender.recommend(history=[(HEAT, 4.0), (1, 4.5), (SUSPECTS, 5.0)])


def test_client_events_bad_ones_spoil_no_other(marquee: Marquee) -> None:
    """Sent again, those that are stored are duplicates, though none of them has a time."""
    ids = [f"client-{n}" for n in range(5)]
    events: list[Any] = [
        {"event_id": id_, "user_id": "spoilt", "movie_id": HEAT, "kind": "rating", "stars": 4.0}
        for id_ in ids
    ]
    events[1] |= {"stars": float("nan")}
    events[2] |= {"at": datetime(2026, 1, 1)}
    events[3] |= {"at": datetime.now(UTC) + timedelta(minutes=6)}
    for accepted, duplicates in ((2, 0), (0, 2)):
        receipt = marquee.send_events(events)
        assert (receipt["accepted"], receipt["duplicates"]) == (accepted, duplicates)
        reasons = [(e["index"], e["event_id"], e["code"]) for e in receipt["rejected"]]
        assert reasons == [
            (1, ids[1], "invalid"),
            (2, ids[2], "invalid"),
            (3, ids[3], "in_the_future"),
        ]


def test_client_pages_cover_the_catalog_once(marquee: Marquee) -> None:
    pages = list(marquee.recommend_pages(history=[{"movie_id": HEAT}], k=4))
    ids = [item["movie_id"] for page in pages for item in page["items"]]
    assert [len(page["items"]) for page in pages] == [4, 4, 1]
    assert sorted([*ids, HEAT]) == [movie[0] for movie in MOVIES]


def test_client_unknown_movie_is_raised(marquee: Marquee) -> None:
    with pytest.raises(UnknownMovie, match="movie 7: not in the catalog") as raised:
        marquee.similar(7)
    error = raised.value
    assert (error.status, error.code) == (404, "unknown_movie")
    assert error.fields == [{"field": "movie_id", "message": str(error)}]
    assert marquee.predict([1, 7])["unknown_ids"] == [7]


def test_client_changes_the_catalog(marquee: Marquee) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    new: Any = {
        "movie_id": 900,
        "title": "The Harbor",
        "available_from": start,
        "countries": ["DE"],
    }
    receipt = marquee.put_movies([new, {"movie_id": HEAT, "year": 99999}])
    assert receipt["accepted"] == 1 and receipt["rejected"][0]["movie_id"] == HEAT
    assert marquee.movie(900)["available_from"] == "2026-01-01T00:00:00Z"
    assert marquee.search("harbor", country="DE")["items"][0]["movie_id"] == 900
    assert marquee.search("harbor", country="US")["items"] == []
    page = marquee.movies(limit=2)
    assert marquee.movies(page["next_cursor"], limit=100)["items"][-1]["movie_id"] == 900
    assert marquee.delete_movie(900) == {"deleted": 1}
    with pytest.raises(UnknownMovie):
        marquee.movie(900)


def test_client_invalid_request_is_raised(marquee: Marquee) -> None:
    with pytest.raises(MarqueeError) as raised:
        marquee.recommend(k=0)
    assert (raised.value.status, raised.value.code) == (422, "invalid")
    assert raised.value.fields[0]["field"] == "k"


def test_client_history_of_unknown_user_is_empty(marquee: Marquee) -> None:
    assert marquee.history("unknown")["items"] == []


def test_async_client_gets_the_same_answers(client: Any, marquee: Marquee) -> None:
    transport = httpx.ASGITransport(client.app, client=("127.0.0.1", 50000))

    async def call() -> list[Any]:
        async with AsyncMarquee("http://testserver", transport=transport) as other:
            pages = [page async for page in other.recommend_pages(user_id=42, k=4)]
            return [pages, await other.search("heat"), await other.ready()]

    assert asyncio.run(call()) == [
        list(marquee.recommend_pages(user_id=42, k=4)),
        marquee.search("heat"),
        True,
    ]


@pytest.mark.parametrize("user_id", ["..", ".", "a/b", "é ?#%"])
def test_client_any_user_id_fits_in_a_path(marquee: Marquee, user_id: str) -> None:
    marquee.rate(user_id, 6, 4.0)
    assert [item["movie_id"] for item in marquee.history(user_id)["items"]] == [6]
    assert marquee.forget(user_id)["deleted"] == 1


def test_client_example_of_the_docs_runs(
    marquee: Marquee, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (ROOT / "docs/api.md").read_text()
    block = page[page.index("### Client") :].split("```python\n")[1].split("```")[0]
    code = block.replace('Marquee("http://127.0.0.1:3000")', "marquee")
    exec(code, {"marquee": marquee})
    assert "404 unknown_movie movie 999999: not in the catalog" in capsys.readouterr().out


def http_examples() -> dict[str, dict[str, Any]]:
    """example.http by title: the arguments of httpx for each request."""
    head, *parts = (ROOT / "example.http").read_text().split("\n### ")
    variables = dict(line[1:].split(" = ") for line in head.splitlines() if line.startswith("@"))
    examples = {}
    for part in parts:
        for name, value in variables.items():
            part = part.replace(f"{{{{{name}}}}}", value)
        top, _, body = part.partition("\n\n")
        title, first, *headers = top.splitlines()
        method, url = first.split(" ")
        examples[title] = {
            "method": method,
            "url": url,
            "headers": dict(line.split(": ", 1) for line in headers),
            "content": json.dumps(json.loads(body)) if body.strip() else None,
        }
    return examples


EXAMPLES = http_examples()


@pytest.mark.parametrize("title", list(EXAMPLES))
def test_http_example_is_answered(client: Any, title: str) -> None:
    answer = client.request(**EXAMPLES[title])
    assert answer.status_code == 200, answer.text
    if title.startswith("Send events"):
        assert answer.json() == {"accepted": 3, "duplicates": 0, "rejected": []}


def test_http_examples_cover_every_client_method() -> None:
    covered = {
        (example["method"], httpx.URL(example["url"]).path.split("/")[1])
        for example in EXAMPLES.values()
    }
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, json={"rejected": []})

    call_every_method(Marquee(transport=httpx.MockTransport(answer)))
    assert {(request.method, request.url.path.split("/")[1]) for request in sent} <= covered


def test_client_imports_nothing_but_httpx() -> None:
    server = ("marquee", "numpy", "pydantic", "orjson", "starlette", "bentoml")
    code = (
        "import marquee_client, deploy.collab_content, sys; "
        f"print(sorted(set({server}) & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert result.stdout.strip() == "[]", result.stderr
