"""One list in process, by size of the catalogue and length of the history: exact search alone.

    python benchmarks/serving_growth.py bundles/ml-latest-small 10000 100000     # prints JSON

Catalogues are generated (serving_catalogues.py) and never written: a million movies take 4 GB.
`plot` draws the two lines, docs/serving-growth.svg, from the rows of results/bench-serving.json.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from serving_catalogues import generated_catalogue, histories, scaled
from serving_parts import LENGTH, SEED, K, parts

from marquee.core.svg_charts import Point, Series, document, draw_lines, group, log_axis
from marquee.recommender.bundle import Bundle, read_bundle
from marquee.recommender.recommender import Recommender

CATALOGUES = (10_000, 30_000, 100_000, 300_000, 1_000_000)
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


def growth(folder: str, catalogues: Sequence[int]) -> Lines:
    """Return CPU microseconds of a list and of its parts.

    The result is {movies: {size: …}, history: {length: …}}.
    """
    trained = read_bundle(folder)
    return {
        "movies": {str(size): in_catalogue(trained, size) for size in catalogues},
        "history": in_histories(trained),
    }


def in_catalogue(trained: Bundle, size: int) -> dict[str, float]:
    bundle = scaled(trained, generated_catalogue(trained.movies, size), SEED)
    recommender = Recommender(bundle)
    recommender.scorer.ann_index = None  # bench_reach.py compares the two
    return parts(recommender, histories(bundle, NUM_USERS, LENGTH, SEED), PASSES)


def in_histories(trained: Bundle) -> dict[str, dict[str, float]]:
    recommender = Recommender(trained)
    lengths = [length for length in LENGTHS if length < len(trained.movies)]
    return {
        str(length): parts(recommender, histories(trained, NUM_USERS, length, SEED), PASSES)
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
