"""Measure the parts of one list, each alone: a child of bench_serving.py.

    python -m benchmarks.serving.list_parts bundles/ml-latest-small          # one core, prints JSON

encoder   one run of the history encoder
items     one pass of the item matrix
top_k     one selection of the ten best
stars     the short-list head: expected stars, interval and P(4 or more) of the ten
in_turn   the four, one after the other for each user: what one leaves in the caches and the
          branch predictors of the processor is not what the next one needs
whole     Recommender.recommend, without HTTP

CPU microseconds a user, over the histories that are also sent to the service; the median of some
passes over all of them.
"""

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy, as in the service

import numpy as np

from benchmarks.serving.scaled_catalogs import UserHistories, histories
from marquee.recommender.bundle import read_bundle
from marquee.recommender.recommender import Recommender
from marquee.recommender.topk import top_page

K, LENGTH, NUM_USERS, SEED = 10, 50, 256, 0
PASSES = 5


def main(folder: str, num_users: int) -> dict[str, float]:
    bundle = read_bundle(folder)
    return measure_parts(Recommender(bundle), histories(bundle, num_users, LENGTH, SEED), PASSES)


def part_runner(folder: str, part: str) -> Callable[[int], Any]:
    """Run one part of a list, or the four `in_turn`, for user n of NUM_USERS."""
    bundle = read_bundle(folder)
    return part_runners(Recommender(bundle), histories(bundle, NUM_USERS, LENGTH, SEED))[part]


def measure_parts(
    recommender: Recommender, entries: UserHistories, passes: int
) -> dict[str, float]:
    """Return the CPU microseconds a user of each part."""
    runners = part_runners(recommender, entries)
    runners["whole"] = lambda n: recommender.recommend(history=entries[n], k=K)
    times_us: dict[str, list[float]] = {name: [] for name in runners}
    for _ in range(passes):
        for name, run in runners.items():
            times_us[name].append(cpu_us(run, len(entries)))
    return {name: statistics.median(each) for name, each in times_us.items()}


def part_runners(
    recommender: Recommender, entries: UserHistories
) -> dict[str, Callable[[int], Any]]:
    """Return each part of user n, and `in_turn`.

    The inputs that a part takes from the others are computed before.
    """
    history = [recommender.catalog.parse_history(each) for each in entries]
    user = list(recommender.scorer.encoder(history))
    score = [recommender.scorer.head.logits(each) for each in user]
    mask_I = np.ones(len(recommender.movies), dtype=bool)
    row = [top_page(each, mask_I, K, 0)[0] for each in score]
    parts: dict[str, Callable[[int], Any]] = {
        "encoder": lambda n: list(recommender.scorer.encoder([history[n]])),
        "items": lambda n: recommender.scorer.head.logits(user[n]),
        "top_k": lambda n: top_page(score[n], mask_I, K, 0),
        "stars": lambda n: list(recommender.rating_model.describe([history[n]], [row[n]])),
    }
    alone = list(parts.values())
    parts["in_turn"] = lambda n: [part(n) for part in alone]
    return parts


def cpu_us(run: Callable[[int], Any], num_users: int) -> float:
    """Return the CPU microseconds of run(0), run(1), …, on average."""
    start = time.process_time()
    for n in range(num_users):
        run(n)
    return 1e6 * (time.process_time() - start) / num_users


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else NUM_USERS)))
