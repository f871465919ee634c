"""What the busiest raters do to everybody else's lists.

    marquee influence --config recipes/ml-100k.yaml    results/influence-ml-100k.next.json

A recipe is trained with everybody, without the busiest hundredth of the persons, and without as
many drawn at random; three seeds, each with its own draw, the same seed for the three trainings.
Epochs and settings are those of the recipe's published result. `overlap@10` is the share of the ten
movies listed to somebody, who was trained on every time, that stay when the others leave;
`influence_overlap_drop` is what the busiest cost beyond what anybody costs. Near 0: nobody steers.

What this does not say: whether lists are good without them, and what a thousand bots would do.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from marquee.core.bootstrap import summarise
from marquee.core.errors import InputError
from marquee.evaluation.report import measured
from marquee.evaluation.results import code_commit, results_path, write_results
from marquee.training.callbacks import say
from marquee.training.evaluate import Fit, bundle_scorer, catalogue_of, facts, questions
from marquee.training.recipe import Recipe

Write: TypeAlias = Callable[[Recipe, Path, Fit], Path]

SEEDS = (0, 1, 2)
LEAVING = ("top", "random")
QUICK_STARS = ["--stars.num_draws=1", "--stars.burn_in=1"]
"""Lists do not read the stars."""


def measure_influence(write: Write, args: list[str]) -> None:
    """Train nine times, compare the lists, write `results/influence-NAME.next.json`.

    write: makes a bundle of a trained recipe (train.py). args: as of `fit`. Raises InputError for a
    recipe without a published result of protocol `next`.
    """
    args = [*args, *QUICK_STARS, "--comet=off"]
    base = Recipe(args, "select")
    done = Fit(base.run_folder, code_commit(), published_epochs(base), {})
    stay = [one_seed(write, args, done, seed) for seed in SEEDS]
    content = {
        "recipe": base.file,
        "protocol": "next",
        "data": base.datamodule.dataset.name,
        **facts(base.datamodule, done, base.device),
        "seeds": list(SEEDS),
        "influence_cap": base.config["model"]["learning"]["influence_cap"],
        "epochs": done.epochs,
        **figures(stay),
        **done.cost(),
    }
    path = write_results(base.config["results"], f"influence-{base.name}", "next", content)
    for figure, value in content["metrics"].items():
        say(f"{path}: {figure} {value['mean']:.4f} [{value['low']:.4f}, {value['high']:.4f}]")


def published_epochs(base: Recipe) -> int:
    """Epochs that the recipe's own `fit` chose on validation."""
    path = results_path(base.config["results"], base.name, "next")
    if base.config["data"]["protocol"] != "next" or not path.is_file():
        raise InputError(
            f"{path}: no result of protocol next to take the epochs from; first: "
            f"python train.py fit --config {base.file}"
        )
    return int(json.loads(path.read_text())["selection"]["epochs"])


def one_seed(write: Write, args: list[str], done: Fit, seed: int) -> dict[str, npt.NDArray[Any]]:
    """Share of each person's ten movies that stay, (T,), by who leaves; nan for who leaves."""
    args = [*args, f"--seed_everything={seed}"]
    with_all, _ = lists(write, args, done, f"nobody-{seed}")
    found, left = {}, []
    for who in LEAVING:
        theirs, run = lists(write, [*args, f"--data.without={who}"], done, f"{who}-{seed}")
        same_TKK = with_all[:, :, None] == theirs[:, None]
        found[who] = same_TKK.any(2).mean(1)
        left.append(run.datamodule.left_out)
    gone = np.isin(run.datamodule.plain_split.test_user, np.concatenate(left))
    shown = ", ".join(f"without {who} {each[~gone].mean():.3f}" for who, each in found.items())
    say(f"seed {seed}: overlap@10 of the others, {shown}")
    return {who: np.where(gone, np.nan, each) for who, each in found.items()}


def lists(
    write: Write, args: list[str], done: Fit, phase: str
) -> tuple[npt.NDArray[np.int64], Recipe]:
    """Everybody's ten movies by a model trained on train + validation, (T, 10)."""
    run = Recipe(
        args, phase, refit="validation", epochs=done.epochs, run_folder=done.folder
    ).train()
    scorer = bundle_scorer(write(run, run.folder / "bundle", done))
    asked = questions(run.datamodule, with_candidates=False)
    return measured(scorer, asked, catalogue_of(run.datamodule))["next"].top, run


def figures(stay: Sequence[dict[str, npt.NDArray[Any]]]) -> dict[str, Any]:
    """The figures of a results file, means over the seeds in which a person stayed."""
    stayed_T = ~np.isnan([seed["top"] for seed in stay]).all(0)  # the busiest leave in every seed
    mean = {who: np.nanmean([seed[who][stayed_T] for seed in stay], axis=0) for who in LEAVING}
    metrics = {f"overlap@10/without={who}": each for who, each in mean.items()}
    metrics["influence_overlap_drop"] = mean["random"] - mean["top"]
    return {
        "num_users": int(stayed_T.sum()),
        "metrics": summarise(metrics),
        "per_seed": [
            {f"overlap@10/without={who}": float(np.nanmean(seed[who])) for who in LEAVING}
            for seed in stay
        ],
    }
