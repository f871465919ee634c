"""What cannot be seen in real ratings, on SYNTHETIC persons whose liking of all movies is known.

    marquee simulate        results/simulated.{selection,portion}.json, 5 min

For each of five worlds (marquee/evaluation/simulator.py) a model is trained on what 1,500 persons rated, by
recipes/simulated.yaml, and asked through its bundle:

    selection   the error over every pair that was not trained on (the truth), beside the error on
                held-out ratings as people chose to give them (naive), and that error weighed by
                propensities: true, by stars, by movie (marquee/evaluation/metrics/propensity.py)
    portion     300 other persons, known by their stars alone, by what they watched and how far, or
                by both: error over what they did not watch, and their liking of ten movies listed
                by expected stars and by the ranking network

What this does not say: how real people watch. The world is drawn by its author.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from marquee.evaluation.metrics.propensity import by_movie, by_stars, snips_rmse
from marquee.evaluation.results import code_commit, write_results
from marquee.evaluation.simulator import World
from marquee.recommender.history import Entry
from marquee.recommender.recommender import Recommender
from marquee.training.callbacks import say
from marquee.training.evaluate_ratings import ROWS

UserHistories: TypeAlias = list[list[Entry]]

RECIPE = Path(__file__).parent.parent / "recipes" / "simulated.yaml"
WORLDS = 5
NEW = 300
"""Persons of a world who are not trained on; they are its last ones."""
RANDOM_PAIRS = 2_000
"""Ratings of movies picked at random, which `by_stars` needs: asked of people, in real life."""


def simulate(fit: Callable[[list[str]], None], args: list[str]) -> None:
    """Draw, train and measure; write both results.

    fit: the verb of train.py. args: settings of the recipe, as of `fit`.
    """
    where = Path("runs") / "simulated-worlds"
    found = [one_world(fit, args, where, seed) for seed in range(WORLDS)]
    for what in ("selection", "portion"):
        each = pd.DataFrame([one[what] for one in found])
        content = {
            "synthetic": "simulated persons; no figure tells of real people",
            "recipe": "recipes/simulated.yaml",
            "protocol": what,
            "data": "simulated",
            "commit": code_commit(),
            "seeds": list(range(WORLDS)),
            "per_seed": each.to_dict("records"),
        }
        metrics = {name: over_worlds(each[name]) for name in each}
        path = write_results("results", "simulated", what, content | {"metrics": metrics})
        for name, value in metrics.items():
            say(f"{path}: {name:<28} {value['mean']:.3f} [{value['low']:.3f}, {value['high']:.3f}]")


def over_worlds(values: "pd.Series[float]") -> dict[str, float]:
    """Mean over the worlds, and their range: five are too few for more."""
    return {"mean": values.mean(), "low": values.min(), "high": values.max()}


def one_world(
    fit: Callable[[list[str]], None], args: list[str], where: Path, seed: int
) -> dict[str, dict[str, float]]:
    world, root = World.drawn(seed, 1500 + NEW), where / str(seed)
    known = np.arange(len(world.star_UI) - NEW)
    (root / "demo").mkdir(parents=True, exist_ok=True)
    for name, text in zip(("ratings.csv", "movies.csv"), world.csv(known, seed), strict=True):
        (root / "demo" / name).write_text(text)
    folders = [f"--{name}={root / name}" for name in ("runs", "bundles", "results")]
    own = [f"--data.root={root}", f"--seed_everything={seed}", f"--seeds=[{seed}]", "--comet=off"]
    fit([f"--config={RECIPE}", *own, *folders, *args])
    model = Recommender.load(root / "bundles" / "simulated")
    rows = pd.read_parquet(root / "runs" / "simulated" / ROWS)
    return {
        "selection": selection(world, model, rows, seed),
        "portion": portion(world, model, np.arange(len(known), len(world.star_UI))),
    }


def selection(world: World, model: Recommender, rows: pd.DataFrame, seed: int) -> dict[str, float]:
    """The true error and its estimates from `rows`, the held-out ratings."""
    user_T, item_T = rows["user_id"].to_numpy() - 1, rows["movie_id"].to_numpy() - 1
    trained_UI = world.rated_UI[: len(world.rated_UI) - NEW].copy()
    num_ratings_I = trained_UI.sum(0)
    trained_UI[user_T, item_T] = False
    histories: UserHistories = [
        [(movie + 1, world.star_UI[person, movie]) for movie in np.flatnonzero(trained_I).tolist()]
        for person, trained_I in enumerate(trained_UI)
    ]
    error_UI = expected(world, model, histories) - world.star_UI[: len(trained_UI)]
    error_T = (rows["predicted"] - rows["stars"]).to_numpy()
    chance_T = world.rated_chance_UI[user_T, item_T]
    person_R, movie_R = random_pairs(trained_UI.shape, seed)
    given_T = rows["stars"].to_numpy().astype(np.int64) - 1
    random_R = world.star_UI[person_R, movie_R].astype(np.int64) - 1
    share = float(num_ratings_I.sum() / trained_UI.size)
    # A rating is held out with chance .1 P, and what is not trained on is all but .9 P.
    return {
        "true_rmse": float(np.sqrt((error_UI[~trained_UI] ** 2).mean())),
        "naive_rmse": float(np.sqrt((error_T**2).mean())),
        "snips_rmse/propensity=true": snips_rmse(error_T, chance_T / (1 - 0.9 * chance_T)),
        "snips_rmse/propensity=stars": snips_rmse(error_T, by_stars(given_T, random_R, share, 5)),
        "snips_rmse/propensity=movie": snips_rmse(
            error_T, by_movie(num_ratings_I[item_T], len(trained_UI))
        ),
        "mean_stars_of_all": float(world.star_UI.mean()),
        "mean_stars_of_rated": float(world.star_UI[world.rated_UI].mean()),
    }


def random_pairs(shape: tuple[int, ...], seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(shape[0], size=RANDOM_PAIRS), rng.integers(shape[1], size=RANDOM_PAIRS)


def expected(world: World, model: Recommender, histories: UserHistories) -> np.ndarray:
    """Expected stars of all movies of the world, (U, I); nan where the bundle has no such movie."""
    stars_UI = np.full((len(histories), world.star_UI.shape[1]), np.nan)
    columns = model.movie_ids - 1
    for stars_I, history in zip(stars_UI, histories, strict=True):
        kept = [entry for entry in history if model.knows(movie_of(entry))]
        stars_I[columns] = model.predict_stars([kept], model.movie_ids)[0]
    return stars_UI


def movie_of(entry: Entry) -> int:
    return entry[0] if isinstance(entry, tuple) else entry


def portion(world: World, model: Recommender, persons: np.ndarray) -> dict[str, float]:
    """Figures of new persons by what is known of them."""
    found: dict[str, Any] = {}
    for known, entries in {"stars": stars_only, "portion": portion_only, "both": both}.items():
        histories = [entries(world, person) for person in persons.tolist()]
        stars_UI = expected(world, model, histories)
        unseen_UI = ~world.watch_UI[persons] & ~np.isnan(stars_UI)
        error_UI = stars_UI - world.liking_UI[persons].clip(1, 5)
        found[f"rmse/{known}"] = float(np.sqrt((error_UI[unseen_UI] ** 2).mean()))
        by_stars_UI = np.where(unseen_UI, stars_UI, -np.inf)
        best_UK = np.argsort(-by_stars_UI, axis=1, kind="stable")[:, :10]
        found[f"liking_by_stars/{known}"] = mean_liking(world, persons, best_UK)
        listed_UK = np.array(
            [
                next_ten(model, history, np.flatnonzero(world.watch_UI[person]) + 1)
                for person, history in zip(persons.tolist(), histories, strict=True)
            ]
        )
        found[f"liking_by_ranking/{known}"] = mean_liking(world, persons, listed_UK)
    found["liking_at_random"] = float(world.liking_UI[persons][~world.watch_UI[persons]].mean())
    return found


def next_ten(model: Recommender, history: list[Entry], watched: np.ndarray) -> list[int]:
    """Rows of the ten movies listed, none that was watched whether or not the model knows it."""
    gone = [movie for movie in watched.tolist() if model.knows(movie)]
    items = model.recommend(history=history, exclude_ids=gone, k=10)["items"]
    return [item["movie_id"] - 1 for item in items]


def mean_liking(world: World, persons: np.ndarray, best_UK: np.ndarray) -> float:
    return float(world.liking_UI[persons[:, None], best_UK].mean())


def stars_only(world: World, person: int) -> list[Entry]:
    rated = np.flatnonzero(world.rated_UI[person]).tolist()
    return [(movie + 1, world.star_UI[person, movie]) for movie in rated]


def portion_only(world: World, person: int) -> list[Entry]:
    watched = np.flatnonzero(world.watch_UI[person]).tolist()
    return [(movie + 1, None, float(world.portion_UI[person, movie])) for movie in watched]


def both(world: World, person: int) -> list[Entry]:
    """Stars where they were given; of the rest, how far they were watched."""
    rated_I = world.rated_UI[person]
    return [
        (movie + 1, float(stars) if rated_I[movie] else None, float(portion))
        for movie, (stars, portion) in enumerate(
            zip(world.star_UI[person], world.portion_UI[person], strict=True)
        )
        if world.watch_UI[person, movie]
    ]
