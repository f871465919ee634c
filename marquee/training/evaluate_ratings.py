"""The test part of protocol `stars`, read once: bundles beside baselines, into `results/`.

Every prediction is a row of `runs/NAME/test-stars.parquet`, and metrics are made from those rows
alone. ml-1m, 100,000 ratings: 40 s a bundle.

Local letters: N targets, V values of the rating scale.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from datamodules.datamodule import InteractionDataModule
from datamodules.splits import Refit, Split
from marquee.core.arrays import Columns
from marquee.core.bootstrap import Section, figure_text, interval_text
from marquee.core.command import say
from marquee.core.eval_queries import EvalQueries
from marquee.core.item_stats import liked_rating
from marquee.evaluation.baselines.interactions import Interactions
from marquee.evaluation.baselines.rating import rating_baselines
from marquee.evaluation.metrics.rating import (
    RatingPredictions,
    compare_ratings,
    point_estimates,
    randomized_pit,
    rater_kinds,
    rating_metrics,
    summarise_ratings,
)
from marquee.evaluation.protocols import PROTOCOLS
from marquee.evaluation.report import flatten_results
from marquee.evaluation.results import write_results, write_table
from marquee.evaluation.too_small import reasons_few_users, without_too_small
from marquee.evaluation.tuning import expand_grid
from marquee.recommender.recommender import Recommender
from marquee.training.config import RunConfig
from marquee.training.evaluate import interactions, provenance
from marquee.training.run_bundles import VerifiedBundles
from marquee.training.run_folder import SelectionResult, test_rows_name

TEST_ROWS = test_rows_name("stars")


def evaluate_on_test(
    config: RunConfig,
    data: InteractionDataModule,
    selection: SelectionResult,
    bundles: VerifiedBundles,
    *,
    device: str,
) -> dict[str, float]:
    """Measure the bundles of a run, over the predictions of all seeds together.

    Writes results and test rows. Returns every metric by a flat name: test/stars/rmse/low, ….
    """
    baseline_rating_N, settings = baseline_predictions(data)
    tables = [
        predict_ratings(bundle, data, "validation").assign(seed=seed, **baseline_rating_N)
        for seed, bundle in bundles.by_seed.items()
    ]
    table = pd.concat(tables, ignore_index=True)
    write_table(config.runs_folder / TEST_ROWS, pa.Table.from_pandas(table, preserve_index=False))
    content: dict[str, Any] = {
        "recipe": f"recipes/{config.name}.yaml",
        "protocol": "stars",
        **provenance(data, selection, device),
        "seeds": list(bundles.by_seed),
        "selection": {
            "epochs": selection.epochs,
            **selection.validation,
            **validate(bundles.unrefitted, data),
        },
        **selection.total_cost(),
        "baseline_settings": settings,
        **rating_sections(table),
    }
    path = write_results(config.results, config.name, "stars", content)
    say(format_rating_table(path, content))
    return flatten_results("stars", content)


def validate(unrefitted: Path, data: InteractionDataModule) -> dict[str, float]:
    """Return every metric of the validation part, by the bundle trained without it."""
    rows = predict_ratings(unrefitted, data, "none")
    means = point_estimates(rating_metrics(predictions_of(rows)))
    return {f"val/{name}": value for name, value in means.items()}


def rating_sections(table: pd.DataFrame) -> dict[str, Any]:
    model = rating_metrics(predictions_of(table))
    baselines = {
        name: rating_metrics(predictions_of(table, name))
        for name in PROTOCOLS["stars"].baselines
        if name in table
    }
    num_users = int(table[Columns.USER_ID].nunique())
    reasons = reasons_few_users(model, num_users)

    def without_reasons(section: Section) -> Section:
        return without_too_small(section, reasons)

    return {
        "num_users": num_users,
        "num_ratings": int(len(table) // table["seed"].nunique()),
        "metrics": without_reasons(summarise_ratings(model)),
        "baselines": {
            name: without_reasons(summarise_ratings(sums)) for name, sums in baselines.items()
        },
        "paired": {
            name: without_reasons(compare_ratings(model, sums)) for name, sums in baselines.items()
        },
        "per_seed": [
            point_estimates(rating_metrics(predictions_of(rows))) | dict.fromkeys(reasons)
            for _, rows in table.groupby("seed")
        ],
    }


def predictions_of(table: pd.DataFrame, baseline: str | None = None) -> RatingPredictions:
    """Read the predictions of the model, or of a baseline, from test rows."""
    user, _ = pd.factorize(table[Columns.USER_ID])
    rating_N = table["stars"].to_numpy()
    if baseline is not None:
        return RatingPredictions(user=user, rating=rating_N, expected=table[baseline].to_numpy())
    return RatingPredictions(
        user=user,
        rating=rating_N,
        expected=table["predicted"].to_numpy(),
        is_liked=table["liked"].to_numpy() if "liked" in table else None,  # None: an older run
        p_like=table["p_like"].to_numpy(),
        pit=table["place"].to_numpy(),
        num_ratings=table["support"].to_numpy(),
        rater_kind=table["rater"].to_numpy(),
    )


def predict_ratings(bundle: Path, data: InteractionDataModule, refit: Refit) -> pd.DataFrame:
    """Predict every target rating of the part behind `refit`, a row each.

    predicted, p_like and place (in the distribution) are the model's; support counts the movie's
    training ratings, rater is the kind of the user.
    """
    model, split = Recommender.load(bundle), data.base_split.with_refit(refit)
    queries = split.valid if refit == "none" else split.test
    scale, movie_id = np.asarray(data.dataset.scale), data.dataset.movies.movie_id
    contexts = zip(queries.contexts(), queries.context_ratings(), queries.targets(), strict=True)
    expected, probabilities = [], []
    for items, ratings, targets in contexts:
        history = list(zip(movie_id[items].tolist(), ratings.tolist(), strict=True))
        ids = movie_id[targets]
        expected.append(model.predict_stars([history], ids)[0])
        probabilities.append(model.star_probabilities(history, ids))
    user_N, item_N, rating_N = target_ratings(queries)
    probability_NV = np.concatenate(probabilities).astype(np.float64)
    train = rated_interactions(split)
    assert train.rating is not None
    kind_U = rater_kinds(
        train.user,
        train.rating,
        len(split.train_histories),
        data.dataset.scale,
    )
    liked = liked_rating(data.dataset.scale)
    columns = {
        Columns.USER_ID: split.all_histories.user_id[user_N],
        Columns.MOVIE_ID: movie_id[item_N],
        "stars": rating_N,
        "predicted": np.concatenate(expected).astype(np.float64),
        "p_like": probability_NV[:, scale >= liked].sum(1),
        "liked": rating_N >= liked,
        "place": randomized_pit(probability_NV, np.searchsorted(scale, rating_N)),
        "support": np.bincount(train.item, minlength=split.num_items)[item_N],
        "rater": kind_U[user_N],
    }
    return pd.DataFrame(columns)


def target_ratings(queries: EvalQueries) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return user, item and rating of each target, (N,) each."""
    row_N, item_N = queries.target_pairs()
    rating_N = queries.rating_N[queries.target_positions()].astype(np.float64)
    return queries.user[row_N], item_N, rating_N


def baseline_predictions(
    data: InteractionDataModule,
) -> tuple[dict[str, np.ndarray], dict[str, Mapping[str, float]]]:
    """Return each baseline's ratings of the test part, (N,), and its settings.

    Settings are chosen on validation; the baseline is then fitted on train + validation.
    """
    split, low, high = data.base_split, data.dataset.scale[0], data.dataset.scale[-1]
    train, refitted = (
        rated_interactions(split.with_refit(refit)) for refit in ("none", "validation")
    )
    valid_user, valid_item, valid_rating = target_ratings(split.valid)
    test_user, test_item, _ = target_ratings(split.test)
    predictions: dict[str, np.ndarray] = {}
    settings: dict[str, Mapping[str, float]] = {}
    for name, (make, grid) in rating_baselines().items():
        choices = expand_grid(grid)
        errors = []
        for choice in choices if len(choices) > 1 else ():
            baseline = make(**choice).fit(train)
            rating_N = np.clip(baseline.predict(valid_user, valid_item), low, high)
            errors.append(np.mean((rating_N - valid_rating) ** 2))
        settings[name] = choices[int(np.argmin(errors)) if errors else 0]
        baseline = make(**settings[name]).fit(refitted)
        predictions[name] = np.clip(baseline.predict(test_user, test_item), low, high)
    return predictions, settings


def rated_interactions(split: Split) -> Interactions:
    """Return the training interactions that have a rating."""
    train = interactions(split)
    assert train.rating is not None
    is_rated_N = ~np.isnan(train.rating)
    columns = {name: getattr(train, name)[is_rated_N] for name in ("user", "item", "rating")}
    return replace(train, strength=None, **columns)


def format_rating_table(path: Path, content: Mapping[str, Any]) -> str:
    lines = [f"{path} ({content['num_ratings']:,} ratings of {content['num_users']:,} users)"]
    for name, each in content["metrics"].items():
        lines.append(f"  {name:<28} {interval_text(each)}")
    for name, part in content["baselines"].items():
        rmse, mae = (figure_text(part[metric]["mean"]) for metric in ("rmse", "mae"))
        lines.append(f"  {name:<28} rmse {rmse}  mae {mae}")
    reasons = [each["too_small"] for each in content["metrics"].values() if "too_small" in each]
    return "\n".join([*lines, *(f"  n/a: {reason}" for reason in dict.fromkeys(reasons))])
