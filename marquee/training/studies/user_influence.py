"""Influence of the heaviest raters: train without them, and compare the lists of all other users.

A recipe is trained on all users, without the 1% with the most ratings, and without a random 1%, by
three seeds with a draw each. `overlap@10` is the share of a user's ten listed items that remain
when the others leave; only users of all trainings count. `influence_overlap_drop` is the loss of
overlap by the heaviest raters beyond that by random users. Near 0, no user steers others' lists.

What this does not show: whether lists are good without them, or the effect of a thousand bots.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from marquee.core.arrays import Float64, Int64
from marquee.core.bootstrap import summarise
from marquee.core.command import say
from marquee.core.errors import InputError
from marquee.core.files import read_json
from marquee.evaluation.report import measure
from marquee.evaluation.results import code_commit, results_path, write_results
from marquee.training.config import RunConfig, read_config
from marquee.training.evaluate import bundle_scorer, item_stats, provenance, test_queries
from marquee.training.pipeline import export, train
from marquee.training.run_folder import RunFolder, SelectionResult, open_run
from marquee.training.studies.study_command import run_study, study_parser
from marquee.training.trainer import Training, prepare

SEEDS = (0, 1, 2)
GROUPS = ("top", "random")  # values of `data.without`: the users who are not trained on
# Lists do not depend on the rating model.
FAST_SETTINGS = {"stars.num_draws": 1, "stars.burn_in": 1, "comet": "off"}


def main(args: list[str]) -> int:
    return run_study("influence", measure_influence, args)


def measure_influence(args: list[str]) -> None:
    """Train nine times, and write `results/influence-NAME.next.json`."""
    parser = study_parser("influence", "Compare lists with and without the heaviest raters.")
    _, settings = parser.parse_known_args(args)
    config = read_config(settings).with_settings(FAST_SETTINGS)
    epochs = published_epochs(config)
    run = open_run(config, new=True)
    selection = SelectionResult(folder=run.path, commit=code_commit(), epochs=epochs, validation={})
    overlaps = []
    for seed in SEEDS:
        overlap, training = seed_overlaps(config, run, selection, seed)
        overlaps.append(overlap)
    data, device = training.data, training.device
    content = {
        "recipe": config.recipe,
        "protocol": "next",
        **provenance(data, selection, device),
        "seeds": list(SEEDS),
        "influence_cap": config.model.learning.influence_cap,
        "epochs": epochs,
        **overlap_metrics(overlaps),
        **selection.total_cost(),
    }
    path = write_results(config.results, f"influence-{config.name}", "next", content)
    for name, value in content["metrics"].items():
        say(f"{path}: {name} {value['mean']:.4f} [{value['low']:.4f}, {value['high']:.4f}]")


def published_epochs(config: RunConfig) -> int:
    """Return the epochs that the recipe's own `fit` chose on validation."""
    path = results_path(config.results, config.name, "next")
    if config.data.protocol != "next" or not path.is_file():
        raise InputError(
            f"{path}: no result, expected one of protocol next that names the epochs; first: "
            f"python train.py fit --config {config.recipe}"
        )
    return int(read_json(path)["selection"]["epochs"])


def seed_overlaps(
    config: RunConfig, run: RunFolder, selection: SelectionResult, seed: int
) -> tuple[dict[str, Float64], Training]:
    """Return the overlap of each user's lists by the group that leaves, (U,) each.

    A user who leaves in any training of the seed has nan. Returns the last training, too.
    """
    config = config.with_settings({"seed_everything": seed})
    top_UK, _ = train_and_list(config, run, selection, f"nobody-{seed}")
    overlap, excluded_users = {}, []
    for group in GROUPS:
        changed = config.with_settings({"data.without": group})
        other_UK, training = train_and_list(changed, run, selection, f"{group}-{seed}")
        overlap[group] = (top_UK[:, :, None] == other_UK[:, None]).any(2).mean(1)
        excluded_users.append(training.data.excluded_users)
    leaves_U = np.isin(training.data.base_split.test.user, np.concatenate(excluded_users))
    means = [f"without {group} {overlap[group][~leaves_U].mean():.3f}" for group in GROUPS]
    say(f"seed {seed}: overlap@10 of the others, {', '.join(means)}")
    overlap = {group: np.where(leaves_U, np.nan, value_U) for group, value_U in overlap.items()}
    return overlap, training


def train_and_list(
    config: RunConfig, run: RunFolder, selection: SelectionResult, phase: str
) -> tuple[Int64, Training]:
    """Train on train + validation, and list ten items for each test user, (U, 10)."""
    training = prepare(config, run, phase=phase, refit="validation", epochs=selection.epochs)
    train(training)
    bundle = export(training, selection, run.path / phase / "bundle")
    queries = test_queries(training.data, with_candidates=False)
    scorer = bundle_scorer(bundle, training.data.dataset.num_items)
    ranked = measure(scorer, queries, "next", item_stats(training.data))
    return ranked["next"].top, training


def overlap_metrics(overlaps: Sequence[dict[str, Float64]]) -> dict[str, Any]:
    """Return the metrics: means over the seeds in which a user stays."""
    # The heaviest raters leave in every seed.
    stays_U = ~np.isnan([overlap["top"] for overlap in overlaps]).all(0)
    means = {
        group: np.nanmean([overlap[group][stays_U] for overlap in overlaps], axis=0)
        for group in GROUPS
    }
    metrics = {f"overlap@10/without={group}": value_U for group, value_U in means.items()}
    metrics["influence_overlap_drop"] = means["random"] - means["top"]
    return {
        "num_users": int(stays_U.sum()),
        "metrics": summarise(metrics),
        "per_seed": [
            {f"overlap@10/without={group}": float(np.nanmean(overlap[group])) for group in GROUPS}
            for overlap in overlaps
        ],
    }
