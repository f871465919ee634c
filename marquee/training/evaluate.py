"""The test part, read once: through the exported bundle, beside the baselines, into `results/`.

What is measured is what is served: histories go into `Recommender.score` as movie ids and stars.
The classic user has no bundle and is measured from its checkpoint. Baselines see the same ratings
as the model (train + validation), their settings chosen on validation before that. Beside the
protocol itself the same questions are asked with every history in random order, and those of
`new-users` with a random 20% to be found (Liang et al. 2018).
"""

import itertools
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from datamodules.datamodule import InteractionDataModule
from datamodules.loaders import training_ratings
from datamodules.splits.leave_one_out import Questions, Split
from marquee.core.errors import InputError
from marquee.evaluation.baselines.neighbors import Interactions
from marquee.evaluation.metrics.beyond_accuracy import Catalogue
from marquee.evaluation.ranker import Asked, Ranked, Scorer, shuffled
from marquee.evaluation.report import (
    LISTED,
    flattened,
    means,
    measured,
    metrics_part,
    paired_part,
    table,
)
from marquee.evaluation.results import write_ranks, write_results
from marquee.evaluation.tuning import rivals, tune
from marquee.recommender.recommender import Recommender
from marquee.training.callbacks import read_json
from models.ncf import NCF

Found = dict[str, Ranked]
"""By protocol."""


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
            raise InputError(f"{folder} holds no finished selection; run train.py fit first")
        return cls(folder, **json.loads((folder / "fit.json").read_text()))

    def cost(self) -> dict[str, float]:
        """wall_s and cpu_s of all trainings of the run, one after the other."""
        parts = [json.loads(path.read_text()) for path in self.folder.glob("*/cost.json")]
        return {name: sum(part[name] for part in parts) for name in ("wall_s", "cpu_s")}

    def curve(self) -> list[dict[str, float]]:
        """Every validation of the selection, and what the training had cost by then."""
        rows = read_json(self.folder / "select" / "curve.json", [])
        return [{name: float(f"{value:.6g}") for name, value in row.items()} for row in rows]


def test(
    data: InteractionDataModule,
    done: Fit,
    models: Mapping[int, Scorer],
    unrefitted: Scorer | None = None,
    *,
    name: str,
    protocols: Sequence[str],
    results: Path,
    rows: Path,
    device: str,
) -> dict[str, float]:
    """Measure a finished training and write its results and test rows.

    models: the refitted model of each training seed; figures are means over them. unrefitted: the
    first seed's model as selected, if it was kept. name: the recipe's. protocols: which questions
    to answer. results: folder of the JSON files; rows: folder of `test-PROTOCOL.parquet`.
    Returns every figure under a flat name, for logging: test/next/ndcg@10, baseline/ease/….
    """
    catalogue, sets = catalogue_of(data), question_sets(data, protocols)
    seeds = [
        {each: measured(scorer, asked, catalogue) for each, asked in sets.items()}
        for scorer in models.values()
    ]
    theirs, settings = baselines(data, sets, catalogue)
    kept = unrefitted and measured(unrefitted, sets["asked"], catalogue)
    common = {
        "recipe": f"recipes/{name}.yaml",
        "data": data.dataset.name,
        **facts(data, done, device),
        "seeds": list(models),
        "ties": data.ties,
        "num_users": len(sets["asked"].histories),
        "selection": {"epochs": done.epochs, **done.validation, "curve": done.curve()},
        **done.cost(),
    }
    flat: dict[str, float] = {}
    for protocol in protocols:
        chosen = {rival: each[protocol] for rival, each in settings.items()}
        content = common | {"protocol": protocol, "baseline_settings": chosen}
        content |= figures(protocol, seeds, theirs, kept, catalogue.num_items)
        path = write_results(results, name, protocol, content)
        ranks = {
            seed: each["asked"][protocol].rank for seed, each in zip(models, seeds, strict=True)
        }
        write_test_rows(data, rows / f"test-{protocol}.parquet", ranks)
        print(table(path, content), flush=True)
        flat |= flattened(protocol, content)
    return flat


def figures(
    protocol: str,
    seeds: Sequence[Mapping[str, Found]],
    theirs: Mapping[str, Mapping[str, Found]],
    kept: Found | None,
    num_items: int,
) -> dict[str, Any]:
    """All that a results file says of one protocol: the model's figures (means over seeds), those
    of the baselines, and the differences person by person."""

    def ours(each: str) -> list[Ranked]:
        return [seed[each][protocol] for seed in seeds]

    def beside(each: str) -> dict[str, Any]:
        rivals = {rival: found[each][protocol] for rival, found in theirs.items()}
        return {
            "metrics": metrics_part(ours(each), num_items),
            "baselines": {rival: metrics_part([one], num_items) for rival, one in rivals.items()},
            "paired": {rival: paired_part(ours(each), one) for rival, one in rivals.items()},
        }

    content = beside("asked") | {"per_seed": [means(one, num_items) for one in ours("asked")]}
    if kept is not None:
        content["unrefitted"] = metrics_part([kept[protocol]], num_items)
    if protocol in LISTED:
        content["order_shuffled"] = metrics_part(ours("order_shuffled"), num_items)
    if "random_holdout" in seeds[0]:
        content["random_holdout"] = beside("random_holdout")
    return content


def question_sets(data: InteractionDataModule, protocols: Sequence[str]) -> dict[str, Asked]:
    """`asked`, the test part, and what is asked beside it."""
    asked = questions(data, "ncf-paper" in protocols)
    sets = {"asked": asked}
    if set(protocols) & set(LISTED):
        sets["order_shuffled"] = shuffled(asked)
    if data.protocol == "new-users":
        sets["random_holdout"] = asked_of(data.random_test, data.protocol)
    return sets


def questions(data: InteractionDataModule, with_candidates: bool) -> Asked:
    """The test part: for `next` everything before the test movie, the validation movie included."""
    candidates = data.candidates if with_candidates else None
    return asked_of(data.plain_split.test, data.protocol, candidates)


def asked_of(part: Questions, protocol: str, candidates: np.ndarray | None = None) -> Asked:
    def cut(values: np.ndarray, start: np.ndarray, end: np.ndarray) -> list[np.ndarray]:
        bounds = zip((part.start + start).tolist(), (part.start + end).tolist(), strict=True)
        return [values[a:b] for a, b in bounds]

    item, stars, nothing = part.histories.item, part.histories.stars, np.zeros_like(part.first)
    return Asked(
        protocol,
        cut(item, part.first, part.given),
        cut(item, part.given, part.end),
        cut(stars, part.first, part.given),
        candidates,
        part.among,
        cut(item, nothing, part.first),
    )


def catalogue_of(data: InteractionDataModule) -> Catalogue:
    ratings = data.plain_split.everything
    genre_IG = data.dataset.movies.genre_matrix()
    return Catalogue.of(ratings.item, len(ratings), len(genre_IG), genre_IG)


def bundle_scorer(folder: Path) -> Scorer:
    """Scores through the library, as the service does."""
    return library_scorer(Recommender.load(folder, threads=os.cpu_count() or 1))


def library_scorer(recommender: Recommender) -> Scorer:
    """Item rows and stars as the library takes them."""
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
    network, waiting = network.cpu().eval(), itertools.cycle(users.tolist())

    @torch.no_grad()
    def score(histories: Sequence[np.ndarray], stars: Any) -> np.ndarray:
        user_B = torch.tensor([next(waiting) for _ in histories])
        return network.score({"user_B": user_B}).numpy()

    return score


def baselines(
    data: InteractionDataModule, sets: Mapping[str, Asked], catalogue: Catalogue
) -> tuple[dict[str, dict[str, Found]], dict[str, dict[str, Any]]]:
    """Each baseline on each set of questions (but the shuffled one: no baseline reads order), and
    the settings that validation chose, by protocol."""
    plain = data.plain_split
    candidates = None if sets["asked"].candidates is None else data.valid_candidates
    valid = asked_of(plain.valid, data.protocol, candidates)
    train, refitted = pairs(plain), pairs(plain.refit("validation"))
    found: dict[str, dict[str, Found]] = {}
    settings: dict[str, dict[str, Any]] = {}
    for name, (make, grid) in rivals(data.protocol, data.dataset.movies.genre_matrix()).items():
        settings[name], _ = tune(make, grid, train, valid)
        found[name] = {each: {} for each in sets if each != "order_shuffled"}
        for protocol, chosen in settings[name].items():
            baseline = make(**chosen).fit(*refitted)
            for each, by_protocol in found[name].items():
                by_protocol[protocol] = measured(baseline.score, sets[each], catalogue)[protocol]
    return found, settings


def pairs(split: Split) -> Interactions:
    user, item, _ = training_ratings(split)
    return Interactions(user, item, len(split.histories), split.num_items)


def write_test_rows(
    data: InteractionDataModule, path: Path, ranks: Mapping[int, np.ndarray]
) -> None:
    """One row a training seed and movie to be found."""
    test, movie_id = data.plain_split.test, data.dataset.movies.movie_id
    item = np.concatenate(asked_of(test, data.protocol).found)
    user_id = np.repeat(test.histories.user_id[test.user], test.end - test.given)
    write_ranks(path, user_id, movie_id[item], ranks)


def facts(data: InteractionDataModule, done: Fit, device: str) -> dict[str, Any]:
    """What a reader needs to make a figure again: code, data, machine."""
    if device.startswith("cuda"):
        device = torch.cuda.get_device_name()
    machine = f"{os.cpu_count()} cores {platform.machine()}, {device}, torch {torch.__version__}"
    return {"commit": done.commit, "data_sha256": data.dataset.sha256, "machine": machine}
