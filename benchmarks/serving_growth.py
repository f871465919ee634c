"""One list in process, by size of the catalogue and length of the history: exact search alone.

    python benchmarks/serving_growth.py bundles/ml-latest-small 10000 100000     # prints JSON

Catalogues are generated (serving_catalogues.py) and never written: a million movies take 4 GB.
`plot` draws the two lines, docs/serving-growth.svg, from the rows of results/bench-serving.json.
"""

import json
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from serving_catalogues import generated_catalogue, histories, scaled
from serving_parts import LENGTH, SEED, K, parts

from marquee.recommender.bundle import Bundle, read_bundle
from marquee.recommender.recommender import Recommender

CATALOGUES = (10_000, 30_000, 100_000, 300_000, 1_000_000)
LENGTHS = (1, 5, 20, 50, 100, 200, 500, 1_000)
PEOPLE, PASSES = 32, 5
Lines = dict[str, dict[str, dict[str, float]]]


def growth(folder: str, catalogues: Sequence[int]) -> Lines:
    """CPU microseconds of a list and of its parts: {movies: {size: …}, history: {length: …}}."""
    trained = read_bundle(folder)
    return {
        "movies": {str(size): in_catalogue(trained, size) for size in catalogues},
        "history": in_histories(trained),
    }


def in_catalogue(trained: Bundle, size: int) -> dict[str, float]:
    bundle = scaled(trained, generated_catalogue(trained.movies, size), SEED)
    recommender = Recommender(bundle)
    recommender.scorer.reach = None  # bench_reach.py compares the two
    return parts(recommender, histories(bundle, PEOPLE, LENGTH, SEED), PASSES)


def in_histories(trained: Bundle) -> dict[str, dict[str, float]]:
    recommender = Recommender(trained)
    lengths = [length for length in LENGTHS if length < len(trained.movies)]
    return {
        str(length): parts(recommender, histories(trained, PEOPLE, length, SEED), PASSES)
        for length in lengths
    }


def plot(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Both lines, a list and its parts, in milliseconds; both axes are logarithmic."""
    if find_spec("matplotlib") is None:
        print("the plot needs matplotlib: pip install -e '.[plots]'", file=sys.stderr)
        return
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    matplotlib.rcParams |= {"svg.hashsalt": "growth", "svg.fonttype": "none", "font.size": 9}
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True)
    titles = {"movies": f"movies, history of {LENGTH}", "history": "films of the history"}
    for panel, (kind, label) in zip(axes, titles.items(), strict=True):
        for name in ("whole", "encoder", "items", "top_k", "stars"):
            points = sorted(
                (int(row["name"].split("-")[2]), row["value"] / 1000)
                for row in rows
                if row["name"].startswith(f"growth-{kind}-") and row["name"].endswith(name)
            )
            x, y = zip(*points, strict=True)
            label_of = f"one list of {K}" if name == "whole" else name
            panel.plot(
                x, y, marker="o", markersize=3, lw=2 if name == "whole" else 1, label=label_of
            )
        panel.set(xscale="log", yscale="log", xlabel=label)
        panel.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("CPU milliseconds, one core")
    axes[0].legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    plt.close(figure)


if __name__ == "__main__":
    print(json.dumps(growth(sys.argv[1], [int(size) for size in sys.argv[2:]])))
