"""Test keys, loopback access and the rate limit of each key."""

from typing import Any

import pytest

from marquee.api.auth import ApiKeyAuth, is_loopback, is_write


def scope_of(
    key: str | None = None, *, method: str = "POST", path: str = "/recommend", peer: str = "::1"
) -> dict[str, Any]:
    headers = [] if key is None else [(b"authorization", key.encode())]
    return {"method": method, "path": path, "headers": headers, "client": (peer, 1)}


def status(auth: ApiKeyAuth, scope: dict[str, Any]) -> int:
    refusal = auth.refusal(scope)
    return 200 if refusal is None else refusal.status_code


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        pytest.param("127.0.0.1", True, id="ipv4"),
        pytest.param("127.9.9.9", True, id="ipv4-block"),
        pytest.param("::1", True, id="ipv6"),
        pytest.param("::ffff:127.0.0.1", True, id="mapped"),
        pytest.param("::ffff:10.0.0.7", False, id="mapped-elsewhere"),
        pytest.param("10.0.0.7", False, id="private"),
        pytest.param("testclient", False, id="no-address"),
        pytest.param("", False, id="empty"),
    ],
)
def test_loopback_is_this_machine_only(peer: str, expected: bool) -> None:
    assert is_loopback(peer) is expected


def test_auth_unknown_peer_is_not_this_machine() -> None:
    auth = ApiKeyAuth((), None)
    assert status(auth, scope_of() | {"client": None}) == 401


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/movies/6", False),
        ("HEAD", "/movies/6", False),
        ("OPTIONS", "/events", False),
        ("POST", "/recommend", False),
        ("POST", "/rate_next", False),
        ("POST", "/events", True),
        ("POST", "/something/new", True),
        ("DELETE", "/users/42", True),
        ("PUT", "/recommend", True),
        ("PATCH", "/recommend", True),
    ],
)
def test_write_is_every_post_but_the_read_only_ones(method: str, path: str, expected: bool) -> None:
    assert is_write({"method": method, "path": path}) is expected


@pytest.mark.parametrize("key", ["Bearer c", "Basic a", "Bearer a,b", "Bearer", "Bearer é", ""])
def test_auth_wrong_key_is_refused_like_none(key: str) -> None:
    auth = ApiKeyAuth(("a", "b"), None)
    assert status(auth, scope_of(key, peer="10.0.0.7")) == 401
    assert status(auth, scope_of(None, peer="10.0.0.7")) == 401


@pytest.mark.parametrize("key", ["Bearer a", "bearer b", "BEARER  a "])
def test_auth_any_valid_key_may_write(key: str) -> None:
    auth = ApiKeyAuth(("a", "b"), None)
    assert status(auth, scope_of(key, path="/events", peer="10.0.0.7")) == 200


def test_auth_without_keys_serves_loopback_alone() -> None:
    auth = ApiKeyAuth((), None)
    assert status(auth, scope_of(path="/events")) == 200
    assert status(auth, scope_of("Bearer a", peer="10.0.0.7")) == 401


def test_rate_limit_holds_for_each_key() -> None:
    now = [0.0]
    auth = ApiKeyAuth(("a", "b"), 2.0, lambda: now[0])
    key_a, key_b, wrong = (scope_of(f"Bearer {key}") for key in ("a", "b", "wrong"))
    assert [status(auth, key_a) for _ in range(3)] == [200, 200, 429]
    assert [status(auth, scope) for scope in (key_b, scope_of(), wrong)] == [200, 200, 200]
    now[0] = 0.5
    assert [status(auth, key_a) for _ in range(2)] == [200, 429]


def test_rate_limit_saves_up_one_second_at_most() -> None:
    now = [0.0]
    auth = ApiKeyAuth(("a",), 2.0, lambda: now[0])
    now[0] = 60.0
    assert [status(auth, scope_of("Bearer a")) for _ in range(3)] == [200, 200, 429]


def test_rate_limit_below_one_admits_a_first_request() -> None:
    auth = ApiKeyAuth(("a",), 0.1, lambda: 0.0)
    assert [status(auth, scope_of("Bearer a")) for _ in range(2)] == [200, 429]
