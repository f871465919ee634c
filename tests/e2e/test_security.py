"""Test that serving loads no pickle, quotes no request in a log, and refuses broken HTTP."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.paths import ROOT
from tests.support.processes import output_of, running

CANARY = "canary-5e1c"
SERVE = """
import json, os, sys
{before}
from bentoml._internal.log import configure_server_logging
configure_server_logging()
import service
from marquee.api.handlers import Handlers
from marquee.api.openapi_examples import REQUEST_EXAMPLES
from marquee.api.openapi import POST_ENDPOINTS
from starlette.testclient import TestClient
{patched}
app = service.Marquee.to_asgi()
with TestClient(app, client=("127.0.0.1", 5), raise_server_exceptions=False) as client:
    headers = {{"Authorization": "Bearer {canary}"}}
    bodies = [(path, REQUEST_EXAMPLES[path]) for path in POST_ENDPOINTS]
    statuses = [client.post(path, json=body, headers=headers).status_code for path, body in bodies]
    statuses += [client.get(p, headers=headers).status_code for p in ("/movies/10", "/model")]
    history = [{{"movie_id": 6, "stars": 4.0}}]
    body = {{"user_id": "{canary}", "history": history}}
    statuses.append(client.post("/recommend", json=body, headers=headers).status_code)
    statuses.append(client.get("/users/{canary}/history", headers=headers).status_code)
print("statuses", statuses)
"""
NO_PICKLE = """
import pickle
def refuse(*_, **__):
    print("a pickle is loaded", file=sys.stderr)
    os._exit(70)
class Refused(pickle._Unpickler):
    __init__ = refuse
import bentoml, cloudpickle
for module in (pickle, cloudpickle):
    module.load = module.loads = refuse
pickle.Unpickler = pickle._Unpickler = Refused
"""
FAILING = """
async def fail(self, *args):
    raise RuntimeError(f"{args} of {os.environ['API_KEYS']}")
Handlers.recommend = Handlers.history = fail
"""


def output_of_service(bundle: Path, home: Path, before: str = "", patched: str = "") -> str:
    """Run a service that answers one request of each kind in its own process."""
    settings = {"BUNDLE": str(bundle), "EVENTS_URL": f"sqlite:///{home / 'e.sqlite'}"}
    settings |= {"API_KEYS": f"{CANARY}:admin", "LOG_REQUESTS": "all"}
    code = SERVE.format(before=before, patched=patched, canary=CANARY)
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stdout
    return result.stdout


def statuses_in(output: str) -> list[int]:
    statuses: list[int] = json.loads(output.rpartition("statuses ")[2])
    return statuses


def test_service_loads_no_pickle(bundle_folder: Path, tmp_path: Path) -> None:
    output = output_of_service(bundle_folder, tmp_path, before=NO_PICKLE)
    assert set(statuses_in(output)) == {200}
    with pytest.raises(AssertionError, match="a pickle is loaded"):
        output_of_service(
            bundle_folder, tmp_path, before=NO_PICKLE + "pickle.loads(pickle.dumps(1))"
        )


def test_service_log_quotes_no_request(bundle_folder: Path, tmp_path: Path) -> None:
    """It has the type and place of an error; not its text, with a key, a user and movies."""
    output = output_of_service(bundle_folder, tmp_path, patched=FAILING)
    statuses = statuses_in(output)
    assert statuses[0] == statuses[-2] == statuses[-1] == 500 and statuses[2] == 200
    assert output.count("RuntimeError") == statuses.count(500) and "in fail" in output
    assert CANARY not in output and "movie_id=6" not in output


@pytest.fixture(scope="module")
def address(
    bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, int]]:
    home = tmp_path_factory.mktemp("service")
    with running(bundle_folder, home, API_KEYS=CANARY, LOG_REQUESTS="all") as (url, _):
        yield "127.0.0.1", urlsplit(url).port or 0
    output = output_of(home).read_text()
    assert "Traceback" not in output and CANARY not in output


KEY = f"Authorization: Bearer {CANARY}\r\n".encode()
POST = b"POST /recommend HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n" + KEY
SMUGGLED = b"0\r\n\r\nDELETE /users/42 HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        pytest.param(POST + b"Content-Length: 2\r\n\r\n{}", 200, id="valid"),
        pytest.param(
            POST + b"Content-Length: 2\r\nContent-Length: 5\r\n\r\n{}abc", 400, id="two-lengths"
        ),
        pytest.param(
            POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n" + SMUGGLED,
            400,
            id="length-and-chunked",
        ),
        pytest.param(POST + b"Transfer-Encoding: xchunked\r\n\r\n" + SMUGGLED, 400, id="encoding"),
        pytest.param(POST + b"Content-Length: -1\r\n\r\n{}", 400, id="negative"),
        pytest.param(POST + b"X: a\nb: c\r\nContent-Length: 2\r\n\r\n{}", 400, id="bare-newline"),
        pytest.param(POST + b"X: a\r\n b\r\nContent-Length: 2\r\n\r\n{}", 400, id="folded"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01", 400, id="tls"),
        pytest.param(
            b"GET /users/\xc3\xa9/history HTTP/1.1\r\nHost: a\r\n\r\n", 400, id="raw-utf8"
        ),
        pytest.param(
            b"GET /model HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \xff canary-5e1c\r\n\r\n",
            401,
            id="latin-key",
        ),
        pytest.param(
            b"GET /model HTTP/1.1\r\nHost: a\r\n" + KEY + KEY + b"\r\n", 401, id="two-keys"
        ),
        pytest.param(b"GET /model HTTP/1.0\r\n" + KEY + b"\r\n", 200, id="http-1.0"),
        pytest.param(
            POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
            200,
            id="chunked",
        ),
    ],
)
def test_malformed_http_gets_one_answer(address: tuple[str, int], raw: bytes, status: int) -> None:
    """One: bytes behind a wrong length are not read as a second request. Then it serves on."""
    assert statuses(address, raw) == [status]
    assert statuses(address, POST + b"Content-Length: 2\r\n\r\n{}") == [200]


def statuses(address: tuple[str, int], raw: bytes) -> list[int]:
    content = b""
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(raw)
        with suppress(TimeoutError):
            while part := connection.recv(65536):
                content += part
                connection.settimeout(0.3)  # a second answer would follow at once
    return [int(part[:3]) for part in content.split(b"HTTP/1.1 ")[1:]]
