"""The test part, read once: through the exported bundle, beside the baselines, into `results/`.

What is measured is what is served: histories go into `Recommender.score` as movie ids and stars.
The classic user has no bundle and is measured from its checkpoint. Baselines see the same ratings
as the model (train + validation), their settings chosen on validation before that.
"""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from catalogue.errors import UserError
from datamodules.batches import training_ratings
from datamodules.movielens import MovieLens
from datamodules.splits import Split
from evaluation.baselines import BASELINES, GRIDS, Interactions, tune
from evaluation.intervals import summarise, summarise_paired
from evaluation.protocols import Asked, Ranked, Scorer, evaluate
from evaluation.results import write_ranks, write_results
from models.ncf import NCF
from serving.recommender import Recommender

TIME_METRICS = ("hit_rate@10", "ndcg@10")


@dataclass(frozen=True)
class Fit:
    """What a selection decided; `fit.json` of a run. Its cost grows with every refit."""

    folder: Path
    commit: str
    """The code it started from."""
    epochs: int
    """Epochs after which validation was best; a refit's length."""
    validation: Mapping[str, float]

    def save(self) -> None:
        content = {name: value for name, value in vars(self).items() if name != "folder"}
        (self.folder / "fit.json").write_text(json.dumps(content, indent=1) + "\n")

    @classmethod
    def load(cls, folder: Path) -> "Fit":
        if not (folder / "fit.json").is_file():
            raise UserError(f"{folder} holds no finished selection; run train.py fit first")
        return cls(folder, **json.loads((folder / "fit.json").read_text()))

    def cost(self) -> dict[str, float]:
        """wall_s and cpu_s of all trainings of the run, one after the other."""
        parts = [json.loads(path.read_text()) for path in self.folder.glob("*/cost.json")]
        return {name: sum(part[name] for part in parts) for name in ("wall_s", "cpu_s")}


def test(
    data: MovieLens,
    done: Fit,
    scorers: Mapping[str, Scorer],
    *,
    name: str,
    protocols: Sequence[str],
    results: Path,
    rows: Path,
    device: str,
) -> dict[str, float]:
    """Measure a finished training and write its results and test rows.

    scorers: `model` and `unrefitted`. name: the recipe's. protocols: which questions to answer.
    results: folder of the JSON files; rows: folder of `test-PROTOCOL.parquet`.
    Returns every figure under a flat name, for logging: test/next/ndcg@10, baseline/ease/….
    """
    asked = questions(data, "ncf-paper" in protocols)
    found = {who: ranked(data, scorer, asked) for who, scorer in scorers.items()}
    rivals, settings = baselines(data, asked)
    flat: dict[str, float] = {}
    for protocol in protocols:
        ours = found["model"][protocol].metrics
        theirs = {rival: each[protocol].metrics for rival, each in rivals.items()}
        content = {
            "recipe": f"recipes/{name}.yaml",
            "protocol": protocol,
            "data": data.dataset.name,
            **facts(data, done, device),
            "seeds": [data.seed],
            "ties": data.ties,
            "num_persons": len(asked.targets),
            "selection": {"epochs": done.epochs, **done.validation},
            "metrics": summarise(ours),
            "per_seed": [{key: float(value.mean()) for key, value in ours.items()}],
            "unrefitted": summarise(found["unrefitted"][protocol].metrics),
            "baselines": {rival: summarise(each) for rival, each in theirs.items()},
            "baseline_settings": {rival: each[protocol] for rival, each in settings.items()},
            "paired": {rival: summarise_paired(ours, each) for rival, each in theirs.items()},
            **done.cost(),
        }
        path = write_results(results, name, protocol, content)
        write_test_rows(data, rows / f"test-{protocol}.parquet", found["model"][protocol])
        print(table(path, content), flush=True)
        means = {f"test/{protocol}": ours}
        means |= {f"baseline/{rival}/{protocol}": each for rival, each in theirs.items()}
        for group, metrics in means.items():
            flat |= {f"{group}/{key}": float(value.mean()) for key, value in metrics.items()}
    return flat


def questions(data: MovieLens, with_candidates: bool) -> Asked:
    """The test part: everything before the test movie, the validation movie included."""
    split = data.plain_split
    candidates = data.candidates if with_candidates else None
    return asked_at(split, split.test_user, split.test_pos, candidates)


def asked_at(
    split: Split, user: np.ndarray, pos: np.ndarray, candidates: np.ndarray | None = None
) -> Asked:
    histories = split.histories
    start = histories.indptr[user]
    cuts = [slice(a, a + n) for a, n in zip(start.tolist(), pos.tolist(), strict=True)]
    return Asked(
        [histories.item[cut] for cut in cuts],
        histories.item[start + pos],
        candidates,
        [histories.stars[cut] for cut in cuts],
    )


def ranked(data: MovieLens, scorer: Scorer, asked: Asked) -> dict[str, Ranked]:
    """By protocol name; `time` ranks as `next` does, for another question."""
    found = evaluate(scorer, *asked)
    if data.protocol == "time":
        metrics = {key: found["next"].metrics[key] for key in TIME_METRICS}
        return {"time": Ranked(metrics, found["next"].rank)}
    return found


def bundle_scorer(folder: Path) -> Scorer:
    """Scores through the library, as the service does."""
    recommender = Recommender.load(folder, threads=os.cpu_count() or 1)
    ids = recommender.movie_ids

    def score(histories: Sequence[np.ndarray], stars: Any) -> np.ndarray:
        entries = [
            list(zip(ids[items].tolist(), given.tolist(), strict=True))
            for items, given in zip(histories, stars, strict=True)
        ]
        return recommender.score(entries)

    return score


def table_scorer(network: NCF, users: np.ndarray) -> Scorer:
    """Scores the classic user, who is known by row number: `evaluate` asks in the split's order."""
    network, waiting = network.cpu().eval(), iter(users.tolist())

    @torch.no_grad()
    def score(histories: Sequence[np.ndarray], stars: Any) -> np.ndarray:
        user_B = torch.tensor([next(waiting) for _ in histories])
        return network.score({"user_B": user_B}).numpy()

    return score


def baselines(
    data: MovieLens, asked: Asked
) -> tuple[dict[str, dict[str, Ranked]], dict[str, dict[str, Any]]]:
    """Each baseline on the test part, and the settings that validation chose, by protocol."""
    plain = data.plain_split
    candidates = None if asked.candidates is None else data.valid_candidates
    valid = asked_at(plain, plain.valid_user, plain.valid_pos, candidates)
    train, refitted = pairs(plain), pairs(plain.refit("validation"))
    found: dict[str, dict[str, Ranked]] = {}
    settings: dict[str, dict[str, Any]] = {}
    for name, make in BASELINES.items():
        best, _ = tune(make, GRIDS[name], train, valid)
        settings[name] = {"time": best["next"]} if data.protocol == "time" else best
        found[name] = {}
        for protocol, chosen in settings[name].items():
            baseline = make(**chosen).fit(*refitted)
            found[name][protocol] = ranked(data, baseline.score, asked)[protocol]
    return found, settings


def pairs(split: Split) -> Interactions:
    user, item, _ = training_ratings(split)
    return Interactions(user, item, len(split.histories), split.num_items)


def write_test_rows(data: MovieLens, path: Path, found: Ranked) -> None:
    split, movies = data.plain_split, data.dataset.movies
    histories, user = split.histories, split.test_user
    item = histories.item[histories.indptr[user] + split.test_pos]
    write_ranks(path, histories.user_id[user], movies.movie_id[item], found.rank)


def facts(data: MovieLens, done: Fit, device: str) -> dict[str, Any]:
    """What a reader needs to make a figure again: code, data, machine."""
    if device.startswith("cuda"):
        device = torch.cuda.get_device_name()
    machine = f"{os.cpu_count()} cores {platform.machine()}, {device}, torch {torch.__version__}"
    return {"commit": done.commit, "data_sha256": data.dataset.sha256, "machine": machine}


def table(path: Path, content: dict[str, Any]) -> str:
    """The results as lines for the terminal."""
    keys = list(content["metrics"])
    lines = [f"{path} ({content['num_persons']:,} persons)", " " * 14 + "".join(map(cell, keys))]
    rows = {"model": content["metrics"], "unrefitted": content["unrefitted"]}
    for name, row in (rows | content["baselines"]).items():
        lines.append(f"  {name:12}" + "".join(cell(f"{row[key]['mean']:.4f}") for key in keys))
    return "\n".join(lines)


def cell(text: str) -> str:
    return f"{text:>14}"
