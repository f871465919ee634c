"""Time a child of bench_training.py: seconds, examples and memory of training steps.

    stopwatch = Stopwatch({"warmup": 3, "steps": 20})     # the speed of 20 steps
    stopwatch = Stopwatch({"target": 0.6, "first_look_s": 4, "cap_s": 300}, metric)  # time to .6
    for batch in stopwatch.over(batches, len): ...        # ends after the last step

Seconds are of the processor, of all threads. Everything but training is off the clock, validation
above all. Imported by programs of two environments, so it needs numpy alone.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from marquee.core.arrays import Bools, Float64, Int64
from marquee.evaluation.metrics.ranking import hit_rate, ndcg, rank_counts

LOOK_INTERVAL = 1.15
"""Validation runs after first_look_s, then whenever it took 15% longer. The answer is at most so
late (or a step), and a program that learns slowly is not validated more often than a fast one."""


class Stopwatch:
    """Seconds and examples of training steps.

    It stops after a number of them, or when validation reaches a target.
    """

    def __init__(
        self, options: dict[str, Any], metric: Callable[[], float] = lambda: float("nan")
    ) -> None:
        """options: warmup and steps, or target, first_look_s and cap_s. metric: of validation."""
        self.warmup, self.max_steps = options.get("warmup", 0), options.get("steps")
        self.target: float | None = options.get("target")
        self.cap_s: float = options.get("cap_s", 0)
        self.next_look = options.get("first_look_s", 0)
        self.metric, self.value = metric, float("nan")
        self.steps = self.examples = 0
        self.ended = False
        self.cpu = self.wall = 0.0

    def start(self) -> None:
        self.since = now()

    def step(self, examples: int) -> bool:
        """Count a step that has ended; return True after the last one."""
        if self.warmup:
            self.warmup -= 1
            self.start()
            return False
        self.cpu, self.wall = (t - s for t, s in zip(now(), self.since, strict=True))
        self.steps, self.examples = self.steps + 1, self.examples + examples
        self.ended = (
            self.steps == self.max_steps if self.target is None else self.is_reached(self.target)
        )
        if self.ended:
            self.peak = peak_gb()
        return self.ended

    def is_reached(self, target: float) -> bool:
        """Validate when it is time; return True at the target or the cap."""
        if self.cpu < self.next_look:
            return False
        self.next_look = LOOK_INTERVAL * self.cpu
        with self.paused():
            self.value = self.metric()
        print(f"{self.cpu:7.1f} CPU s  {self.examples:10,}  {self.value:.4f}", file=sys.stderr)
        return self.value >= target or self.cpu >= self.cap_s

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the clock while the block runs."""
        before = now()
        yield
        self.since = tuple(s + t - b for s, t, b in zip(self.since, now(), before, strict=True))

    def over(self, batches: Iterable[Any], count: Callable[[Any], int]) -> Iterator[Any]:
        """Yield the batches of an epoch, none after the last step.

        Taking the next batch ends a step of `count(batch)` examples.
        """
        if self.ended:
            return
        for batch in batches:
            yield batch
            if self.step(count(batch)):
                return

    def answer(self) -> dict[str, Any]:
        """Return the measurements, to be printed as JSON."""
        names = ("examples", "cpu", "wall", "steps", "peak", "value")
        return {name: getattr(self, name) for name in names}


def timed(stopwatch: Stopwatch, train: Callable[[], object]) -> dict[str, Any]:
    """Return the stopwatch's answer after training that it ends."""
    stopwatch.start()
    train()
    return stopwatch.answer()


def now() -> tuple[float, ...]:
    return time.process_time(), time.perf_counter()


def peak_gb() -> float:
    """Return the peak memory of this process; ru_maxrss would count the parent's peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e9


def hit_rate_of(score_BC: Float64) -> float:
    """Return hit_rate@10 of targets in column 0, beside the drawn candidates."""
    return float(hit_rate(*rank_counts(score_BC, np.zeros(len(score_BC), int)), k=10).mean())


def ndcg_of(score_BI: Float64, target_B: Int64, seen_BI: Bools) -> Float64:
    """Return ndcg@10 of each user among all items that are not marked as seen."""
    return ndcg(*rank_counts(score_BI, target_B, seen_BI), k=10)
