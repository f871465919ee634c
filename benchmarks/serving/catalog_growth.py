"""Measure one list in process by size of the catalog and length of the history: exact search alone.

    python -m benchmarks.serving.catalog_growth bundles/ml-latest-small 10000 100000

It prints JSON. Catalogs are generated (scaled_catalogs.py) and never written: a million movies take
4 GB.
`plot` draws the two lines, docs/serving-growth.svg, from the rows of results/bench-serving.json.
"""

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.serving.list_parts import LENGTH, SEED, K, measure_parts
from benchmarks.serving.scaled_catalogs import generated_catalog, histories, scaled
from marquee.core.svg_charts import Axis, Point, Series, document, draw_lines, group
from marquee.recommender.bundle import Bundle, read_bundle
from marquee.recommender.recommender import Recommender

CATALOG_SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000)
LENGTHS = (1, 5, 20, 50, 100, 200, 500, 1_000)
NUM_USERS, PASSES = 32, 5
X_LABELS = {"movies": f"movies, history of {LENGTH}", "history": "movies of the history"}
COLORS = {
    "whole": "#0f62a8",
    "encoder": "#c4500e",
    "items": "#0b7f5c",
    "top_k": "#a8437f",
    "stars": "#8a6d00",
}
PANEL_WIDTH = 440
Lines = dict[str, dict[str, dict[str, float]]]


class LogAxis(Axis):
    """A logarithmic axis."""

    def at(self, value: float) -> float:
        low, high = math.log10(self.low), math.log10(self.high)
        share = (math.log10(value) - low) / (high - low)
        return self.start + share * (self.end - self.start)

    def label(self, tick: float) -> str:
        return f"{tick:,.10g}"


def log_axis(values: Sequence[float], start: float, end: float) -> LogAxis:
    """Return an axis over all values, which are above 0; a tick for each power of ten."""
    low, high = min(values) / 1.2, max(values) * 1.2
    powers = range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)
    return LogAxis(
        ticks=[10.0**power for power in powers], low=low, high=high, start=start, end=end
    )


def growth(folder: str, catalog_sizes: Sequence[int]) -> Lines:
    """Return CPU microseconds of a list and of its parts.

    The result is {movies: {size: …}, history: {length: …}}.
    """
    trained = read_bundle(folder)
    return {
        "movies": {str(size): in_catalog(trained, size) for size in catalog_sizes},
        "history": in_histories(trained),
    }


def in_catalog(trained: Bundle, size: int) -> dict[str, float]:
    bundle = scaled(trained, generated_catalog(trained.movies, size), SEED)
    recommender = Recommender(bundle)
    recommender.scorer.ann_index = None  # bench_ann_index.py compares the two
    return measure_parts(recommender, histories(bundle, NUM_USERS, LENGTH, SEED), PASSES)


def in_histories(trained: Bundle) -> dict[str, dict[str, float]]:
    recommender = Recommender(trained)
    lengths = [length for length in LENGTHS if length < len(trained.movies)]
    return {
        str(length): measure_parts(recommender, histories(trained, NUM_USERS, length, SEED), PASSES)
        for length in lengths
    }


def plot(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw a list and its parts in milliseconds, against both sizes.

    All axes are logarithmic.
    """
    lines = {kind: {part: points(rows, kind, part) for part in COLORS} for kind in X_LABELS}
    values = [y for parts in lines.values() for line in parts.values() for _, y in line]
    y = log_axis(values, 260, 32)
    panels = []
    for number, (kind, label) in enumerate(X_LABELS.items()):
        sizes = [size for line in lines[kind].values() for size, _ in line]
        series = [
            Series(
                points=lines[kind][part],
                color=color,
                name=part,
                end_label=f"list of {K}" if part == "whole" else part,
            )
            for part, color in COLORS.items()
        ]
        x = log_axis(sizes, 48, PANEL_WIDTH - 80)
        y_label = "CPU milliseconds, one core"
        panel = draw_lines(series, x=x, y=y, x_label=label, y_label=y_label)
        panels.append(group(PANEL_WIDTH * number, 0, panel))
    title = "CPU time of a list and of its parts, by catalog and by history"
    path.write_text(document(2 * PANEL_WIDTH, 306, panels, title=title, standalone=True))


def points(rows: Sequence[dict[str, Any]], kind: str, part: str) -> list[Point]:
    """Return (size, milliseconds) of one part, by ascending size."""
    return sorted(
        (float(row["name"].split("-")[2]), row["value"] / 1000)
        for row in rows
        if row["name"].startswith(f"growth-{kind}-") and row["name"].endswith(part)
    )


if __name__ == "__main__":
    print(json.dumps(growth(sys.argv[1], [int(size) for size in sys.argv[2:]])))
