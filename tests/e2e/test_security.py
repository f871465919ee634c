"""What a bundle, an address or a body must never do: run code, read another's file, reach a log."""

import hashlib
import json
import logging
import os
import pickle
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import onnx
import pytest
from onnx import TensorProto, external_data_helper, helper, numpy_helper

from marquee.api.request_log import strip_error_text
from marquee.core.errors import InputError
from marquee.recommender import bundle as bundles
from marquee.recommender.bundle import MANIFEST, PARTS
from marquee.recommender.encoder import Encoder
from marquee.recommender.recommender import Recommender
from tests.support.paths import ROOT
from tests.support.processes import running

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
    statuses += [client.get(p, headers=headers).status_code for p in ("/movies/6", "/model")]
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
async def fail(self, *asked):
    raise RuntimeError(f"{asked} of {os.environ['API_KEYS']}")
Handlers.recommend = Handlers.history = fail
"""


def served(bundle: Path, home: Path, before: str = "", patched: str = "") -> str:
    """The output of a service that was asked everything in its own process."""
    settings = {"BUNDLE": str(bundle), "EVENTS_URL": f"sqlite:///{home / 'e.sqlite'}"}
    settings |= {"API_KEYS": CANARY, "LOG_REQUESTS": "all"}
    code = SERVE.format(before=before, patched=patched, canary=CANARY)
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_no_pickle_is_loaded_to_serve(bundle_folder: Path, tmp_path: Path) -> None:
    output = served(bundle_folder, tmp_path, before=NO_PICKLE)
    assert f"statuses {[200] * 12}" in output
    with pytest.raises(AssertionError, match="a pickle is loaded"):
        served(bundle_folder, tmp_path, before=NO_PICKLE + "pickle.loads(pickle.dumps(1))")


def test_an_error_in_the_log_quotes_nothing(bundle_folder: Path, tmp_path: Path) -> None:
    """Its kind and place are there; its words, which hold a key, a person and films, are not."""
    output = served(bundle_folder, tmp_path, patched=FAILING)
    statuses = json.loads(output.rpartition("statuses ")[2])
    assert statuses[0] == statuses[-2] == statuses[-1] == 500 and statuses[2] == 200
    assert output.count("RuntimeError") == 3 and "in fail" in output
    assert CANARY not in output and "movie_id=6" not in output


def test_the_place_of_an_error_is_kept() -> None:
    try:
        raise ValueError(CANARY)
    except ValueError:
        record = logging.LogRecord("x", 40, __file__, 1, "failed", (), sys.exc_info())
    assert strip_error_text(record)
    text = logging.Formatter().format(record)
    assert CANARY not in text and text.endswith("ValueError") and "test_security.py" in text


@pytest.fixture
def copy(bundle_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundle_folder, tmp_path / "copy"))


def signed(folder: Path, files: dict[str, str] | None = None) -> None:
    """Write a manifest that is right for whatever lies there, or names `files`."""
    manifest = json.loads((folder / MANIFEST).read_text())
    digests = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in PARTS}
    manifest["files"] = digests if files is None else files
    manifest["model_version"] = bundles._model_version(manifest)
    (folder / MANIFEST).write_bytes(bundles._json(manifest))


class Touch:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self._path),)


def test_the_instrument_a_right_manifest_is_taken(copy: Path) -> None:
    signed(copy)
    Recommender.load(copy)


@pytest.mark.parametrize("name", PARTS)
def test_a_pickle_in_a_bundle_is_refused_and_not_run(copy: Path, tmp_path: Path, name: str) -> None:
    made = tmp_path / "made by a pickle"
    (copy / name).write_bytes(pickle.dumps(Touch(made)))
    signed(copy)
    with pytest.raises(InputError):
        Recommender.load(copy)
    assert not made.exists()


@pytest.mark.parametrize("name", ["../other.json", "/etc/passwd", "a/../golden.json", "..\\x"])
def test_a_manifest_that_names_a_file_elsewhere_is_refused(copy: Path, name: str) -> None:
    files = json.loads((copy / MANIFEST).read_text())["files"]
    for changed in (files | {name: "0" * 64}, {name: "0" * 64}):
        signed(copy, changed)
        with pytest.raises(InputError, match=MANIFEST):
            Recommender.load(copy)


@pytest.mark.parametrize("name", [*PARTS, MANIFEST])
def test_a_link_in_a_bundle_is_refused(copy: Path, tmp_path: Path, name: str) -> None:
    """Though its target has the right bytes now."""
    (copy / name).rename(tmp_path / "elsewhere")
    (copy / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="link"):
        Recommender.load(copy)


def test_the_folder_itself_may_be_a_link(copy: Path, tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to(copy)
    assert Recommender.load(tmp_path / "current").model_version


@pytest.mark.parametrize("place", ["secret.bin", "../secret.bin", "/tmp/secret.bin"])
def test_an_encoder_that_reads_another_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """ONNX may name files for its weights; ours holds them all."""
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path / "in")
    weight = np.zeros(2, dtype=np.float32)
    for path in (tmp_path / "secret.bin", tmp_path / "in" / "secret.bin"):
        weight.tofile(path)
    tensor = numpy_helper.from_array(weight, "weight")
    external_data_helper.set_external_data(tensor, place)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "weight"], ["y"])],
        "reads",
        [value("x", TensorProto.FLOAT, [2])],
        [value("y", TensorProto.FLOAT, [2])],
        [tensor],
    )
    model: onnx.ModelProto = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    with pytest.raises(InputError, match="cannot load"):
        Encoder(model.SerializeToString(), np.zeros((1, 2), np.float32), 4, 1)


@pytest.fixture(scope="module")
def address(
    bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, int]]:
    home = tmp_path_factory.mktemp("service")
    with running(bundle_folder, home, API_KEYS=CANARY, LOG_REQUESTS="all") as (url, _):
        yield "127.0.0.1", urlsplit(url).port or 0
    output = (home / "output").read_text()
    assert "Traceback" not in output and CANARY not in output


POST = b"POST /recommend HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
SMUGGLED = b"0\r\n\r\nDELETE /users/42 HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        pytest.param(POST + b"Content-Length: 2\r\n\r\n{}", 200, id="right"),
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
            200,
            id="latin-key",
        ),
    ],
)
def test_bytes_that_are_no_request_get_one_answer(
    address: tuple[str, int], raw: bytes, status: int
) -> None:
    """One: what hides behind a wrong length is not read as a second request. And it goes on."""
    assert statuses(address, raw) == [status]
    assert statuses(address, POST + b"Content-Length: 2\r\n\r\n{}") == [200]


def statuses(address: tuple[str, int], raw: bytes) -> list[int]:
    said = b""
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(raw)
        with suppress(TimeoutError):
            while part := connection.recv(65536):
                said += part
                connection.settimeout(0.3)  # a second answer would follow at once
    return [int(part[:3]) for part in said.split(b"HTTP/1.1 ")[1:]]
