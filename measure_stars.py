"""Protocol `stars`, read once: through the exported bundles, beside the baselines, into `results/`.

A history goes into the library as movie ids and stars, what comes back is a distribution for each
movie asked for. ml-1m, 100,000 ratings of 6,000 people: 20 s a bundle.

Shapes: T ratings asked for, K star values.
"""

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from catalogue.columns import Columns
from datamodules.batches import training_ratings
from datamodules.movielens import MovieLens
from datamodules.splits import Questions, Split
from evaluation.results import write_results, write_table
from evaluation.star_baselines import BASELINES, Given, StarBaseline
from evaluation.stars import (
    Predicted,
    compare_stars,
    rater_kinds,
    star_figures,
    summarise_stars,
)
from measure import Fit, facts
from serving.recommender import Recommender


def test(
    data: MovieLens,
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
    flat name: test/stars/rmse, baseline/biases/stars/rmse.
    """
    split, scale = data.plain_split, data.dataset.scale
    found = {seed: predicted(model, data, "validation") for seed, model in models.items()}
    figures = star_figures(together(list(found.values())), scale)
    theirs, settings = baselines(data, len(found))
    validation = summarise_stars(star_figures(valid_predicted(unrefitted, data), scale))
    content: dict[str, Any] = {
        "recipe": f"recipes/{name}.yaml",
        "protocol": "stars",
        "data": data.dataset.name,
        **facts(data, done, device),
        "seeds": list(models),
        "num_persons": len(split.test),
        "num_ratings": int((split.test.end - split.test.given).sum()),
        "selection": {
            "epochs": done.epochs,
            **done.validation,
            **{f"val/{figure}": each["mean"] for figure, each in validation.items()},
        },
        **done.cost(),
        "baseline_settings": settings,
        "metrics": summarise_stars(figures),
        "baselines": {rival: summarise_stars(each) for rival, each in theirs.items()},
        "paired": {rival: compare_stars(figures, each) for rival, each in theirs.items()},
        "per_seed": [
            {
                figure: each["mean"]
                for figure, each in summarise_stars(star_figures(one, scale), draws=1).items()
            }
            for one in found.values()
        ],
    }
    path = write_results(results, name, "stars", content)
    write_rows(data, rows / "test-stars.parquet", found)
    print(table(path, content), flush=True)
    flat = {f"test/stars/{figure}": each["mean"] for figure, each in content["metrics"].items()}
    for rival, part in content["baselines"].items():
        flat |= {f"baseline/{rival}/stars/{name}": each["mean"] for name, each in part.items()}
    return flat


def validate(unrefitted: Recommender, data: MovieLens) -> dict[str, float]:
    """Every figure of the validation part."""
    figures = star_figures(valid_predicted(unrefitted, data), data.dataset.scale)
    return {f"val/{name}": each["mean"] for name, each in summarise_stars(figures, 1).items()}


def valid_predicted(unrefitted: Recommender, data: MovieLens) -> Predicted:
    return predicted(unrefitted, data, "none")


def predicted(model: Recommender, data: MovieLens, refit: Any) -> Predicted:
    """The model's answers to what is asked after `refit` has been trained on."""
    split = data.plain_split.refit(refit)
    asked = split.valid if refit == "none" else split.test
    scale, movie_id = data.dataset.scale, data.dataset.movies.movie_id
    item, stars = asked.histories.item, asked.histories.stars
    expected, chance = [], []
    for start, first, given, end in cuts(asked):
        rows = slice(start + first, start + given)
        history = list(zip(movie_id[item[rows]].tolist(), stars[rows].tolist(), strict=True))
        ids = movie_id[item[start + given : start + end]]
        expected.append(model.predict_stars([history], ids)[0])
        chance.append(model.star_chances(history, ids))
    user, asked_item, asked_stars = asked_for(asked)
    train_user, train_item, train_stars = training_ratings(split)
    num_users = len(split.histories)
    kinds = rater_kinds(train_user, train_stars.astype(np.float64), num_users, scale)
    return Predicted(
        user,
        asked_stars,
        np.concatenate(expected).astype(np.float64),
        np.concatenate(chance).astype(np.float64),
        np.bincount(train_item, minlength=split.num_items)[asked_item],
        kinds[user],
    )


def cuts(asked: Questions) -> Any:
    bounds = asked.start, asked.first, asked.given, asked.end
    return zip(*(each.tolist() for each in bounds), strict=True)


def asked_for(asked: Questions) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Person, movie and stars of each rating asked for, (T,) each."""
    rows = [np.arange(start + given, start + end) for start, _, given, end in cuts(asked)]
    user = np.repeat(asked.user, [len(each) for each in rows])
    row = np.concatenate(rows)
    stars = asked.histories.stars[row].astype(np.float64)
    return user, asked.histories.item[row], stars


def together(found: list[Predicted]) -> Predicted:
    """The answers of all seeds, one after the other."""
    columns: Any = zip(*found, strict=True)
    whole: Any = [None if each[0] is None else np.concatenate(each) for each in columns]
    return Predicted(*whole)


def baselines(
    data: MovieLens, num_seeds: int
) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, float]]]:
    """Figures of each baseline, and the settings that validation chose."""
    split, scale = data.plain_split, data.dataset.scale
    low, high = scale[0], scale[-1]
    found: dict[str, dict[str, Any]] = {}
    settings: dict[str, dict[str, float]] = {}
    given, refitted = given_of(split), given_of(split.refit("validation"))
    valid, test = asked_for(split.valid), asked_for(split.test)
    for rival, (make, grid) in BASELINES.items():

        def answer(
            chosen: dict[str, float],
            learn: Given,
            asked: tuple[np.ndarray, ...],
            make: Any = make,
        ) -> Predicted:
            baseline: StarBaseline = make(**chosen).fit(learn)
            user, item, stars = asked
            return Predicted(user, stars, np.clip(baseline.expected(user, item), low, high))

        def error(chosen: dict[str, float], answer: Any = answer) -> float:
            one = answer(chosen, given, valid)
            return float(np.mean((one.expected - one.stars) ** 2))

        choices = [dict(zip(grid, each, strict=True)) for each in itertools.product(*grid.values())]
        settings[rival] = min(choices, key=error)
        one = answer(settings[rival], refitted, test)
        found[rival] = star_figures(together([one] * num_seeds), scale)
    return found, settings


def given_of(split: Split) -> Given:
    user, item, stars = training_ratings(split)
    return Given(user, item, stars.astype(np.float64), len(split.histories), split.num_items)


def write_rows(data: MovieLens, path: Path, found: Mapping[int, Predicted]) -> None:
    """One row a rating and seed: user_id, movie_id, stars, predicted, seed."""
    test = data.plain_split.test
    _, item, stars = asked_for(test)
    user_id = test.histories.user_id[next(iter(found.values())).user]
    columns = {
        Columns.USER_ID: np.tile(user_id, len(found)),
        Columns.MOVIE_ID: np.tile(data.dataset.movies.movie_id[item], len(found)),
        "stars": np.tile(stars, len(found)),
        "predicted": np.concatenate([one.expected for one in found.values()]),
        "seed": np.repeat(list(found), len(stars)),
    }
    write_table(path, pa.table(columns))


def table(path: Path, content: dict[str, Any]) -> str:
    """What is printed at the end: every figure with its interval, the baselines' errors below."""
    lines = [f"{path} ({content['num_ratings']:,} ratings of {content['num_persons']:,} persons)"]
    for name, each in content["metrics"].items():
        lines.append(f"  {name:<28} {each['mean']:.4f}  [{each['low']:.4f}, {each['high']:.4f}]")
    for rival, part in content["baselines"].items():
        rmse, mae = part["rmse"]["mean"], part["mae"]["mean"]
        lines.append(f"  {rival:<28} rmse {rmse:.4f}  mae {mae:.4f}")
    return "\n".join(lines)
