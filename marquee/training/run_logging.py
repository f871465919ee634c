"""Settings, test metrics and files of a run, logged to Comet and kept in the run's folder.

Names are the same in every run, so that Comet and `marquee compare` can set runs side by side;
docs/training.md lists them.
"""

import shutil
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from pytorch_lightning.loggers import Logger

from datamodules.datamodule import InteractionDataModule
from marquee.core.files import atomic_path, flatten, read_json, write_atomic
from marquee.evaluation.results import code_commit, results_path
from marquee.recommender.bundle import read_bundle
from marquee.recommender.recommender import Recommender
from marquee.training import comet
from marquee.training.compare.paired_bootstrap import user_metrics
from marquee.training.config import CONFIG_FILE, RunConfig
from marquee.training.model_card import model_card
from marquee.training.run_folder import SELECT, RunFolder, SelectionResult, test_rows_name
from marquee.training.trainer import Training

MODEL_CARD = "MODEL_CARD.md"
# Users of the table of examples, their latest movies, and the length of their lists.
NUM_EXAMPLES, NUM_LATEST, LIST_LENGTH = 20, 5, 10
MAX_EMBEDDED = 5000  # in the projector, the most rated: more make a browser slow


def log_start(training: Training) -> None:
    """Log settings, data, split, code and machine to Comet."""
    config, data = training.config, training.data
    for logger in comet.comet_loggers(training.trainer.loggers):
        split, commit = data.base_split, code_commit()
        logger.log_hyperparams(
            flatten(config.comparable())
            | {
                "data/sha256": data.dataset.sha256,
                "data/num_users": len(split.train_histories),
                "data/num_items": split.num_items,
                "data/num_ratings": len(split.all_histories.item),
                "split/protocol": config.data.protocol,
                "split/train": int(split.train_histories.length.sum()),
                "split/valid": len(split.valid),
                "split/test": len(split.test),
                "code/commit": commit.removesuffix("-dirty"),
                "code/dirty": commit.endswith("-dirty"),
                "machine/cpu_count": torch.get_num_threads(),
                "machine/device": training.device,
                "machine/torch": torch.__version__,
            }
        )


def archive_results(config: RunConfig, run: RunFolder) -> None:
    """Copy results and test rows, which the next run overwrites; write the model card."""
    results = []
    for protocol in config.protocols:
        path = results_path(config.results, config.name, protocol)
        results.append(read_json(path))
        rows = test_rows_name(protocol)
        copies = {path: f"results-{protocol}.json", config.runs_folder / rows: rows}
        for source, name in copies.items():
            with atomic_path(run.path / name) as part:
                shutil.copyfile(source, part)
    manifest = read_bundle(config.bundle_folder).manifest if config.is_served else None
    settings = flatten(config.comparable())
    card = model_card(config.name, results, manifest=manifest, settings=settings)
    write_atomic(run.path / MODEL_CARD, card)


def log_end(
    loggers: Sequence[Logger],
    training: Training,
    selection: SelectionResult,
    *,
    metrics: Mapping[str, float],
) -> None:
    """Log the metrics of the test part, and the files of the run.

    The classic user has no lists, no projection and no model in Comet.
    """
    config = training.config
    costs = {f"cost/{name}": value for name, value in selection.total_cost().items()}
    for logger in loggers:
        logger.log_metrics({**metrics, **costs})
    for logger in comet.comet_loggers(loggers):
        log_files(logger.experiment, config, training.run)
        if config.is_served:
            recommender = Recommender.load(config.bundle_folder)
            headers, rows = examples(recommender, training.data, seed=config.seed_everything)
            logger.experiment.log_table("examples.csv", rows, headers=headers)
            vectors, labels = embedding(recommender)
            logger.experiment.log_embedding(vectors, labels, title="movies")
            logger.experiment.log_model(config.name, str(config.bundle_folder))
            logger.record({"model": config.name, "model_version": recommender.model_version})


def log_files(experiment: Any, config: RunConfig, run: RunFolder) -> None:
    """Log the files of a run, and histograms of its users' ndcg."""
    files = [run.path / SELECT / CONFIG_FILE, *sorted(run.path.glob("*-*.*"))]
    for path in [*files, run.path / MODEL_CARD]:
        if path.is_file():
            experiment.log_asset(str(path), file_name=path.name)
    for protocol in config.protocols:
        rows = pd.read_parquet(run.path / test_rows_name(protocol))
        metrics = user_metrics(rows, protocol) if "rank" in rows else pd.DataFrame()
        for name in metrics.filter(like="ndcg"):
            title = f"users/{protocol}/{name}"
            step = experiment.curr_step or 0  # a test of its own has made none
            experiment.log_histogram_3d(metrics[name].tolist(), name=title, step=step)


def examples(
    recommender: Recommender, data: InteractionDataModule, seed: int
) -> tuple[list[str], list[list[str]]]:
    """Return headers and rows of a table of lists, a row a user drawn by the seed."""
    queries, movies = data.base_split.test, data.dataset.movies
    rng = np.random.default_rng(seed)
    query_numbers = np.sort(rng.permutation(len(queries))[:NUM_EXAMPLES])
    sample = queries.take(query_numbers)
    user_id_B = data.base_split.all_histories.user_id[sample.user]
    places = [f"place {place}" for place in range(1, LIST_LENGTH + 1)]
    rows = []
    contexts = zip(user_id_B.tolist(), sample.contexts(), sample.targets(), strict=True)
    for user_id, item_L, target_N in contexts:
        history = movies.movie_id[item_L].tolist()
        items = recommender.recommend(history=history, k=LIST_LENGTH)["items"]
        titles = [item["title"] for item in items] + [""] * (LIST_LENGTH - len(items))
        latest = " | ".join(movies.title[item] for item in item_L[-NUM_LATEST:])
        targets = " | ".join(movies.title[item] for item in target_N)
        rows.append([str(user_id), latest, *titles, targets])
    return ["user_id", "latest", *places, "to be found"], rows


def embedding(recommender: Recommender) -> tuple[list[list[float]], list[list[str]]]:
    """Return vectors and labels of the most rated movies, the headers first."""
    rows = np.argsort(-recommender.num_ratings, kind="stable")[:MAX_EMBEDDED]
    labels = [["title", "year", "genres", "ratings"]]
    for item in recommender.catalog.to_records(rows):
        year = str(item.get("year") or "")
        labels.append([item["title"], year, "|".join(item["genres"]), str(item["num_ratings"])])
    return recommender.reranker.unit_vector_ID[rows].round(5).tolist(), labels
