"""Simulation: what real ratings cannot show, on SYNTHETIC users whose liking of all items is known.

In each of five worlds (marquee/evaluation/simulator.py) a model is trained on the ratings of 1,500
users, and measured through its bundle. `marquee simulate`, 5 min, writes results/simulated.*.json:

    selection   the error over every pair that was not trained on (the truth), beside the error on
                held-out ratings that users chose to give (naive), and that error weighted by
                propensities: true, by rating, by item (marquee/evaluation/metrics/propensity.py)
    portion     300 further users, known by ratings alone, by watched shares alone, or by both: the
                error over unwatched items, and the liking of ten items, listed by expected ratings
                and by the ranking network

What this does not show: how real users watch. The world is the design of its author.

Local letters: N held-out ratings, R random pairs.
"""

from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd

from marquee.core.arrays import Bools, Float64, Int64
from marquee.core.command import say
from marquee.core.files import write_atomic
from marquee.evaluation.metrics.rating import item_propensity, rating_propensity, snips_rmse
from marquee.evaluation.results import code_commit, write_results
from marquee.evaluation.simulator import World
from marquee.recommender.recommender import Recommender
from marquee.training.config import read_config
from marquee.training.evaluate_ratings import TEST_ROWS
from marquee.training.pipeline import fit
from marquee.training.studies.study_command import mean_and_range, run_study, study_parser

RECIPE = Path(__file__).parents[3] / "recipes" / "simulated.yaml"
NUM_WORLDS = 5
NUM_TRAINED_USERS = 1500
NUM_NEW_USERS = 300  # not trained on; the last ones of a world
NUM_RANDOM_PAIRS = 2_000  # for `rating_propensity`; real users would be asked for them
LIST_LENGTH = 10
HISTORY_KINDS = ("stars", "portion", "both")  # ratings, shares of all watched items, or both

# A history: movie_id, rating and watched share.
UserEntries: TypeAlias = list[tuple[int, float | None] | tuple[int, float | None, float]]
Metrics: TypeAlias = dict[str, float]


def main(args: list[str]) -> int:
    return run_study("simulate", simulate, args)


def simulate(args: list[str]) -> None:
    parser = study_parser("simulate", "Train on users whose taste is known.")
    _, settings = parser.parse_known_args(args)
    root = Path("runs") / "simulated-worlds"
    worlds = [measure_world(settings, root / str(seed), seed) for seed in range(NUM_WORLDS)]
    for protocol in ("selection", "portion"):
        rows = pd.DataFrame([world[protocol] for world in worlds])
        metrics = {name: mean_and_range(rows[name].tolist()) for name in rows}
        content = {
            "synthetic": "simulated users; no metric describes real users",
            "recipe": "recipes/simulated.yaml",
            "protocol": protocol,
            "data": "simulated",
            "commit": code_commit(),
            "seeds": list(range(NUM_WORLDS)),
            "per_seed": rows.to_dict("records"),
            "metrics": metrics,
        }
        path = write_results("results", "simulated", protocol, content)
        for name, value in metrics.items():
            say(f"{path}: {name:<28} {value['mean']:.3f} [{value['low']:.3f}, {value['high']:.3f}]")


def measure_world(settings: list[str], folder: Path, seed: int) -> dict[str, Metrics]:
    world = World.generate(seed, NUM_TRAINED_USERS + NUM_NEW_USERS)
    trained_users, new_users = np.split(np.arange(len(world.rating_UI)), [NUM_TRAINED_USERS])
    ratings, movies = world.to_csv(trained_users, seed)
    write_atomic(folder / "demo" / "ratings.csv", ratings)
    write_atomic(folder / "demo" / "movies.csv", movies)
    world_args = [f"--data.root={folder}", f"--seed_everything={seed}", f"--seeds=[{seed}]"]
    world_args += [f"--{name}={folder / name}" for name in ("runs", "bundles", "results")]
    config = read_config([f"--config={RECIPE}", "--comet=off", *world_args, *settings])
    fit(config)
    model = Recommender.load(config.bundle_folder)
    rows = pd.read_parquet(config.runs_folder / TEST_ROWS)
    return {
        "selection": selection_metrics(world, model, rows, seed),
        "portion": portion_metrics(world, model, new_users),
    }


def selection_metrics(world: World, model: Recommender, rows: pd.DataFrame, seed: int) -> Metrics:
    """Return the true error, and its estimates from the held-out ratings, `rows`."""
    user_N, item_N = rows["user_id"].to_numpy() - 1, rows["movie_id"].to_numpy() - 1
    trained_UI = world.rated_UI[:NUM_TRAINED_USERS].copy()
    num_ratings_I = trained_UI.sum(0)
    trained_UI[user_N, item_N] = False
    histories: list[UserEntries] = [
        [(item + 1, world.rating_UI[user, item]) for item in np.flatnonzero(trained_I).tolist()]
        for user, trained_I in enumerate(trained_UI)
    ]
    error_UI = expected_ratings(world, model, histories) - world.rating_UI[:NUM_TRAINED_USERS]
    error_N = (rows["predicted"] - rows["stars"]).to_numpy()
    chance_N = world.propensity_UI[user_N, item_N]
    rng, (num_users, num_items) = np.random.default_rng(seed), trained_UI.shape
    user_R = rng.integers(num_users, size=NUM_RANDOM_PAIRS)
    item_R = rng.integers(num_items, size=NUM_RANDOM_PAIRS)
    bin_N = rows["stars"].to_numpy().astype(np.int64) - 1
    bin_R = world.rating_UI[user_R, item_R].astype(np.int64) - 1
    rated_share = float(num_ratings_I.sum() / trained_UI.size)
    by_rating_N = rating_propensity(bin_N, bin_R, rated_share, 5)
    by_item_N = item_propensity(num_ratings_I[item_N], len(trained_UI))
    # P(held out) = .1 P; P(not trained on) = 1 - .9 P.
    true_N = chance_N / (1 - 0.9 * chance_N)
    return {
        "true_rmse": float(np.sqrt((error_UI[~trained_UI] ** 2).mean())),
        "naive_rmse": float(np.sqrt((error_N**2).mean())),
        "snips_rmse/propensity=true": snips_rmse(error_N, true_N),
        "snips_rmse/propensity=stars": snips_rmse(error_N, by_rating_N),
        "snips_rmse/propensity=movie": snips_rmse(error_N, by_item_N),
        "mean_stars_of_all": float(world.rating_UI.mean()),
        "mean_stars_of_rated": float(world.rating_UI[world.rated_UI].mean()),
    }


def expected_ratings(world: World, model: Recommender, histories: list[UserEntries]) -> Float64:
    """Return the expected rating of every item, (U, I); nan if the bundle lacks it."""
    rating_UI = np.full((len(histories), world.rating_UI.shape[1]), np.nan)
    columns = model.movie_ids - 1
    for rating_I, history in zip(rating_UI, histories, strict=True):
        entries = [entry for entry in history if model.catalog.has_movie(entry[0])]
        rating_I[columns] = model.predict_stars([entries], model.movie_ids)[0]
    return rating_UI


def portion_metrics(world: World, model: Recommender, users: Int64) -> Metrics:
    """Return the metrics of new users by the kind of history that the model reads."""
    metrics: Metrics = {}
    for kind in HISTORY_KINDS:
        histories = [user_entries(world, user, kind) for user in users.tolist()]
        rating_UI = expected_ratings(world, model, histories)
        unwatched_UI = ~world.watched_UI[users] & ~np.isnan(rating_UI)
        error_UI = rating_UI - world.liking_UI[users].clip(1, 5)
        metrics[f"rmse/{kind}"] = float(np.sqrt((error_UI[unwatched_UI] ** 2).mean()))
        rating_UI = np.where(unwatched_UI, rating_UI, -np.inf)
        best_UK = np.argsort(-rating_UI, axis=1, kind="stable")[:, :LIST_LENGTH]
        metrics[f"liking_by_stars/{kind}"] = mean_liking(world, users, best_UK)
        listed_UK = np.array(
            [
                recommended_items(model, history, watched_I)
                for history, watched_I in zip(histories, world.watched_UI[users], strict=True)
            ]
        )
        metrics[f"liking_by_ranking/{kind}"] = mean_liking(world, users, listed_UK)
    metrics["liking_at_random"] = float(world.liking_UI[users][~world.watched_UI[users]].mean())
    return metrics


def recommended_items(model: Recommender, history: UserEntries, watched_I: Bools) -> list[int]:
    """Return rows of ten listed items, without all that the user watched."""
    watched_ids = (np.flatnonzero(watched_I) + 1).tolist()
    excluded = [movie_id for movie_id in watched_ids if model.catalog.has_movie(movie_id)]
    answer = model.recommend(history=history, exclude_ids=excluded, k=LIST_LENGTH)
    return [int(item["movie_id"]) - 1 for item in answer["items"]]


def mean_liking(world: World, users: Int64, top_UK: Int64) -> float:
    return float(world.liking_UI[users[:, None], top_UK].mean())


def user_entries(world: World, user: int, kind: str) -> UserEntries:
    items = np.flatnonzero(world.rated_UI[user] if kind == "stars" else world.watched_UI[user])
    is_rated = world.rated_UI[user, items] & (kind != "portion")
    rating_n = world.rating_UI[user, items].astype(object)
    rating_n[~is_rated] = None
    columns = [(items + 1).tolist(), rating_n.tolist()]
    if kind != "stars":
        columns.append(world.watched_share_UI[user, items].tolist())
    return list(zip(*columns, strict=True))
