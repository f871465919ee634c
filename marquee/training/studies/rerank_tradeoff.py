"""The trade-off of re-ranking: the cost and the gain of each control, on a data set's own queries.

    marquee controls --config recipes/ml-1m.yaml    results/controls-ml-1m.next.json
    marquee doc-tables                              docs/controls.md and its plot

The lists of all users in the newest run of a recipe are made at every strength of calibration,
novelty, freshness and diversity. The strength that halves miscalibration is chosen on validation,
by the model as selected. The test part is then read through `bundles/NAME`, and `metrics` of the
result are those of that strength.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.datamodule import InteractionDataModule
from marquee.core.arrays import Int64
from marquee.core.command import say
from marquee.core.errors import InputError
from marquee.core.eval_queries import EvalQueries
from marquee.core.item_stats import release_years
from marquee.evaluation.rerank_tradeoff import (
    against_plain,
    control_metrics,
    edits_followed,
    sweep,
    top_ten,
    weakest_that_halves,
)
from marquee.evaluation.results import code_commit, write_results
from marquee.recommender.recommender import Recommender
from marquee.training.config import read_config
from marquee.training.evaluate import item_stats, library_scorer, provenance
from marquee.training.pipeline import build_data
from marquee.training.run_bundles import verified_bundles
from marquee.training.run_folder import open_run
from marquee.training.selection import SelectionResult
from marquee.training.studies.study_command import run_study, study_parser

BLOCK = 256
NUM_EDITED_USERS = 500
"""Users whose genre mix is edited, twice each."""


def main(args: list[str]) -> int:
    """Run `marquee controls` and return its exit status."""
    return run_study("controls", measure_controls, args)


def measure_controls(args: list[str]) -> None:
    """Sweep the controls and write `results/controls-NAME.next.json`.

    Raises InputError for a recipe of another protocol than `next`.
    """
    parser = study_parser("controls", "Measure what re-ranking costs and gains.")
    _, settings = parser.parse_known_args(args)
    config = read_config(settings)
    if config.data.protocol != "next":
        raise InputError(
            f"{config.name}: data.protocol {config.data.protocol}, expected next, by which the "
            "controls are measured"
        )
    run = open_run(config, new=False)
    selection, data = SelectionResult.load(run.path), build_data(config)
    bundles = verified_bundles(config, run, data, selection)
    valid = swept_metrics(bundles.unrefitted, data.base_split.valid, data)
    strength = halving_strength(valid)
    if strength is None:
        raise InputError(
            f"{config.name}: no strength of calibration halves miscalibration on validation, "
            "expected one; train longer"
        )
    say(f"calibration {strength:g} halves miscalibration on validation; reading the test part")
    queries = data.base_split.test
    test = swept_metrics(bundles.refitted, queries, data)
    metrics = test[f"calibration={strength:g}"]
    content = {
        "recipe": config.recipe,
        "protocol": "next",
        "data": data.dataset.name,
        **provenance(data, selection, "cpu"),
        "commit": code_commit(),
        "trained_by": selection.commit,
        "seeds": config.seeds[:1],
        "num_users": len(queries),
        "chosen": {"calibration": strength},
        "metrics": metrics,
        "validation": valid,
        "fronts": test,
        "profile_edits": profile_edits(bundles.refitted, queries),
    }
    path = write_results(config.results, f"controls-{config.name}", "next", content)
    for name in ("miscalibration_ratio", "ndcg@10_ratio", "ndcg@10"):
        value = metrics[name]
        say(f"{path}: {name} {value['mean']:.4f} [{value['low']:.4f}, {value['high']:.4f}]")


def halving_strength(metrics: Mapping[str, Any]) -> float | None:
    """Return the weakest calibration that halves miscalibration.

    metrics: of swept_metrics.
    """
    return weakest_that_halves(
        (float(name.split("=")[1]), values["miscalibration_ratio"]["mean"])
        for name, values in metrics.items()
        if name.startswith("calibration")
    )


def profile_edits(bundle: Path, queries: EvalQueries) -> dict[str, float]:
    """Return the number of edits of genre mixes, and the share that lists follow."""
    recommender, follows = Recommender.load(bundle), list[bool]()
    score, names = library_scorer(recommender), recommender.movies.genre_names
    rows = np.random.default_rng(0).permutation(len(queries))[:NUM_EDITED_USERS]
    for row in rows.tolist():
        query = queries.take(slice(row, row + 1))
        (context,) = query.contexts()
        follows += edits_followed(score(query)[0], context, recommender.reranker, names, row)
    return {"edits": len(follows), "moved": float(np.mean(follows))}


def swept_metrics(
    bundle: Path, queries: EvalQueries, data: InteractionDataModule
) -> dict[str, dict[str, dict[str, float]]]:
    """Return the metrics of every strength over one part, by the name of the strength."""
    recommender, controls = Recommender.load(bundle), sweep()
    score, reranker = library_scorer(recommender), recommender.reranker
    tops: dict[str, list[Int64]] = {name: [] for name in controls}
    for block in queries.blocks(BLOCK):
        score_BI, contexts = score(block), block.contexts()
        for name, control in controls.items():
            tops[name].append(top_ten(score_BI, contexts, reranker, control))
    stats, year_I = item_stats(data), release_years(data.dataset.movies)
    at_U = queries.timestamp_N[queries.context_end].astype("datetime64[s]")
    metrics = {
        name: control_metrics(
            np.concatenate(blocks),
            queries,
            stats=stats,
            reranker=reranker,
            year_I=year_I,
            query_year_U=at_U.astype("datetime64[Y]").astype(np.int64) + 1970,
        )
        for name, blocks in tops.items()
    }
    return {name: against_plain(values, metrics["plain"]) for name, values in metrics.items()}
