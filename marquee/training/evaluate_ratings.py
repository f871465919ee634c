"""Protocol `stars`, read once: through the exported bundles, beside the baselines, into `results/`.

A history goes into the library as movie ids and stars, what comes back is a distribution for each
movie asked for. Every answer is a row of `runs/NAME/test-stars.parquet`, and figures are made from
those rows alone, so that anyone can make them again. ml-1m, 100,000 ratings: 40 s a bundle.

Shapes: T ratings asked for.
"""

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from datamodules.datamodule import InteractionDataModule
from datamodules.loaders import training_ratings
from datamodules.splits.leave_one_out import Questions, Split
from marquee.core.columns import Columns
from marquee.evaluation.baselines.rating import BASELINES, Given, StarBaseline, rivals
from marquee.evaluation.metrics.rating import (
    LIKED,
    Predicted,
    compare_stars,
    places,
    rater_kinds,
    star_figures,
    star_means,
    summarise_stars,
)
from marquee.evaluation.report import flattened
from marquee.evaluation.results import write_results, write_table
from marquee.recommender.recommender import Recommender
from marquee.training.evaluate import Fit, facts

ROWS = "test-stars.parquet"


def test(
    data: InteractionDataModule,
    done: Fit,
    models: Mapping[int, Recommender],
    unrefitted: Recommender,
    *,
    name: str,
    results: Path,
    rows: Path,
    device: str,
) -> dict[str, float]:
    """Measure the bundles of a finished training and write its results and test rows.

    models: by training seed; figures are over their answers together. Returns every figure under a
    flat name: test/stars/rmse, test/stars/rmse/low, baseline/biases/stars/rmse.
    """
    theirs, settings = baselines(data)
    found = [
        answers(model, data, "validation").assign(seed=seed, **theirs)
        for seed, model in models.items()
    ]
    table = pd.concat(found, ignore_index=True)
    write_table(rows / ROWS, pa.Table.from_pandas(table, preserve_index=False))
    content: dict[str, Any] = {
        "recipe": f"recipes/{name}.yaml",
        "protocol": "stars",
        "data": data.dataset.name,
        **facts(data, done, device),
        "seeds": list(models),
        "selection": {"epochs": done.epochs, **done.validation, **validate(unrefitted, data)},
        **done.cost(),
        "baseline_settings": settings,
        **figures(table),
    }
    path = write_results(results, name, "stars", content)
    print(printed(path, content), flush=True)
    return flattened("stars", content)


def validate(unrefitted: Recommender, data: InteractionDataModule) -> dict[str, float]:
    """Every figure of the validation part."""
    found = star_means(star_figures(of_rows(answers(unrefitted, data, "none"))))
    return {f"val/{name}": value for name, value in found.items()}


def figures(table: pd.DataFrame) -> dict[str, Any]:
    """The part of a results file that test rows decide, of one or more seeds or folds."""
    ours = star_figures(of_rows(table))
    there = [rival for rival in BASELINES if rival in table]
    theirs = {rival: star_figures(of_rows(table, rival)) for rival in there}
    return {
        "num_users": int(table[Columns.USER_ID].nunique()),
        "num_ratings": int(len(table) // table["seed"].nunique()),
        "metrics": summarise_stars(ours),
        "baselines": {rival: summarise_stars(each) for rival, each in theirs.items()},
        "paired": {rival: compare_stars(ours, each) for rival, each in theirs.items()},
        "per_seed": [star_means(star_figures(of_rows(one))) for _, one in table.groupby("seed")],
    }


def of_rows(table: pd.DataFrame, rival: str | None = None) -> Predicted:
    """What the model, or a baseline, said in these rows."""
    user, _ = pd.factorize(table[Columns.USER_ID])
    stars = table["stars"].to_numpy()
    if rival is not None:
        return Predicted(user, stars, table[rival].to_numpy())
    names = ("predicted", "p_like", "place", "support", "rater")
    return Predicted(user, stars, *(table[name].to_numpy() for name in names))


def answers(model: Recommender, data: InteractionDataModule, refit: Any) -> pd.DataFrame:
    """One row a rating that is asked for after `refit` has been trained on: user_id, movie_id,
    stars; predicted, p_like and place of the model; support of the movie and kind of the rater."""
    split = data.plain_split.refit(refit)
    asked = split.valid if refit == "none" else split.test
    scale, movie_id = data.dataset.scale, data.dataset.movies.movie_id
    item, given_stars = asked.histories.item, asked.histories.stars
    expected, chances = [], []
    for start, first, given, end in cuts(asked):
        rows = slice(start + first, start + given)
        history = list(zip(movie_id[item[rows]].tolist(), given_stars[rows].tolist(), strict=True))
        ids = movie_id[item[start + given : start + end]]
        expected.append(model.predict_stars([history], ids)[0])
        chances.append(model.star_chances(history, ids))
    user, asked_item, stars = asked_for(asked)
    chance_TK = np.concatenate(chances).astype(np.float64)
    train_user, train_item, train_stars = training_ratings(split)
    num_users = len(split.histories)
    kinds = rater_kinds(train_user, train_stars.astype(np.float64), num_users, scale)
    columns = {
        Columns.USER_ID: split.everything.user_id[user],
        Columns.MOVIE_ID: movie_id[asked_item],
        "stars": stars,
        "predicted": np.concatenate(expected).astype(np.float64),
        "p_like": chance_TK[:, np.asarray(scale) >= LIKED].sum(1),
        "place": places(chance_TK, np.searchsorted(np.asarray(scale), stars)),
        "support": np.bincount(train_item, minlength=split.num_items)[asked_item],
        "rater": kinds[user],
    }
    return pd.DataFrame(columns)


def cuts(asked: Questions) -> Iterator[tuple[int, int, int, int]]:
    bounds: Any = (asked.start, asked.first, asked.given, asked.end)
    return zip(*(each.tolist() for each in bounds), strict=True)


def asked_for(asked: Questions) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Person, movie and stars of each rating asked for, (T,) each."""
    rows = [np.arange(start + given, start + end) for start, _, given, end in cuts(asked)]
    user, row = np.repeat(asked.user, [len(each) for each in rows]), np.concatenate(rows)
    return user, asked.histories.item[row], asked.histories.stars[row].astype(np.float64)


def baselines(
    data: InteractionDataModule,
) -> tuple[dict[str, np.ndarray], dict[str, dict[str, float]]]:
    """Each baseline's stars for the test part, (T,), and the settings that validation chose."""
    split, low, high = data.plain_split, data.dataset.scale[0], data.dataset.scale[-1]
    given, refitted = given_of(split), given_of(split.refit("validation"))
    valid_user, valid_item, valid_stars = asked_for(split.valid)
    test_user, test_item, _ = asked_for(split.test)
    found: dict[str, np.ndarray] = {}
    settings: dict[str, dict[str, float]] = {}
    for rival, (make, grid) in rivals().items():

        def error(chosen: dict[str, float], make: Any = make) -> float:
            baseline: StarBaseline = make(**chosen).fit(given)
            stars = np.clip(baseline.expected(valid_user, valid_item), low, high)
            return float(np.mean((stars - valid_stars) ** 2))

        choices = [dict(zip(grid, each, strict=True)) for each in itertools.product(*grid.values())]
        settings[rival] = min(choices, key=error) if len(choices) > 1 else choices[0]
        chosen: StarBaseline = make(**settings[rival]).fit(refitted)
        found[rival] = np.clip(chosen.expected(test_user, test_item), low, high)
    return found, settings


def given_of(split: Split) -> Given:
    user, item, stars = training_ratings(split)
    return Given(user, item, stars.astype(np.float64), len(split.histories), split.num_items)


def printed(path: Path, content: Mapping[str, Any]) -> str:
    """Every figure with its interval, the baselines' errors below."""
    lines = [f"{path} ({content['num_ratings']:,} ratings of {content['num_users']:,} persons)"]
    for name, each in content["metrics"].items():
        lines.append(f"  {name:<28} {each['mean']:.4f}  [{each['low']:.4f}, {each['high']:.4f}]")
    for rival, part in content["baselines"].items():
        rmse, mae = part["rmse"]["mean"], part["mae"]["mean"]
        lines.append(f"  {rival:<28} rmse {rmse:.4f}  mae {mae:.4f}")
    return "\n".join(lines)
