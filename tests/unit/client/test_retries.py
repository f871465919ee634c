"""Test which outcomes are tried again, and after how long, by a clock of the test."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from marquee_client.outcomes import Attempts, Outcome, Retries, is_transient

REFUSED = httpx.ConnectError("connection refused")
BUSY = httpx.Response(429)


def unavailable(retry_after: str) -> httpx.Response:
    return httpx.Response(503, headers={"Retry-After": retry_after})


@pytest.mark.parametrize(
    "outcome",
    [
        pytest.param(REFUSED, id="refused"),
        pytest.param(httpx.ReadTimeout("timed out"), id="too-slow"),
        pytest.param(httpx.RemoteProtocolError("closed"), id="cut"),
        *(pytest.param(httpx.Response(status), id=str(status)) for status in (429, 502, 503, 504)),
    ],
)
def test_transient_outcome_is_tried_again(outcome: Outcome) -> None:
    assert is_transient(outcome)
    assert Attempts(Retries(), lambda: 0.0).pause_s(outcome) is not None


@pytest.mark.parametrize("status", [200, 301, 400, 401, 404, 409, 413, 422, 500])
def test_final_outcome_is_not_tried_again(status: int) -> None:
    assert not is_transient(httpx.Response(status))
    assert Attempts(Retries(), lambda: 0.0).pause_s(httpx.Response(status)) is None


def test_pause_doubles_up_to_the_longest() -> None:
    retries = Retries(times=9, total_s=1e6, first_pause_s=1.0, longest_pause_s=5.0)
    attempts = Attempts(retries, lambda: 0.0)
    pauses = [attempts.pause_s(REFUSED) or 0.0 for _ in range(4)]
    for pause_s, backoff_s in zip(pauses, [1.0, 2.0, 4.0, 5.0], strict=True):
        assert backoff_s / 2 <= pause_s <= backoff_s


def test_pause_is_none_after_so_many_tries() -> None:
    attempts = Attempts(Retries(times=2), lambda: 0.0)
    pauses = [attempts.pause_s(REFUSED) for _ in range(3)]
    assert [pause_s is None for pause_s in pauses] == [False, False, True]
    assert attempts.count == 3


def test_pause_without_retries_is_none() -> None:
    assert Attempts(Retries(times=0), lambda: 0.0).pause_s(REFUSED) is None


def test_pause_beyond_the_total_is_none() -> None:
    now = [0.0]
    attempts = Attempts(Retries(times=9, total_s=25), lambda: now[0])
    for _ in range(2):
        pause_s = attempts.pause_s(unavailable("10"))
        assert pause_s is not None
        now[0] += pause_s
    assert attempts.pause_s(unavailable("10")) is None and now[0] < 25


def test_retry_after_seconds_come_before_the_pause() -> None:
    pause_s = Attempts(Retries(first_pause_s=0.2), lambda: 0.0).pause_s(unavailable("3"))
    assert pause_s is not None and 3.1 <= pause_s <= 3.2


def test_retry_after_date_comes_before_the_pause() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    retries = Retries(total_s=1000, first_pause_s=0.2)
    pause_s = Attempts(retries, lambda: 0.0).pause_s(unavailable(later))
    assert pause_s is not None and 50 <= pause_s <= 100.2


@pytest.mark.parametrize("value", ["soon", "", "-3", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_retry_after_without_a_future_time_is_ignored(value: str) -> None:
    pause_s = Attempts(Retries(first_pause_s=0.2), lambda: 0.0).pause_s(unavailable(value))
    assert pause_s is not None and 0.1 <= pause_s <= 0.2
