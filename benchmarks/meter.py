"""The clock of a child of bench_training.py: seconds, examples and memory of training steps.

    meter = Meter({"warmup": 3, "steps": 20})              # the speed of 20 steps
    meter = Meter({"target": 0.6, "first_look_s": 4, "cap_s": 300}, figure)  # or seconds until it
    for batch in meter.over(batches, len): ...             # ends after the last step

Seconds are of the processor, of all threads. What is no training is off the clock: questions of
validation above all. Imported by programs of two environments, so it needs numpy alone.

Shapes: Q persons asked, C candidates.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from marquee.evaluation.metrics.ranking import hit_rate, ndcg, rank_counts

LOOKS = 1.15
"""Validation asks after first_look_s, whenever it took 15% longer: the answer is at most so late
(or a step), and a program that learns slowly is not asked more often than one that learns fast."""


class Meter:
    def __init__(
        self, options: dict[str, Any], figure: Callable[[], float] = lambda: float("nan")
    ) -> None:
        self.warmup, self.asked_steps = options.get("warmup", 0), options.get("steps")
        self.target, self.cap_s = options.get("target"), options.get("cap_s", 0)
        self.next_look, self.figure, self.found = (
            options.get("first_look_s", 0),
            figure,
            float("nan"),
        )
        self.steps = self.examples = 0
        self.ended = False
        self.cpu = self.wall = 0.0

    def start(self) -> None:
        self.since = now()

    def step(self, examples: int) -> bool:
        """A step has ended; True where it was the last one."""
        if self.warmup:
            self.warmup -= 1
            self.start()
            return False
        self.cpu, self.wall = (t - s for t, s in zip(now(), self.since, strict=True))
        self.steps, self.examples = self.steps + 1, self.examples + examples
        self.ended = self.is_reached() if self.target else self.steps == self.asked_steps
        if self.ended:
            self.peak = peak_gb()
        return self.ended

    def is_reached(self) -> bool:
        if self.cpu < self.next_look:
            return False
        self.next_look = LOOKS * self.cpu
        with self.paused():
            self.found = self.figure()
        print(f"{self.cpu:7.1f} CPU s  {self.examples:10,}  {self.found:.4f}", file=sys.stderr)
        return self.found >= self.target or self.cpu >= self.cap_s

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the clock within the block."""
        before = now()
        yield
        self.since = tuple(s + t - b for s, t, b in zip(self.since, now(), before, strict=True))

    def over(self, batches: Iterable[Any], count: Callable[[Any], int]) -> Iterator[Any]:
        """The batches of an epoch, none after the last step; who asks for the next one has ended
        a step."""
        if self.ended:
            return
        for batch in batches:
            yield batch
            if self.step(count(batch)):
                return

    def answer(self) -> dict[str, Any]:
        names = ("examples", "cpu", "wall", "steps", "peak", "found")
        return {name: getattr(self, name) for name in names}


def timed(meter: Meter, train: Callable[[], object]) -> dict[str, Any]:
    """The meter's answer after training that it ends."""
    meter.start()
    train()
    return meter.answer()


def now() -> tuple[float, ...]:
    return time.process_time(), time.perf_counter()


def peak_gb() -> float:
    """Most memory that this process has held; ru_maxrss would count the parent's peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e9


def hit_rate_of(score_QC: np.ndarray) -> float:
    """hit_rate@10 where the movie to be found is in column 0, beside the drawn ones."""
    return float(hit_rate(*rank_counts(score_QC, np.zeros(len(score_QC), int)), k=10).mean())


def ndcg_of(score_QI: np.ndarray, target_Q: np.ndarray, seen_QI: np.ndarray) -> np.ndarray:
    """ndcg@10 of each person among all movies that are not marked as seen."""
    return ndcg(*rank_counts(score_QI, target_Q, seen_QI), k=10)
