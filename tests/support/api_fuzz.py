"""Requests that no program of ours would send, and what every answer must nevertheless be.

    told = Told()                                   # what /openapi.json promises
    told.check("POST", "/recommend", answer)        # the status it names, the shape it names
    odd_requests(ask, told, number=300, seed=0)     # bodies, addresses and headers made to offend
    schemathesis("http://localhost:3000", examples=10, seed=0, place=Path("/tmp"))

All seeded: the same seed sends the same requests.
"""

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import hypothesis
from hypothesis import strategies as st
from openapi_schema_validator import OAS31Validator

from marquee.api.openapi import PARAM_ROUTES, POST_ENDPOINTS, document
from marquee.api.openapi_examples import REQUEST_EXAMPLES

ANYWHERE = {"400", "401", "404", "405", "413", "422", "429"}
"""What an address or a method that is not there may be answered with."""


class Told:
    """The document, ready to check answers by."""

    def __init__(self) -> None:
        self.document = document()
        self._validators: dict[str, OAS31Validator] = {}

    def check(self, method: str, path: str, answer: Any) -> None:
        """path: as it stands in the document. Raises AssertionError with what was answered."""
        said = f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        assert answer.status_code < 500, said
        if path not in self.document["paths"] and answer.status_code == 200:
            return  # by its odd parts another endpoint's address
        operation = self.document["paths"].get(path, {}).get(method.lower())
        status = str(answer.status_code)
        if operation is None or status not in operation["responses"]:
            assert operation is None and status in ANYWHERE, said
            assert self.faults("ErrorResponse", answer.json()) == [], said
            return
        (content,) = operation["responses"][status]["content"].items()
        assert answer.headers["content-type"].split(";")[0] == content[0], said
        if content[0] == "application/json":
            faults = self.faults(content[1]["schema"], answer.json())
            assert faults == [], f"{said}: {faults}"

    def faults(self, schema: str | dict[str, Any], value: Any) -> list[str]:
        """schema: one of the document, or its name."""
        if isinstance(schema, str):
            schema = {"$ref": f"#/components/schemas/{schema}"}
        name = json.dumps(schema)
        if name not in self._validators:
            whole = schema | {"components": self.document["components"]}
            self._validators[name] = OAS31Validator(whole)
        return [fault.message for fault in self._validators[name].iter_errors(value)]


NUMBERS = st.one_of(
    st.integers(),
    st.sampled_from([2**31, 2**63 - 1, 2**63, -(2**63), 10**400, -0.0, 1e-320, 1.8e308]),
    st.floats(),
)
TEXT = st.one_of(
    st.text(st.characters(), max_size=70),  # halves of surrogate pairs too
    st.sampled_from(["", "\0", "..", "a/b", "％", "𝕳eat", "‮", "x" * 100_000, "1_0", "null", "İ"]),
)
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, TEXT)
NAMES = st.sampled_from(
    ["user_id", "history", "movie_id", "movie_ids", "k", "offset", "filters", "genres", "stars"]
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(NAMES | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)
BROKEN = st.sampled_from(
    [
        b"",
        b"{",
        b"[" * 50_000,
        b'{"k":' * 20_000,
        b'{"k":1e999999}',
        b"\xff\xfe{",
        b"\xef\xbb\xbf{}",
    ]
)
HEADERS = st.dictionaries(
    st.sampled_from(
        ["X-Request-ID", "Authorization", "Accept", "Accept-Encoding", "Content-Encoding", "Origin",
         "Cookie", "Range", "If-None-Match", "X-Forwarded-For", "Transfer", "Content-Type"]
    ),
    st.sampled_from(["", "*", "gzip", "Bearer", "Bearer é", "bytes=0-1", "a" * 5000, "()", "null"])
    | st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20).map(str.strip),
    max_size=2,
)  # fmt: skip
PARTS = st.one_of(
    st.binary(max_size=80).map(lambda raw: quote(raw, safe="")),
    st.sampled_from(
        ["", ".", "..", "%2e%2e", "a%2Fb", "%00", "%0A", "6%0A", "é", "x" * 64, "x" * 65]
    ),
    st.integers().map(str),
)


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, str, dict[str, Any]]:
    """Method, path as documented, address, and what else the request has."""
    headers = {name: value.encode("latin-1") for name, value in draw(HEADERS).items()}
    path = draw(st.sampled_from([*POST_ENDPOINTS, *POST_ENDPOINTS, *PARAM_ROUTES]))
    if path not in POST_ENDPOINTS:
        address = re.sub(r"{\w+}", lambda _: draw(PARTS), path)
        address += draw(st.sampled_from(["", "", "/", "?k=1_0", "?q=a&q=b", "?q=%ff&k=3", "?q"]))
        method = draw(
            st.sampled_from([PARAM_ROUTES[path].method.upper()] * 3 + ["POST", "PUT", "OPTIONS"])
        )
        return method, path, address, {"headers": headers}
    body = draw(VALUES.map(dumped) | BROKEN | changed(REQUEST_EXAMPLES[path]).map(dumped))
    kind = {"Content-Type": b"application/json"}
    return "POST", path, path, {"content": body, "headers": kind | headers}


def changed(example: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A right body with one of its fields, or one more, odd."""
    names = st.sampled_from(sorted(example)) | NAMES
    return st.builds(lambda name, value: example | {name: value}, names, VALUES)


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


def odd_requests(ask: Callable[..., Any], told: Told, number: int, seed: int) -> Counter[int]:
    """Send them (`ask` is the `request` of an httpx client); how often each status came."""
    found: Counter[int] = Counter()

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=number,
        database=None,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(requests())
    def send(request: tuple[str, str, str, dict[str, Any]]) -> None:
        method, path, address, rest = request
        answer = ask(method, address, **rest)
        found[answer.status_code] += 1
        told.check(method, path if is_of(path, address) else "", answer)

    send()
    return found


def is_of(path: str, address: str) -> bool:
    """Whether an address is one of a documented path, and not by its odd parts of another: httpx
    goes up at a "..", and the tests' client takes %2F for a slash."""
    pattern = re.sub(r"{\w+}", r"(?!\.\.?(?:/|$))[^/]+", path)
    return re.fullmatch(pattern, address.split("?")[0].replace("%2F", "/")) is not None


def schemathesis(url: str, examples: int, seed: int, place: Path) -> int:
    """Let schemathesis loose on what /openapi.json tells; how many requests it has sent.

    Right data may be refused (`positive_data_acceptance`) for what a schema cannot say: ABOUT in
    marquee/api/openapi.py.
    """
    command = [
        str(Path(sys.executable).parent / "schemathesis"),
        "run",
        f"{url}/openapi.json",
        "--phases=coverage,fuzzing",
        f"--max-examples={examples}",
        f"--seed={seed}",
        "--exclude-checks=positive_data_acceptance",
        "--generation-database=none",
        "--continue-on-failure",
        "--no-color",
    ]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    generated = re.search(r"([\d,]+) generated", done.stdout)
    assert generated, done.stdout
    return int(generated[1].replace(",", ""))
