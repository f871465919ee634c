"""The stopwatch of training steps: warm-up, pauses, target and cap."""

from collections.abc import Iterator

import numpy as np
import pytest

from benchmarks.training import stopwatch
from benchmarks.training.stopwatch import Stopwatch, hit_rate_of


def tick_by(step_s: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each look at the clock come `step_s` seconds after the one before."""
    times = iter(range(0, 1000, step_s))

    def now() -> tuple[float, float]:
        time = float(next(times))
        return time, time

    monkeypatch.setattr(stopwatch, "now", now)


def run_to_target(values: Iterator[float], cap_s: float) -> Stopwatch:
    options = {"target": 0.6, "first_look_s": 2, "cap_s": cap_s}
    watch = Stopwatch(options, lambda: next(values))
    watch.start()
    for _ in range(100):
        if watch.step(1):
            return watch
    raise AssertionError("the stopwatch did not end")


def test_stopwatch_leaves_out_warmup_and_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    tick_by(10, monkeypatch)
    watch = Stopwatch({"warmup": 1, "steps": 2})
    watch.start()  # 0
    assert not watch.step(5)  # the warm-up; the clock starts anew at 10
    assert not watch.step(5)  # 20
    with watch.paused():  # 30 to 40
        pass
    assert watch.step(7)  # 50
    assert (watch.examples, watch.steps, watch.cpu) == (12, 2, 30)


def test_stopwatch_ends_at_the_target(monkeypatch: pytest.MonkeyPatch) -> None:
    tick_by(1, monkeypatch)
    watch = run_to_target(iter([0.1, 0.2, 0.7]), cap_s=50)
    assert (watch.value, watch.cpu) == (0.7, 6)  # validated after 2, 4 and 6 seconds


def test_stopwatch_ends_at_the_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    tick_by(1, monkeypatch)
    watch = run_to_target(iter([0.1] * 100), cap_s=7)
    assert (watch.value, watch.cpu) == (0.1, 8)
    assert list(watch.over([1, 2], int)) == []


def test_hit_rate_shares_ties() -> None:
    assert hit_rate_of(np.zeros((3, 100))) == pytest.approx(0.1)
