"""What each control costs and gives, on a data set's own questions.

    marquee controls --config recipes/ml-1m.yaml    results/controls-ml-1m.next.json
    marquee doc-tables                             writes docs/controls.md and its plot

The lists of everybody in the newest run of a recipe are made at every strength of calibration,
novelty, freshness and diversity. The strength that halves miscalibration is chosen on validation,
by the model as selected; the test part is then read through `bundles/NAME`, and its `metrics` are
those of that strength.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.splits.leave_one_out import Questions
from marquee.core.errors import InputError
from marquee.core.item_stats import release_years
from marquee.evaluation import rerank_tradeoff as lists
from marquee.evaluation.results import code_commit, write_results
from marquee.recommender.recommender import Recommender
from marquee.training.callbacks import say
from marquee.training.evaluate import Fit, asked_of, catalogue_of, facts, library_scorer
from marquee.training.recipe import Recipe

BLOCK = 256
EDITED = 500
"""Persons whose genre mix is edited, twice each."""


def measure_controls(bundles: Callable[[Recipe, Fit], tuple[Path, Path]], args: list[str]) -> None:
    """Sweep the controls and write `results/controls-NAME.next.json`.

    bundles: the verified bundles of a run, as selected and refitted (train.py). args: as of `fit`.
    Raises InputError for a recipe of another protocol than `next`.
    """
    run = Recipe(args, "test", refit="validation")
    if run.config["data"]["protocol"] != "next":
        raise InputError(f"{run.name}: controls are measured under protocol next")
    done, data = Fit.load(run.run_folder), run.datamodule
    selected, refitted = bundles(run, done)
    valid = swept(run, selected, data.plain_split.valid)
    halves = lists.least_that_halves(
        (float(name.split("=")[1]), each["miscalibration_ratio"]["mean"])
        for name, each in valid.items()
        if name.startswith("calibration")
    )
    if halves is None:
        raise InputError(f"{run.name}: no strength of calibration halves miscalibration")
    say(f"calibration {halves:g} halves miscalibration on validation; reading the test part")
    test = swept(run, refitted, data.plain_split.test)
    content = {
        "recipe": run.file,
        "protocol": "next",
        "data": data.dataset.name,
        **facts(data, done, run.device),
        "commit": code_commit(),
        "trained_by": done.commit,
        "seeds": run.config["seeds"][:1],
        "num_users": len(data.plain_split.test),
        "chosen": {"calibration": halves},
        "metrics": test[f"calibration={halves:g}"],
        "validation": valid,
        "fronts": test,
        "profile_edits": edited(run, refitted, data.plain_split.test),
    }
    path = write_results(run.config["results"], f"controls-{run.name}", "next", content)
    for name in ("miscalibration_ratio", "ndcg@10_ratio", "ndcg@10"):
        value = test[f"calibration={halves:g}"][name]
        say(f"{path}: {name} {value['mean']:.4f} [{value['low']:.4f}, {value['high']:.4f}]")


def edited(run: Recipe, bundle: Path, part: Questions) -> dict[str, float]:
    """How many lists moved the way that an edit of the genre mix asked for, of how many edits."""
    recommender, asked = Recommender.load(bundle), asked_of(part, "next")
    assert asked.stars is not None
    score, moved = library_scorer(recommender), list[bool]()
    persons = np.random.default_rng(0).permutation(len(asked.histories))[:EDITED]
    names = recommender.movies.genre_names
    for person in persons.tolist():
        history = asked.histories[person]
        score_BI = score([history], [asked.stars[person]])
        moved += lists.followed(score_BI[0], history, recommender.shelf, names, person)
    return {"edits": len(moved), "moved": float(np.mean(moved))}


def swept(run: Recipe, bundle: Path, part: Questions) -> dict[str, Any]:
    """Figures of every strength over one part's questions, by the name of the strength."""
    data, recommender = run.datamodule, Recommender.load(bundle)
    score, shelf, sweep = library_scorer(recommender), recommender.shelf, lists.sweep()
    asked = asked_of(part, "next")
    target = np.concatenate(asked.found)
    when = part.histories.timestamp[part.start + part.given].astype("datetime64[s]")
    tops: dict[str, list[np.ndarray]] = {name: [] for name in sweep}
    for start in range(0, len(target), BLOCK):
        block = slice(start, start + BLOCK)
        histories = asked.histories[block]
        assert asked.stars is not None
        score_BI = score(histories, asked.stars[block])
        for name, controls in sweep.items():
            tops[name].append(lists.listed(score_BI, histories, shelf, controls))
    catalogue, year_I = catalogue_of(data), release_years(data.dataset.movies)
    found = {
        name: lists.figures(
            np.concatenate(top),
            target,
            asked.histories,
            catalogue,
            shelf,
            year_I,
            when.astype("datetime64[Y]").astype(np.int64) + 1970,
        )
        for name, top in tops.items()
    }
    return {name: lists.against_plain(each, found["plain"]) for name, each in found.items()}
