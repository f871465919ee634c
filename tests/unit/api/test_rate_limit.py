"""Test the rate limit of each key, which all workers of a service share."""

import pytest

from marquee.api import rate_limit
from marquee.api.process.shared_state import SharedState, share_with_workers
from marquee.api.rate_limit import RateLimiter


def test_rate_limit_two_workers_share_one_bucket() -> None:
    variable = share_with_workers()
    first, second = (
        RateLimiter(2.0, SharedState.inherited(variable), lambda: 0.0) for _ in range(2)
    )
    assert [first.admits("a"), second.admits("a"), first.admits("a")] == [True, True, False]
    assert second.admits("b"), "another key has its own"


def test_rate_limit_none_admits_all() -> None:
    assert all(RateLimiter(None).admits("a") for _ in range(10))


def test_rate_limit_full_table_drops_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    """More keys than places: the key that waited longest begins anew."""
    monkeypatch.setattr(rate_limit, "PROBES", 2)
    hashes = {"a": 1, "b": 1 + (1 << 20), "c": 1 + (1 << 21)}
    monkeypatch.setattr(rate_limit, "hash_key", hashes.__getitem__)
    now = [1.0]
    limiter = RateLimiter(0.001, clock=lambda: now[0])
    for key in "abc":
        assert limiter.admits(key)
        now[0] += 1
    assert [limiter.admits(key) for key in "cba"] == [False, False, True]
