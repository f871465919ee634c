"""The test part, read once: exported bundles beside the baselines, into `results/`.

Baselines read the same ratings as the model (train + validation), their settings chosen on
validation before that. Two further query sets stand beside the test part: the same queries with
every history in random order, and those of `new-users` with a random 20% as targets (Liang et al.
2018).
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
from marquee.core.arrays import Float32
from marquee.core.command import say
from marquee.core.eval_queries import EvalQueries
from marquee.core.times import utc_date
from marquee.evaluation import report
from marquee.evaluation.baselines.interactions import Interactions
from marquee.evaluation.metrics.beyond_accuracy import ItemStats
from marquee.evaluation.protocols import PROTOCOLS
from marquee.evaluation.ranker import Ranked, Scorer, shuffle_contexts
from marquee.evaluation.results import write_ranks, write_results
from marquee.evaluation.too_small import num_candidates, reason_too_small
from marquee.evaluation.tuning import Settings, fit_scorer, ranking_baselines, tune
from marquee.recommender.recommender import Recommender
from marquee.training.config import RunConfig
from marquee.training.run_folder import SelectionResult, test_rows_name
from models.ncf import NCF

Results = dict[str, Ranked]  # by protocol


def evaluate_on_test(
    config: RunConfig,
    data: InteractionDataModule,
    selection: SelectionResult,
    models: Mapping[int, Scorer],
    unrefitted: Scorer,
    *,
    device: str,
) -> dict[str, float]:
    """Measure the models of a finished run, and write its results and test rows.

    models: the refitted model of each training seed; metrics are means over them. unrefitted: the
    first seed's model as selected. Returns every metric by a flat name, for logging:
    test/next/ndcg@10, baseline/ease/….
    """
    stats, sets = item_stats(data), query_sets(data, config.protocols)

    def measured(scorer: Scorer, query_set: str) -> Results:
        return report.measure(scorer, sets[query_set], data.config.protocol, stats)

    seeds = [{each: measured(scorer, each) for each in sets} for scorer in models.values()]
    baselines, settings = measure_baselines(data, sets, stats)
    as_selected = measured(unrefitted, main_set(sets))
    common = {
        "recipe": f"recipes/{config.name}.yaml",
        **provenance(data, selection, device),
        "seeds": list(models),
        "ties": data.config.ties,
        "num_users": len(main_queries(sets)),
        "selection": {
            "epochs": selection.epochs,
            **selection.validation,
            "curve": selection.curve() if None not in selection.validation.values() else [],
        },
        **selection.total_cost(),
    }
    if data.base_split.cut is not None:
        common["cut"] = utc_date(data.base_split.cut)
    test, flat = main_queries(sets), dict[str, float]()
    row, item = test.target_pairs()
    user_id = data.base_split.all_histories.user_id[test.user[row]]
    movie_id = data.dataset.movies.movie_id[item]
    for protocol in config.protocols:
        protocol_settings = {name: each[protocol] for name, each in settings.items()}
        content = common | {"protocol": protocol, "baseline_settings": protocol_settings}
        content |= sections(protocol, seeds, baselines, as_selected, stats.num_items)
        path = write_results(config.results, config.name, protocol, content)
        ranks = dict(
            zip(models, (each[main_set(sets)][protocol].rank for each in seeds), strict=True)
        )
        write_ranks(config.runs_folder / test_rows_name(protocol), user_id, movie_id, ranks)
        say(report.format_table(path, content))
        flat |= report.flatten_results(protocol, content)
    return flat


def sections(
    protocol: str,
    seeds: Sequence[Mapping[str, Results]],
    baselines: Mapping[str, Mapping[str, Results]],
    unrefitted: Results,
    num_items: int,
) -> dict[str, Any]:
    """Return the measured sections of a results file; differences are paired by user.

    seeds, baselines: results by query set. unrefitted: before the refit, on the test part.
    """

    def by_seed(query_set: str) -> list[Ranked]:
        return [seed[query_set][protocol] for seed in seeds]

    def compared(query_set: str) -> dict[str, Any]:
        model = by_seed(query_set)
        ranked = {name: each[query_set][protocol] for name, each in baselines.items()}
        return {
            "metrics": report.metrics_section(model, num_items),
            "baselines": {
                name: report.metrics_section([each], num_items) for name, each in ranked.items()
            },
            "paired": {name: report.paired_section(model, each) for name, each in ranked.items()},
        }

    main = main_set(seeds[0])
    content = compared(main)
    if main != "test":  # the same keys, one level deeper
        content = {main: content}
    content["per_seed"] = [report.mean_metrics(each, num_items) for each in by_seed(main)]
    content["unrefitted"] = report.metrics_section([unrefitted[protocol]], num_items)
    if "order_shuffled" in seeds[0] and PROTOCOLS[protocol].has_lists:
        content["order_shuffled"] = report.metrics_section(by_seed("order_shuffled"), num_items)
    if main == "test" and "random_holdout" in seeds[0]:
        content["random_holdout"] = compared("random_holdout")
    return content


def main_set(sets: Mapping[str, Any]) -> str:
    """Return the query set of test rows and seeds: `test`, where there is an order."""
    return "test" if "test" in sets else "random_holdout"


def main_queries(sets: Mapping[str, EvalQueries]) -> EvalQueries:
    return sets[main_set(sets)]


def query_sets(data: InteractionDataModule, protocols: Sequence[str]) -> dict[str, EvalQueries]:
    has_random_holdout = PROTOCOLS[data.config.protocol].has_random_holdout
    if has_random_holdout and not data.has_order:
        return {"random_holdout": data.random_test}
    sets = {"test": test_queries(data, "ncf-paper" in protocols)}
    if data.has_order and any(PROTOCOLS[protocol].has_lists for protocol in protocols):
        sets["order_shuffled"] = shuffle_contexts(sets["test"])
    if has_random_holdout:
        sets["random_holdout"] = data.random_test
    return sets


def validation_too_small(data: InteractionDataModule, name: str) -> str | None:
    """Return why a logged metric, `val/ndcg@10`, says nothing; None if it does."""
    if not name.startswith("val/"):
        return None
    queries = data.base_split.valid
    if data.config.select_on == "ncf-paper":
        queries = queries.with_candidates(data.valid_candidates)
    candidates = num_candidates(queries, data.dataset.num_items)
    return reason_too_small(name.removeprefix("val/"), len(queries), candidates)


def test_queries(data: InteractionDataModule, with_candidates: bool) -> EvalQueries:
    """Return the queries of the test part, for `ncf-paper` with drawn candidates."""
    return data.base_split.test.with_candidates(data.candidates if with_candidates else None)


def item_stats(data: InteractionDataModule) -> ItemStats:
    histories, genre_IG = data.base_split.all_histories, ranked_genres(data)
    return ItemStats.from_interactions(histories.item, num_users=len(histories), genre_IG=genre_IG)


def ranked_genres(data: InteractionDataModule) -> Float32:
    """Return the genres of the items with interactions, (I, G)."""
    return data.dataset.movies.genre_matrix()[: data.dataset.num_items]


def bundle_scorer(folder: Path, num_items: int) -> Scorer:
    return library_scorer(Recommender.load(folder, threads=os.cpu_count() or 1), num_items)


def library_scorer(recommender: Recommender, num_items: int) -> Scorer:
    """Return a scorer that hands item rows and ratings over as movie ids and stars.

    num_items: of the data set; the bundle's items without interactions come after them.
    """
    ids = recommender.movie_ids

    def score(queries: EvalQueries) -> np.ndarray:
        contexts = zip(queries.contexts(), queries.context_ratings(), strict=True)
        histories = [
            [
                (movie_id, None if rating != rating else rating)
                for movie_id, rating in zip(ids[items].tolist(), ratings.tolist(), strict=True)
            ]
            for items, ratings in contexts
        ]
        return recommender.score(histories)[:, :num_items]

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
) -> tuple[dict[str, dict[str, Results]], dict[str, dict[str, Settings]]]:
    """Measure each baseline on each query set, by settings that validation chose.

    The shuffled set is left out: no baseline reads order. Returns results by baseline, query set
    and protocol; settings by baseline and protocol.
    """
    split, valid = data.base_split, data.base_split.valid
    if main_queries(sets).candidate_BC is not None:
        valid = valid.with_candidates(data.valid_candidates)
    train, refitted = interactions(split), interactions(split.with_refit("validation"))
    results: dict[str, dict[str, Results]] = {}
    settings: dict[str, dict[str, Settings]] = {}
    has_strengths = train.strength is not None
    tunable = ranking_baselines(data.config.protocol, ranked_genres(data), has_strengths)
    for name, (make, grid) in tunable.items():
        say(f"baseline {name}: the best of {len(grid)} settings on validation, then the test part")
        settings[name] = tune(make, grid, train, valid, data.config.protocol)
        results[name] = {each: {} for each in sets if each != "order_shuffled"}
        for protocol, best in settings[name].items():
            scorer = fit_scorer(make, best, refitted)
            for each, by_protocol in results[name].items():
                ranked = report.measure(scorer, sets[each], data.config.protocol, stats)
                by_protocol[protocol] = ranked[protocol]
    return results, settings


def interactions(split: Split) -> Interactions:
    user, item, rating = training_ratings(split)
    strength = split.train_histories.strength
    return Interactions(
        user=user,
        item=item,
        num_users=len(split.train_histories),
        num_items=split.num_items,
        rating=rating.astype(np.float64),
        strength=None if strength is None else strength.astype(np.float64),
    )


def provenance(
    data: InteractionDataModule, selection: SelectionResult, device: str
) -> dict[str, Any]:
    if device.startswith("cuda"):
        device = torch.cuda.get_device_name()
    machine = f"{os.cpu_count()} cores {platform.machine()}, {device}, torch {torch.__version__}"
    return {
        "data": data.dataset.name,
        "commit": selection.commit,
        "data_sha256": data.dataset.sha256,
        "machine": machine,
    }
