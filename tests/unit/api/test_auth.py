"""Test keys, and the rate limit of each key."""

from typing import Any

import pytest

from marquee.api.access.auth import ApiKeyAuth
from marquee.api.access.keys import KeyRing, parse_keys
from marquee.api.access.local_callers import LocalCallers


def auth_of(*entries: str, rate_limit: float | None = None, **options: Any) -> ApiKeyAuth:
    keys = parse_keys(enumerate(entries, 1), "key", may_be_hashed=False)
    return ApiKeyAuth(KeyRing(keys), rate_limit, LocalCallers(), **options)


def scope_of(
    *keys: str, method: str = "POST", peer: str = "::1", path: str = "/recommend"
) -> dict[str, Any]:
    """keys: values of the header Authorization."""
    headers = [(b"authorization", key.encode()) for key in keys]
    return {"method": method, "path": path, "headers": headers, "client": (peer, 1)}


def status(auth: ApiKeyAuth, scope: dict[str, Any]) -> int:
    refusal = auth.refusal(scope)
    return 200 if refusal is None else refusal.status_code


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "10.0.0.7"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PUT", "OPTIONS"])
def test_auth_with_keys_every_request_needs_one(method: str, peer: str) -> None:
    auth = auth_of("a", "ab")
    assert status(auth, scope_of(method=method, peer=peer)) == 401
    assert status(auth, scope_of("Bearer ab", method=method, peer=peer)) == 200


@pytest.mark.parametrize(
    "key", ["Bearer c", "Bearer abc", "Basic a", "Bearer a,b", "Bearer", "Bearer é", "", "a"]
)
def test_auth_wrong_key_is_refused_like_none(key: str) -> None:
    assert status(auth_of("a", "ab"), scope_of(key)) == 401


@pytest.mark.parametrize("key", ["Bearer a", "bearer ab", "BEARER  a "])
def test_auth_any_valid_key_is_served(key: str) -> None:
    assert status(auth_of("a", "ab"), scope_of(key, peer="10.0.0.7")) == 200


def test_auth_two_authorization_headers_are_refused() -> None:
    """A proxy may take the one for valid, and the service the other."""
    assert status(auth_of("a"), scope_of("Bearer a", "Bearer a")) == 401


def test_auth_without_keys_serves_loopback_alone() -> None:
    assert status(auth_of(), scope_of()) == 200
    assert status(auth_of(), scope_of("Bearer a", peer="10.0.0.7")) == 401


REQUESTS = {
    "read": ["POST /recommend", "GET /movies/search", "GET /movies/7", "GET /movies", "GET /model",
             "POST /users/history", "GET /users/7/history", "POST /users/export"],
    "events": ["POST /events", "POST /events/beacon"],
    "erase": ["POST /users/erase", "DELETE /users/7", "DELETE /users/erase"],
    "catalog": ["PUT /movies", "DELETE /movies/7", "POST /movies/delete"],
    "rules": ["PUT /rules/x", "GET /rules", "DELETE /rules/x", "POST /rules/preview"],
    "experiments": ["GET /experiments"],
}  # fmt: skip
CASES = [(scope, request) for scope, requests in REQUESTS.items() for request in requests]


@pytest.mark.parametrize(("needed", "request_line"), CASES)
def test_auth_scope_decides_what_a_key_may(needed: str, request_line: str) -> None:
    method, path = request_line.split()
    for own in (*REQUESTS, "admin"):
        auth, scope = auth_of(f"k:{own}"), scope_of("Bearer k", method=method, path=path)
        assert status(auth, scope) == (200 if own in (needed, "admin") else 403)
    auth, others = auth_of("k"), [each for each in REQUESTS if each != needed]
    default = needed in ("read", "events", "erase")
    assert status(auth, scope_of("Bearer k", method=method, path=path)) == (200 if default else 403)
    auth = auth_of(f"k:{'+'.join(others)}")
    assert status(auth, scope_of("Bearer k", method=method, path=path)) == 403


def test_rate_limit_holds_for_each_key() -> None:
    now = [0.0]
    auth = auth_of("a", "b", rate_limit=2.0, clock=lambda: now[0])
    key_a, key_b = (scope_of(f"Bearer {key}") for key in ("a", "b"))
    assert [status(auth, key_a) for _ in range(3)] == [200, 200, 429]
    assert [status(auth, scope) for scope in (key_b, scope_of())] == [200, 401]
    now[0] = 0.5
    assert [status(auth, key_a) for _ in range(2)] == [200, 429]


def test_rate_limit_saves_up_one_second_at_most() -> None:
    now = [0.0]
    auth = auth_of("a", rate_limit=2.0, clock=lambda: now[0])
    now[0] = 60.0
    assert [status(auth, scope_of("Bearer a")) for _ in range(3)] == [200, 200, 429]


def test_rate_limit_below_one_admits_a_first_request() -> None:
    auth = auth_of("a", rate_limit=0.1, clock=lambda: 0.0)
    assert [status(auth, scope_of("Bearer a")) for _ in range(2)] == [200, 429]


def test_rate_limit_of_callers_without_a_key_is_common() -> None:
    auth = auth_of(rate_limit=1.0, clock=lambda: 0.0)
    assert [status(auth, scope_of(peer=peer)) for peer in ("::1", "127.0.0.1")] == [200, 429]
