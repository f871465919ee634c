"""What a run says of itself beside its curves: its settings at the start, its figures at the end.

Names are the same in every run, so that Comet and `marquee compare` can set runs side by side:

    parameters   model.learning.lr, …   every setting as on the command line
                 data/sha256, data/num_users, split/protocol, split/test, code/commit, machine/…
    metrics      test/PROTOCOL/METRIC with /low and /high, baseline/RIVAL/PROTOCOL/METRIC,
                 paired/RIVAL/PROTOCOL/METRIC, cost/wall_s, cost/cpu_s
    files        config.yaml, results-PROTOCOL.json, test-PROTOCOL.parquet, MODEL_CARD.md,
                 examples.csv, an embedding of the movies, the bundle as a model

The files lie in the run's folder, too.
"""

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from pytorch_lightning.loggers import Logger

from marquee.evaluation.results import code_commit, results_path
from marquee.recommender.recommender import Recommender
from marquee.training import comet
from marquee.training.compare.paired import figures
from marquee.training.evaluate import Fit, asked_of
from marquee.training.model_card import model_card

if TYPE_CHECKING:
    from marquee.training.recipe import Recipe

EXAMPLES, LATEST, PLACES = 20, 5, 10
"""Persons shown, their latest movies, and the places of their lists."""
MOST_EMBEDDED = 5000
"""Movies in the projector, the most rated: more make a browser slow."""


def log_start(loggers: list[Logger], run: "Recipe") -> None:
    """Settings, data, split, code and machine."""
    data = run.datamodule
    for logger in comet.comet_loggers(loggers):
        split, commit = data.plain_split, code_commit()
        logger.log_hyperparams(
            run.everything()
            | {
                "data/sha256": data.dataset.sha256,
                "data/num_users": len(split.histories),
                "data/num_items": split.num_items,
                "data/num_ratings": len(split.everything.item),
                "split/protocol": data.protocol,
                "split/train": int(split.train_end.sum()),
                "split/valid": len(split.valid),
                "split/test": len(split.test),
                "code/commit": commit.removesuffix("-dirty"),
                "code/dirty": commit.endswith("-dirty"),
                "machine/cpu_count": torch.get_num_threads(),
                "machine/device": run.device,
                "machine/torch": torch.__version__,
            }
        )


def keep(run: "Recipe", done: Fit, bundle: Path | None) -> None:
    """Copy results and test rows into the run's folder, which the next run will not overwrite, and
    write its model card."""
    contents = {}
    for protocol in run.config["protocols"]:
        path = results_path(run.config["results"], run.name, protocol)
        contents[protocol] = json.loads(path.read_text())
        copy_whole(path, done.folder / f"results-{protocol}.json")
        rows = f"test-{protocol}.parquet"
        copy_whole(run.runs / rows, done.folder / rows)
    manifest = json.loads((bundle / "bundle.json").read_text()) if bundle else None
    card = model_card(run.name, run.everything(), contents, manifest)
    comet.write_whole(done.folder / "MODEL_CARD.md", card.encode())


def copy_whole(source: Path, target: Path) -> None:
    part = target.with_name(target.name + ".part")
    shutil.copyfile(source, part)
    part.replace(target)


def log_end(
    loggers: list[Logger], run: "Recipe", done: Fit, report: dict[str, float], bundle: Path | None
) -> None:
    """The figures of the test part, and the files of the run. bundle: what is served, if anything.

    The classic user has no bundle, and so no lists, no projection and no model."""
    costs = {f"cost/{name}": value for name, value in done.cost().items()}
    for logger in loggers:
        logger.log_metrics(report | costs)
    for logger in comet.comet_loggers(loggers):
        log_files(logger.experiment, run, done)
        if bundle is not None:
            recommender = Recommender.load(bundle)
            headers, rows = examples(run, recommender)
            logger.experiment.log_table("examples.csv", rows, headers=headers)
            vectors, labels = embedding(recommender)
            logger.experiment.log_embedding(vectors, labels, title="movies")
            logger.experiment.log_model(run.name, str(bundle))
            logger.note(model=run.name, model_version=recommender.model_version)


def log_files(experiment: Any, run: "Recipe", done: Fit) -> None:
    config = done.folder / "select" / "config.yaml"
    for path in [config, *sorted(done.folder.glob("*-*.*")), done.folder / "MODEL_CARD.md"]:
        if path.is_file():
            experiment.log_asset(str(path), file_name=path.name)
    for protocol in run.config["protocols"]:
        rows = pd.read_parquet(done.folder / f"test-{protocol}.parquet")
        found = figures(rows, protocol) if "rank" in rows else pd.DataFrame()
        for name in found:
            if str(name).startswith("ndcg"):
                experiment.log_histogram_3d(found[name].tolist(), name=f"persons/{protocol}/{name}")


def examples(run: "Recipe", recommender: Recommender) -> tuple[list[str], list[list[str]]]:
    """Lists to look at: headers and a row a person, of persons drawn with the recipe's seed."""
    part, movies = run.datamodule.plain_split.test, run.datamodule.dataset.movies
    asked, title = asked_of(part, run.datamodule.protocol), movies.title
    rng = np.random.default_rng(run.config["seed_everything"])
    drawn = np.sort(rng.permutation(len(asked.histories))[:EXAMPLES])
    headers = ["user_id", "latest", *(f"place {n}" for n in range(1, PLACES + 1)), "to be found"]
    rows = []
    for row in drawn.tolist():
        history = movies.movie_id[asked.histories[row]].tolist()
        listed = recommender.recommend(history=history, k=PLACES)["items"]
        titles = [item["title"] for item in listed] + [""] * (PLACES - len(listed))
        latest = [title[item] for item in asked.histories[row][-LATEST:]]
        found = [title[item] for item in asked.found[row]]
        user_id = str(part.histories.user_id[part.user[row]])
        rows.append([user_id, " | ".join(latest), *titles, " | ".join(found)])
    return headers, rows


def embedding(recommender: Recommender) -> tuple[list[list[float]], list[list[str]]]:
    """Vectors and labels (headers first) of the most rated movies, for Comet's projector."""
    rows = np.argsort(-recommender.num_ratings, kind="stable")[:MOST_EMBEDDED]
    labels = [["title", "year", "genres", "ratings"]]
    for row in rows.tolist():
        item = recommender.item(int(recommender.movie_ids[row]))
        year = str(item.get("year") or "")
        labels.append([item["title"], year, "|".join(item["genres"]), str(item["support"])])
    return recommender.shelf.direction_ID[rows].round(5).tolist(), labels
