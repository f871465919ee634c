"""Parts of one list, each measured alone: a child of bench_serving.py.

    python benchmarks/serving_parts.py bundles/ml-latest-small          # one core, prints JSON

encoder   one run of the history encoder
items     one pass of the item matrix
top_k     one selection of the ten best
stars     the short-list head: expected stars, interval and P(4 or more) of the ten
in_turn   the four, one after the other for each user: what one leaves in the caches and the
          branch predictors of the processor is not what the next one needs
whole     Recommender.recommend, without HTTP

CPU microseconds a user, over the same histories that the service is asked with; the median of
some passes over all of them.
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
from serving_catalogues import UserHistories, histories

from marquee.recommender.bundle import read_bundle
from marquee.recommender.recommender import Recommender
from marquee.recommender.topk import top_page

K, LENGTH, NUM_USERS, SEED = 10, 50, 256, 0
PASSES = 5


def main(folder: str, num_users: int) -> dict[str, float]:
    bundle = read_bundle(folder)
    return parts(Recommender(bundle), histories(bundle, num_users, LENGTH, SEED), PASSES)


def maker(folder: str, part: str) -> Callable[[int], Any]:
    """Run one part of a list, or the four `in_turn`, for user n of NUM_USERS."""
    bundle = read_bundle(folder)
    return makers(Recommender(bundle), histories(bundle, NUM_USERS, LENGTH, SEED))[part]


def parts(recommender: Recommender, entries: UserHistories, passes: int) -> dict[str, float]:
    """Return the CPU microseconds a user of each part."""
    parts = makers(recommender, entries)
    parts["whole"] = lambda n: recommender.recommend(history=entries[n], k=K)
    taken: dict[str, list[float]] = {name: [] for name in parts}
    for _ in range(passes):
        for name, make in parts.items():
            taken[name].append(cpu_us(make, len(entries)))
    return {name: statistics.median(each) for name, each in taken.items()}


def makers(recommender: Recommender, entries: UserHistories) -> dict[str, Callable[[int], Any]]:
    """Return each part of user n, and `in_turn`.

    The inputs that a part takes from the others are computed before.
    """
    history = [recommender.parse_history(each) for each in entries]
    half = list(recommender.scorer.encoder(history))
    score = [recommender.scorer.head.logits(each) for each in half]
    keep_I = np.ones(len(recommender.movies), dtype=bool)
    row = [top_page(each, keep_I, K, 0)[0] for each in score]
    parts: dict[str, Callable[[int], Any]] = {
        "encoder": lambda n: list(recommender.scorer.encoder([history[n]])),
        "items": lambda n: recommender.scorer.head.logits(half[n]),
        "top_k": lambda n: top_page(score[n], keep_I, K, 0),
        "stars": lambda n: list(recommender.rating_model.describe([history[n]], [row[n]])),
    }
    alone = list(parts.values())
    parts["in_turn"] = lambda n: [part(n) for part in alone]
    return parts


def cpu_us(make: Callable[[int], Any], times: int) -> float:
    """CPU microseconds of make(0), make(1), …, on average."""
    since = time.process_time()
    for n in range(times):
        make(n)
    return 1e6 * (time.process_time() - since) / times


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else NUM_USERS)))
