"""A recipe with folds: fitted once for each of them, measured over all their test ratings.

    python train.py fit --config recipes/ml-100k.stars.yaml        u1 to u5 of ml-100k

A fold is a whole `fit` under the name uK-RECIPE, its results and rows in `runs/uK-RECIPE/`. The
test parts of all folds are every rating once, and `results/` holds the figures over all of them.
`per_fold` lists each fold's own: the mean of their RMSE is what papers give.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from marquee.evaluation.results import results_path, write_results
from marquee.training.evaluate_ratings import ROWS, figures, printed
from marquee.training.recipe import Recipe


def fit_folds(fit: Callable[[list[str]], None], args: list[str], base: Recipe) -> None:
    """Fit every fold of a recipe, and write what they say together.

    fit: the verb of train.py. args: its arguments. base: the recipe they make, not run.
    """
    if not base.config["ckpt_path"]:  # else it may be a run of before
        shutil.rmtree(base.run_folder)
    runs = Path(base.config["runs"])
    contents, tables = [], []
    for fold in base.config["folds"]:
        name = f"u{fold}-{base.name}"
        own = [f"--name={name}", f"--data.fold={fold}", f"--results={runs / name}", "--folds=[]"]
        fit([*args, *own])
        contents.append(json.loads(results_path(runs / name, name, "stars").read_text()))
        tables.append(pd.read_parquet(runs / name / ROWS))
    same = ("protocol", "data", "commit", "data_sha256", "machine", "seeds")
    content = {
        "recipe": f"recipes/{base.name}.yaml",
        **{key: contents[0][key] for key in same},
        "folds": base.config["folds"],
        "wall_s": sum(each["wall_s"] for each in contents),
        "cpu_s": sum(each["cpu_s"] for each in contents),
        **figures(pd.concat(tables, ignore_index=True)),
        "per_fold": [
            {
                "selection": each["selection"],
                "baseline_settings": each["baseline_settings"],
                **{figure: value["mean"] for figure, value in each["metrics"].items()},
            }
            for each in contents
        ],
    }
    path = write_results(base.config["results"], base.name, "stars", content)
    print(printed(path, content), flush=True)
