"""Search by title: how often the right movie is among the first five, and how long it takes.

    make bench-search                                 # 2 minutes on one core, writes results/
    make bench-search ARGS=--short                    # 20 s, prints only

On the 62,423 movies of ml-25m (DATA_ROOT/ml-25m-catalogue, else DATA_ROOT/ml-25m), whose numbers
of ratings are those of ml-latest-small: 9,700 movies have some, the others none. mistyped_titles.py
makes the queries, and defines the relevant movies. Values are medians over seeds, each with queries
of its own; spreads are (max - min). One process on one core.
"""

import argparse
import os
import time
import tracemalloc
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from benchmarks.report import Row, report, row, write_report
from benchmarks.serving.mistyped_titles import KINDS, Query, draw_queries
from benchmarks.serving.scaled_catalogs import read_movies
from marquee.core.errors import InputError
from marquee.core.movies import Movies
from marquee.data.dataset import load_dataset
from marquee.recommender.search.title_search import TitleSearch

FIRST = 5
SEEDS = 5
PER_KIND = 300
HOSTILE = {
    "one-letter": "a" * 200,
    "stop-words": ("the of and a in to " * 20)[:200],
    "digits": "1234567890" * 20,
    "common-pairs": ("in er an th on " * 20)[:200],
    "one-common-letter": "s",
}
"""Queries that touch as much of the index as they can."""
Rows = list[Row]


def read_catalog(root: Path) -> tuple[Movies, np.ndarray]:
    """Return the movies of ml-25m, and their numbers of ratings in ml-latest-small."""
    files = [root / name / "movies.csv" for name in ("ml-25m-catalogue", "ml-25m")]
    path = next((file for file in files if file.exists()), None)
    if path is None:
        raise InputError(f"{files[0]}: no such file, expected movies.csv of ml-25m")
    movies, dataset = read_movies(path), load_dataset("ml-latest-small", root)
    counts = dataset.histories.item_counts(len(dataset.movies))
    known = dict(zip(dataset.movies.movie_id.tolist(), counts.tolist(), strict=True))
    return movies, np.array([known.get(movie_id, 0) for movie_id in movies.movie_id.tolist()])


def run_queries(search: TitleSearch, queries: Iterable[Query]) -> tuple[np.ndarray, np.ndarray]:
    """Return whether a relevant movie is among the first five, and the times.

    Arrays over Q queries: bool (Q,), and milliseconds of CPU and of wall time, (Q, 2).
    """
    hits, ms = [], []
    for query in queries:
        cpu, wall = time.thread_time(), time.perf_counter()
        rows = search.find(query.text, FIRST)
        ms.append((1000 * (time.thread_time() - cpu), 1000 * (time.perf_counter() - wall)))
        hits.append(not query.relevant.isdisjoint(rows.tolist()))
    return np.array(hits), np.array(ms)


def build_index(movies: Movies, num_ratings: np.ndarray) -> tuple[float, TitleSearch]:
    """Return the CPU seconds of a new index, and the index."""
    start = time.thread_time()
    search = TitleSearch(movies, num_ratings)
    return time.thread_time() - start, search


def size_rows(movies: Movies, num_ratings: np.ndarray) -> Rows:
    """Measure the memory of the index: when it is built, and the peak while building."""
    tracemalloc.start()
    search = TitleSearch(movies, num_ratings)
    sizes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(search.find("heat", FIRST)) == FIRST
    what = ("memory that the index holds", "most memory while it is built")
    names = ("memory", "memory-most")
    return [row(n, w, [s / 1e6], "MB") for n, w, s in zip(names, what, sizes, strict=True)]


def hit_rows(runs: list[tuple[list[Query], np.ndarray]], num_ratings: np.ndarray) -> Rows:
    rows = []
    for kind, (what, _) in KINDS.items():
        shares = [share(hits[[q.kind == kind for q in queries]]) for queries, hits in runs]
        count = sum(q.kind == kind for q in runs[0][0])
        rows.append(row(f"found-{kind}", f"{what}; {count} queries a seed", shares, "%"))
    what = f"all kinds, {len(runs[0][0]):,} queries a seed; right movie in the first {FIRST}"
    rows.append(row("found", what, [share(hits) for _, hits in runs], "%"))
    rated = [share(hits[[num_ratings[q.row] > 0 for q in qs]]) for qs, hits in runs]
    rows.append(row("found-rated", "those of movies that ml-latest-small rates", rated, "%"))
    return rows


def share(hits: np.ndarray) -> float:
    return 100 * float(hits.mean()) if len(hits) else float("nan")


def time_rows(times: list[np.ndarray]) -> Rows:
    rows, percentiles = [], {"median": 50, "p95": 95, "p99": 99, "slowest": 100}
    for column, (kind, unit) in enumerate((("cpu", "CPU ms"), ("wall", "ms"))):
        for name, q in percentiles.items():
            values = [float(np.percentile(t[:, column], q)) for t in times]
            rows.append(row(f"{kind}-{name}", "one query, one core", values, unit))
    return rows


def hostile_rows(search: TitleSearch) -> Rows:
    rows = []
    for name, text in HOSTILE.items():
        query = Query(name, text, frozenset(), 0)
        what = f"{text[:20]!r}, {len(text)} letters; 20 times"
        cpu_ms = run_queries(search, [query] * 20)[1][:, 0].tolist()
        rows.append(row(f"hostile-{name}", what, cpu_ms, "CPU ms"))
    return rows


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--short", action="store_true")
    arguments.add_argument(
        "--misses", action="store_true", help="print queries without a relevant movie"
    )
    options = arguments.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    movies, num_ratings = read_catalog(Path(os.environ.get("DATA_ROOT", "data")))
    indexes = [build_index(movies, num_ratings) for _ in range(1 if options.short else SEEDS)]
    search = indexes[-1][1]
    runs, times = [], []
    for seed in range(1 if options.short else SEEDS):
        queries = draw_queries(movies, PER_KIND, seed)
        hits, ms = run_queries(search, queries)
        runs.append((queries, hits))
        times.append(ms)
        if options.misses:
            print_misses(search, movies, queries, hits)
    rows = hit_rows(runs, num_ratings) + time_rows(times) + hostile_rows(search)
    what = f"the index over {len(movies):,} movies, built while the bundle is loaded"
    rows.append(row("build", what, [seconds for seconds, _ in indexes], "CPU s"))
    rows += size_rows(movies, num_ratings)
    for each in rows:
        print(f"{each['name']:24} {each['value']:8} {each['unit']:6} ± {each['spread']}")
    if not options.short:
        write_report("search.json", report(rows))


def print_misses(
    search: TitleSearch, movies: Movies, queries: list[Query], hits: np.ndarray
) -> None:
    for query, hit in zip(queries, hits, strict=True):
        if not hit:
            instead = [movies.label(n) for n in search.find(query.text, FIRST).tolist()]
            print(f"{query.kind:16} {query.text!r} <- {movies.label(query.row)!r}: {instead}")


if __name__ == "__main__":
    main()
