"""Compare approximate with exact search by size of the catalog: time and recall.

    make bench-ann-index                   # results/bench-reach.json, 5 minutes on one core
    make bench-ann-index ARGS=--short      # 10,000 movies, prints only

The catalog of a bundle is grown: each generated movie lies between two of its own, with noise.
Users are random histories, encoded by the bundle. Each size is searched exactly (all logits, the
ten best) and by marquee/recommender/ann_index.py (candidates, their exact logits, the ten best), in
turn. recall@10 is the share of the exact ten among the approximate ten. One thread.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.report import report, write_report
from marquee.recommender.ann_index import AnnIndex
from marquee.recommender.encoder import Head, UserVector
from marquee.recommender.recommender import Recommender
from marquee.recommender.topk import top_page

SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000)
NUM_USERS = 108
NUM_BIAS_USERS = 8
"""Users whose scores center the index; the others are searched for."""
NOISE = 0.3
"""Of a generated movie, in standard deviations of each number over the bundle's movies."""
Rows = list[dict[str, Any]]


def main() -> None:
    arguments = argparse.ArgumentParser(description="Exact search against codes.")
    arguments.add_argument("--bundle", default="bundles/ml-latest-small")
    arguments.add_argument("--short", action="store_true", help="10,000 movies, prints only")
    options = arguments.parse_args()
    recommender = Recommender.load(options.bundle)
    users = user_vectors(recommender)
    rows: Rows = []
    for size in SIZES[:1] if options.short else SIZES:
        rows += measure(grown(recommender, size), users)
        for row in rows[-6:]:
            print(f"{row['name']:28} {row['value']:>10,.4g} {row['unit']}", flush=True)
    if not options.short:
        write_report("bench-reach.json", report(rows))


def user_vectors(recommender: Recommender) -> list[UserVector]:
    """Encode random histories of 3 to 80 movies, popular ones more often."""
    rng, count_I = np.random.default_rng(0), recommender.num_ratings + 1
    chance_I, ids = count_I / count_I.sum(), recommender.movie_ids
    drawn = (
        rng.choice(len(ids), int(rng.integers(3, 80)), replace=False, p=chance_I)
        for _ in range(NUM_USERS)
    )
    histories = [recommender.catalog.parse_history(ids[rows].tolist()) for rows in drawn]
    return list(recommender.scorer.encoder(histories))


def grown(recommender: Recommender, size: int) -> Head:
    """Return a head over generated movies."""
    rng, head = np.random.default_rng(1), recommender.scorer.head
    first, second = rng.integers(0, len(head.item_bias_I), (2, size))
    share = rng.beta(2, 2, size).astype(np.float32) / 2

    def between(array: np.ndarray) -> np.ndarray:
        part = share.reshape(-1, *[1] * (array.ndim - 1))
        noise = rng.standard_normal((size, *array.shape[1:]), np.float32) * array.std(0) * NOISE
        return np.asarray((1 - part) * array[first] + part * array[second] + noise, np.float32)

    mlp_HI = np.ascontiguousarray(between(head.item_mlp_HI.T).T)
    return Head(
        item_gmf_ID=between(head.item_gmf_ID),
        item_mlp_HI=mlp_HI,
        mlp_out_H=head.mlp_out_H,
        item_bias_I=between(head.item_bias_I),
    )


def measure(head: Head, users: list[UserVector]) -> Rows:
    """Return the rows of one size."""
    start = time.process_time()
    index = AnnIndex(head, users[:NUM_BIAS_USERS])
    built_s, size = time.process_time() - start, len(head.item_bias_I)
    everything = np.ones(size, dtype=bool)

    def exact(user: UserVector) -> np.ndarray:
        return top_page(head.logits(user), everything, 10, 0)[0]

    def approximate(user: UserVector) -> np.ndarray:
        rows = index.search(user.gmf_D)
        return rows[top_page(head.take(rows).logits(user), everything[: len(rows)], 10, 0)[0]]

    times: dict[str, list[float]] = {"exact": [], "reach": []}
    recall = []
    for user in users[NUM_BIAS_USERS:]:
        results = [
            timed(search, user, times[name])
            for name, search in (("exact", exact), ("reach", approximate))
        ]
        recall.append(len(set(results[0].tolist()) & set(results[1].tolist())) / 10)
    return list(size_rows(size, times, recall, built_s))


def timed(
    search: Callable[[UserVector], np.ndarray], user: UserVector, into: list[float]
) -> np.ndarray:
    start = time.process_time()
    results = search(user)
    into.append(1e3 * (time.process_time() - start))
    return results


def size_rows(
    size: int, times: dict[str, list[float]], recall: list[float], built_s: float
) -> Iterator[dict[str, Any]]:
    def row(name: str, what: str, values: list[float], unit: str, middle: float) -> dict[str, Any]:
        low, high = np.quantile(values, [0.25, 0.75])
        return {
            "name": f"{name}-{size}",
            "what": f"{size:,} generated movies: {what}",
            "value": round(float(middle), 4),
            "unit": unit,
            "spread": round(float(high - low), 4),
        }

    for name, what in (("exact", "all scored"), ("reach", "candidates scored")):
        yield row(name, f"{what}, the ten best", times[name], "CPU ms", np.median(times[name]))
    pairs = (np.array(times["exact"]) / np.array(times["reach"])).tolist()
    yield row("reach-gain", "all / candidates, user by user", pairs, "x", np.median(pairs))
    yield row(
        "reach-recall",
        "share of the exact ten best among the approximate ten",
        recall,
        "",
        np.mean(recall),
    )
    yield row("reach-least", "the same for the user with the lowest share", recall, "", min(recall))
    yield row("reach-build", "building the index", [built_s], "CPU s", built_s)


if __name__ == "__main__":
    main()
