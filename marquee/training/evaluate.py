"""The test part, read once: exported bundles beside the baselines, into `results/`.

The measured model is the served one: histories go into `Recommender.score` as movie ids and
ratings. The classic user has no bundle and is measured from its checkpoint. Baselines read the same
ratings as the model (train + validation), their settings chosen on validation before that.

Two further query sets stand beside the test part: the same queries with every history in random
order, and those of `new-users` with a random 20% as targets (Liang et al. 2018).
"""

import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from datamodules.datamodule import InteractionDataModule
from datamodules.splits import Split, training_ratings
from marquee.core.command import say
from marquee.core.eval_queries import EvalQueries
from marquee.evaluation.baselines.base import Interactions
from marquee.evaluation.metrics.beyond_accuracy import ItemStats
from marquee.evaluation.protocols import PROTOCOLS
from marquee.evaluation.ranker import Ranked, Scorer, shuffle_contexts
from marquee.evaluation.report import (
    flatten_results,
    format_table,
    mean_metrics,
    measure,
    metrics_section,
    paired_section,
)
from marquee.evaluation.results import write_ranks, write_results
from marquee.evaluation.tuning import ranking_baselines, tune
from marquee.recommender.recommender import Recommender
from marquee.training.run_folder import test_rows_name
from marquee.training.selection import SelectionResult
from models.ncf import NCF

Results = dict[str, Ranked]
"""Ranks and metrics by protocol."""


def evaluate_on_test(
    data: InteractionDataModule,
    selection: SelectionResult,
    models: Mapping[int, Scorer],
    unrefitted: Scorer | None = None,
    *,
    name: str,
    protocols: Sequence[str],
    results: Path,
    rows: Path,
    device: str,
) -> dict[str, float]:
    """Measure the models of a finished run, and write its results and test rows.

    models: the refitted model of each training seed; metrics are means over them. unrefitted: the
    first seed's model as selected, if there is one. name: of the recipe. protocols: to measure by.
    results: folder of the JSON files; rows: folder of `test-PROTOCOL.parquet`. device: for the
    record. Returns every metric by a flat name, for logging: test/next/ndcg@10, baseline/ease/….
    """
    stats, sets = item_stats(data), query_sets(data, protocols)
    seeds = [
        {
            each: measure(scorer, queries, data.config.protocol, stats)
            for each, queries in sets.items()
        }
        for scorer in models.values()
    ]
    baseline_results, settings = measure_baselines(data, sets, stats)
    unrefitted_results = unrefitted and measure(
        unrefitted, sets["test"], data.config.protocol, stats
    )
    common = {
        "recipe": f"recipes/{name}.yaml",
        "data": data.dataset.name,
        **provenance(data, selection, device),
        "seeds": list(models),
        "ties": data.config.ties,
        "num_users": len(sets["test"]),
        "selection": {
            "epochs": selection.epochs,
            **selection.validation,
            "curve": selection.curve(),
        },
        **selection.total_cost(),
    }
    flat: dict[str, float] = {}
    for protocol in protocols:
        protocol_settings = {name: each[protocol] for name, each in settings.items()}
        content = common | {"protocol": protocol, "baseline_settings": protocol_settings}
        content |= sections(protocol, seeds, baseline_results, unrefitted_results, stats.num_items)
        path = write_results(results, name, protocol, content)
        ranks = {
            seed: each["test"][protocol].rank for seed, each in zip(models, seeds, strict=True)
        }
        write_test_rows(data, rows / test_rows_name(protocol), ranks)
        say(format_table(path, content))
        flat |= flatten_results(protocol, content)
    return flat


def sections(
    protocol: str,
    seeds: Sequence[Mapping[str, Results]],
    baseline_results: Mapping[str, Mapping[str, Results]],
    unrefitted_results: Results | None,
    num_items: int,
) -> dict[str, Any]:
    """Return the measured sections of a results file.

    They hold the model's metrics (means over seeds), those of the baselines, and the differences
    user by user. seeds: by query set, then by protocol. baseline_results: by baseline, then the
    same. unrefitted_results: of the model before its refit, on the test part.
    """

    def results_by_seed(query_set: str) -> list[Ranked]:
        return [seed[query_set][protocol] for seed in seeds]

    def compared(query_set: str) -> dict[str, Any]:
        ranked = {name: each[query_set][protocol] for name, each in baseline_results.items()}
        model = results_by_seed(query_set)
        return {
            "metrics": metrics_section(model, num_items),
            "baselines": {
                name: metrics_section([each], num_items) for name, each in ranked.items()
            },
            "paired": {name: paired_section(model, each) for name, each in ranked.items()},
        }

    content = compared("test")
    content["per_seed"] = [mean_metrics(each, num_items) for each in results_by_seed("test")]
    if unrefitted_results is not None:
        content["unrefitted"] = metrics_section([unrefitted_results[protocol]], num_items)
    if PROTOCOLS[protocol].has_lists:
        content["order_shuffled"] = metrics_section(results_by_seed("order_shuffled"), num_items)
    if "random_holdout" in seeds[0]:
        content["random_holdout"] = compared("random_holdout")
    return content


def query_sets(data: InteractionDataModule, protocols: Sequence[str]) -> dict[str, EvalQueries]:
    """Return the queries of the test part, and the variants beside them.

    The test part is `test`; variants are `order_shuffled` and `random_holdout`.
    """
    queries = test_queries(data, "ncf-paper" in protocols)
    sets = {"test": queries}
    if any(PROTOCOLS[protocol].has_lists for protocol in protocols):
        sets["order_shuffled"] = shuffle_contexts(queries)
    if PROTOCOLS[data.config.protocol].has_random_holdout:
        sets["random_holdout"] = data.random_test
    return sets


def test_queries(data: InteractionDataModule, with_candidates: bool) -> EvalQueries:
    """Return the queries of the test part.

    with_candidates: draw candidates beside each target, as `ncf-paper` needs.
    """
    return data.base_split.test.with_candidates(data.candidates if with_candidates else None)


def item_stats(data: InteractionDataModule) -> ItemStats:
    """Return item statistics over all interactions.

    Metrics beyond accuracy need them.
    """
    histories, genre_IG = data.base_split.all_histories, data.dataset.movies.genre_matrix()
    return ItemStats.from_interactions(histories.item, num_users=len(histories), genre_IG=genre_IG)


def bundle_scorer(folder: Path) -> Scorer:
    """Return a scorer of a bundle through the library, as the service scores."""
    return library_scorer(Recommender.load(folder, threads=os.cpu_count() or 1))


def library_scorer(recommender: Recommender) -> Scorer:
    """Return a scorer through the library.

    It hands item rows and ratings over as movie ids and stars.
    """
    ids = recommender.movie_ids

    def score(queries: EvalQueries) -> np.ndarray:
        contexts = zip(queries.contexts(), queries.context_ratings(), strict=True)
        return recommender.score(
            [
                list(zip(ids[items].tolist(), ratings.tolist(), strict=True))
                for items, ratings in contexts
            ]
        )

    return score


def table_scorer(network: NCF) -> Scorer:
    """Return a scorer of the classic user, whose vector is a row of a table."""
    network = network.cpu().eval()

    @torch.no_grad()
    def score(queries: EvalQueries) -> np.ndarray:
        return network.score({"user_B": torch.from_numpy(queries.user)}).numpy()

    return score


def measure_baselines(
    data: InteractionDataModule, sets: Mapping[str, EvalQueries], stats: ItemStats
) -> tuple[dict[str, dict[str, Results]], dict[str, dict[str, Any]]]:
    """Measure each baseline on each query set, by settings that validation chose.

    The shuffled set is left out: no baseline reads order. Returns results by baseline, query set
    and protocol, and settings by baseline and protocol.
    """
    split, valid = data.base_split, data.base_split.valid
    if sets["test"].candidate_BC is not None:
        valid = valid.with_candidates(data.valid_candidates)
    train, refitted = interactions(split), interactions(split.with_refit("validation"))
    results: dict[str, dict[str, Results]] = {}
    settings: dict[str, dict[str, Any]] = {}
    tunable = ranking_baselines(data.config.protocol, data.dataset.movies.genre_matrix())
    for name, (make, grid) in tunable.items():
        settings[name], _ = tune(make, grid, train, valid, data.config.protocol)
        results[name] = {each: {} for each in sets if each != "order_shuffled"}
        for protocol, best in settings[name].items():
            baseline = make(**best).fit(refitted)
            for each, by_protocol in results[name].items():
                ranked = measure(baseline.score, sets[each], data.config.protocol, stats)
                by_protocol[protocol] = ranked[protocol]
    return results, settings


def interactions(split: Split) -> Interactions:
    """Return the interactions that a baseline may learn from."""
    user, item, rating = training_ratings(split)
    return Interactions(
        user=user,
        item=item,
        num_users=len(split.train_histories),
        num_items=split.num_items,
        rating=rating.astype(np.float64),
    )


def write_test_rows(
    data: InteractionDataModule, path: Path, ranks: Mapping[int, np.ndarray]
) -> None:
    """Write the rank of every target, a row a training seed and target."""
    test, movie_id = data.base_split.test, data.dataset.movies.movie_id
    row, item = test.target_pairs()
    user_id = data.base_split.all_histories.user_id[test.user[row]]
    write_ranks(path, user_id, movie_id[item], ranks)


def provenance(
    data: InteractionDataModule, selection: SelectionResult, device: str
) -> dict[str, Any]:
    """Return the facts that reproduce a metric: commit, hash of the data, machine."""
    if device.startswith("cuda"):
        device = torch.cuda.get_device_name()
    machine = f"{os.cpu_count()} cores {platform.machine()}, {device}, torch {torch.__version__}"
    return {"commit": selection.commit, "data_sha256": data.dataset.sha256, "machine": machine}
