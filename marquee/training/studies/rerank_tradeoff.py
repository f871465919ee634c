"""The trade-off of re-ranking: the cost and the gain of each control, on a data set's own queries.

The lists of all users in the newest run of a recipe are made at every strength of calibration,
novelty, freshness and diversity. The strength that halves miscalibration is chosen on validation,
by the model as selected; `metrics` are those of that strength, on the test part.
"""

from pathlib import Path

import numpy as np

from datamodules.datamodule import InteractionDataModule
from marquee.core.arrays import Float32, Int64
from marquee.core.bootstrap import Section
from marquee.core.command import say
from marquee.core.errors import InputError
from marquee.core.eval_queries import EvalQueries
from marquee.core.item_stats import release_years
from marquee.evaluation import rerank_tradeoff as tradeoff
from marquee.evaluation.ranker import Scorer
from marquee.evaluation.results import write_results
from marquee.recommender.recommender import Recommender
from marquee.training.evaluate import item_stats, library_scorer
from marquee.training.studies.study_command import open_finished_run, run_study

BLOCK = 256
NUM_EDITED_USERS = 500  # twice each


def main(args: list[str]) -> int:
    return run_study("controls", measure_controls, args)


def measure_controls(args: list[str]) -> None:
    """Sweep the controls and write `results/controls-NAME.next.json`."""
    config, data, bundles, header = open_finished_run(
        "controls", "Measure what re-ranking costs and gains.", args, protocol="next"
    )
    valid = swept_metrics(bundles.unrefitted, data.base_split.valid, data)
    strength = tradeoff.weakest_that_halves(
        (float(name.partition("=")[2]), values["miscalibration_ratio"]["mean"])
        for name, values in valid.items()
        if name.startswith("calibration")
    )
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
        **header,
        "seeds": config.seeds[:1],
        "num_users": len(queries),
        "chosen": {"calibration": strength},
        "metrics": metrics,
        "validation": valid,
        "fronts": test,
        "profile_edits": profile_edits(bundles.refitted, queries, data.dataset.num_items),
    }
    path = write_results(config.results, f"controls-{config.name}", "next", content)
    for name in ("miscalibration_ratio", "ndcg@10_ratio", "ndcg@10"):
        interval = "{mean:.4f} [{low:.4f}, {high:.4f}]".format(**metrics[name])
        say(f"{path}: {name} {interval}")


def catalog_scorer(recommender: Recommender, num_items: int) -> Scorer:
    """Return a scorer of the whole catalog, -inf for items without interactions."""
    scorer = library_scorer(recommender, len(recommender.movie_ids))

    def score(queries: EvalQueries) -> Float32:
        score_BI = scorer(queries)
        score_BI[:, num_items:] = -np.inf
        return score_BI

    return score


def profile_edits(bundle: Path, queries: EvalQueries, num_items: int) -> dict[str, float]:
    """Return the number of edits of genre mixes, and the share that lists follow."""
    recommender, follows = Recommender.load(bundle), list[bool]()
    score, names = catalog_scorer(recommender, num_items), recommender.movies.genre_names
    rows = np.random.default_rng(0).permutation(len(queries))[:NUM_EDITED_USERS]
    for row in rows.tolist():
        query = queries.take(slice(row, row + 1))
        (context,) = query.contexts()
        follows += tradeoff.edits_followed(
            score(query)[0], context, recommender.reranker, names, row
        )
    return {"edits": len(follows), "moved": float(np.mean(follows))}


def swept_metrics(
    bundle: Path, queries: EvalQueries, data: InteractionDataModule
) -> dict[str, Section]:
    """Return the metrics of every strength over one part, by the name of the strength."""
    recommender, controls = Recommender.load(bundle), tradeoff.sweep()
    score, reranker = catalog_scorer(recommender, data.dataset.num_items), recommender.reranker
    tops: dict[str, list[Int64]] = {name: [] for name in controls}
    for block in queries.blocks(BLOCK):
        score_BI, contexts = score(block), block.contexts()
        for name, control in controls.items():
            tops[name].append(tradeoff.top_ten(score_BI, contexts, reranker, control))
    stats, year_I = item_stats(data), release_years(data.dataset.movies)
    at_U = queries.timestamp_N[queries.context_end].astype("datetime64[s]")
    metrics = {
        name: tradeoff.control_metrics(
            np.concatenate(blocks),
            queries,
            stats=stats,
            reranker=reranker,
            year_I=year_I,
            query_year_U=at_U.astype("datetime64[Y]").astype(np.int64) + 1970,
        )
        for name, blocks in tops.items()
    }
    return {
        name: tradeoff.against_plain(values, metrics["plain"]) for name, values in metrics.items()
    }
