"""Cross-validation: fit a recipe once for each of its folds, and measure all test ratings.

A fold is a whole `fit` under the name uK-RECIPE. The test parts of all folds hold every rating
once, and `results/` holds the metrics over all of them. `per_fold` lists the metrics of each fold:
papers report the mean of their RMSE.
"""

from pathlib import Path

import pandas as pd

from marquee.core.command import say
from marquee.core.files import read_json
from marquee.evaluation.results import results_path, write_results
from marquee.training.config import RunConfig
from marquee.training.evaluate_ratings import TEST_ROWS, format_rating_table, rating_sections
from marquee.training.pipeline import fit

# Keys of a results file that are the same in every fold.
SHARED_KEYS = ("protocol", "data", "commit", "data_sha256", "machine", "seeds")


def fit_folds(config: RunConfig) -> None:
    """Fit every fold of a recipe, and write the metrics over all of them."""
    contents, tables = [], []
    for fold in config.folds:
        name = f"u{fold}-{config.name}"
        folder = Path(config.runs) / name
        fit(
            config.with_settings(
                {"name": name, "data.fold": fold, "results": str(folder), "folds": []}
            )
        )
        contents.append(read_json(results_path(folder, name, "stars")))
        tables.append(pd.read_parquet(folder / TEST_ROWS))
    per_fold = [
        {key: fold[key] for key in ("selection", "baseline_settings")}
        | {name: interval["mean"] for name, interval in fold["metrics"].items()}
        for fold in contents
    ]
    content = {
        "recipe": f"recipes/{config.name}.yaml",
        **{key: contents[0][key] for key in SHARED_KEYS},
        "folds": config.folds,
        "wall_s": sum(fold["wall_s"] for fold in contents),
        "cpu_s": sum(fold["cpu_s"] for fold in contents),
        **rating_sections(pd.concat(tables, ignore_index=True)),
        "per_fold": per_fold,
    }
    path = write_results(config.results, config.name, "stars", content)
    say(format_rating_table(path, content))
