"""`marquee catalog load`: requests, retries, and what becomes of rejected titles."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from marquee.core.errors import InputError
from marquee.online.catalog_load import loader as loader_module
from marquee.online.catalog_load.loader import CatalogLoader
from marquee.online.catalog_load.service import Service
from marquee.online.catalog_load.title_file import FileTitle

Respond = Callable[[list[dict[str, Any]]], tuple[int, Any]]


@contextmanager
def serving(respond: Respond) -> Iterator[str]:
    """Run a service whose answers to PUT /movies are given; yield its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, content = respond(json.loads(body)["movies"])
            text = content.encode() if isinstance(content, str) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            """Keep the output of the tests clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


class Clock:
    """A clock that pauses move."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def sleep(self, pause_s: float) -> None:
        self.now_s += pause_s


def service(url: str, **options: Any) -> Service:
    clock = Clock()
    return Service(url, sleep=clock.sleep, clock=lambda: clock.now_s, **options)


def titles(count: int, **fields: Any) -> list[FileTitle]:
    return [FileTitle(n, str(n), {"movie_id": str(n)} | fields) for n in range(count)]


def error(code: str, message: str = "why") -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


def judged(movies: list[dict[str, Any]]) -> tuple[int, Any]:
    """The service's judgement of titles, of which one without a title is malformed."""
    bad = [movie["movie_id"] for movie in movies if "title" not in movie]
    if len(bad) == len(movies):
        return 422, error("invalid", "movies.0: no title")
    rejected = [{"movie_id": each, "code": "invalid", "message": "no title"} for each in bad]
    return 200, {"accepted": len(movies) - len(bad), "rejected": rejected}


def test_load_sends_a_thousand_titles_a_request_in_order() -> None:
    sizes, ids = list[int](), list[str]()

    def respond(movies: list[dict[str, Any]]) -> tuple[int, Any]:
        sizes.append(len(movies))
        ids.extend(movie["movie_id"] for movie in movies)
        return judged(movies)

    with serving(respond) as url:
        loader = CatalogLoader(service(url))
        loader.load(titles(2500, title="x"), 2500)
        assert (sizes, loader.num_accepted) == ([1000, 1000, 500], 2500)
        sizes.clear()
        loader.load(titles(300, title="x" * 5000), 300)
    assert sizes == [208, 92], "of a MiB at most"
    assert ids[:2500] == [str(n) for n in range(2500)]


def test_batch_without_a_good_title_is_judged_title_by_title() -> None:
    numbers = list[int]()

    def respond(movies: list[dict[str, Any]]) -> tuple[int, Any]:
        numbers.append(len(movies))
        return judged(movies)

    good, bad = titles(1000, title="x"), titles(2000)[1000:]
    with serving(respond) as url:
        loader = CatalogLoader(service(url))
        loader.load(
            [*good, *bad, FileTitle(2000, "2000", {"movie_id": "2000", "title": "x"})], 2001
        )
    assert numbers == [1000, 1000, 501, 501, 1]
    assert (loader.num_accepted, loader.num_rejected) == (1001, 1000)
    assert {reject.message for reject in loader.rejected} == {"no title"}


def test_load_stops_where_no_first_title_is_accepted() -> None:
    with serving(judged) as url, pytest.raises(InputError, match="none of the first 5 titles"):
        CatalogLoader(service(url)).load(titles(5), 5)


def test_batch_that_is_too_slow_or_too_large_is_halved() -> None:
    def respond(movies: list[dict[str, Any]]) -> tuple[int, Any]:
        if len(movies) > 500:
            return 503, error("timeout")
        if len(movies) > 250:
            return 413, "<html>of a proxy</html>"
        return judged(movies)

    with serving(respond) as url:
        loader = CatalogLoader(service(url))
        loader.load(titles(1000, title="x"), 1000)
    assert loader.num_accepted == 1000


def test_busy_service_is_tried_again() -> None:
    statuses = [503, 429, 502, 200]

    def respond(movies: list[dict[str, Any]]) -> tuple[int, Any]:
        status = statuses.pop(0)
        return judged(movies) if status == 200 else (status, error("busy"))

    with serving(respond) as url:
        loader = CatalogLoader(service(url))
        loader.load(titles(3, title="x"), 3)
    assert loader.num_accepted == 3 and not statuses


def test_service_that_stays_away_ends_the_wait() -> None:
    with pytest.raises(InputError, match=r"no answer \(Connection refused\) for 1\d\d s"):
        service("http://127.0.0.1:9", patience_s=100).call("GET", "/movies")


@pytest.mark.parametrize(
    ("status", "content", "message"),
    [
        (403, error("forbidden", "a key with the scopes read"), "scopes catalog and read"),
        (401, error("unauthorized", "no key"), "--key-file"),
        (404, error("not_found", "no such path"), "404 no such path"),
        (200, "<html>", "expected the service's JSON"),
        (200, {"status": "ok"}, "an answer of another form"),
        (500, error("internal"), "500 why"),
    ],
)
def test_refusal_is_not_tried_again(status: int, content: Any, message: str) -> None:
    with serving(lambda _: (status, content)) as url, pytest.raises(InputError, match=message):
        CatalogLoader(service(url)).load(titles(1), 1)


@pytest.mark.parametrize(
    "url", ["ftp://x", "localhost:3000", "http://", "http://x:99999", "http://x?q=1", "http://a b"]
)
def test_address_of_no_service_is_refused(url: str) -> None:
    with pytest.raises(InputError, match="expected an address"):
        Service(url)


def test_key_that_no_header_can_carry_is_not_shown() -> None:
    with pytest.raises(InputError) as refusal:
        Service("http://x", "geheim\n1")
    assert "geheim" not in str(refusal.value)


def test_rejected_titles_beyond_the_limit_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader_module, "MAX_KEPT", 2)
    with serving(judged) as url:
        loader = CatalogLoader(service(url))
        loader.load([*titles(3), FileTitle(3, "3", {"movie_id": "3", "title": "x"})], 4)
    assert (loader.num_rejected, len(loader.rejected)) == (3, 2)
