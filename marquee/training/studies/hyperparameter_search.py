"""A search for the settings of a recipe: Optuna proposes, validation judges, no test part is read.

    marquee tune --config recipes/ml-100k.yaml --trials 12
    marquee tune --config … --study FILE --trials 3 --trainer.max_epochs 10     a look at it

A study file says what is searched (see Plan): `recipes/studies/NAME.yaml` where the recipe has one,
else `any.yaml` there, which fits all. A trial is one training of the recipe, validated ten
times along its schedule and ended where its best is below the median of the others at that tenth
(Golovin et al. 2017, "Google Vizier", section 3.1.2); TPE (Bergstra et al. 2011) proposes the next.
The first trial is the recipe as it stands, where the space holds it. A trial leaves its row in
`runs/NAME/study.sqlite` and `results/studies/STUDY.PROTOCOL.json`, one Comet experiment with the
tags `sweep` and STUDY (unless --comet off), and nothing else. The same command goes on where it was
stopped, even by a kill, and finds what it would have found in one go. The winner is written as a
recipe of its own, `runs/NAME/tuned-NAME.yaml`.

What this does not guarantee: the winner's figure is the best of many, so validation flatters it.
What it is worth is what `train.py fit` finds on the test part.
"""

import argparse
import json
import shutil
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

import optuna
import pytorch_lightning as pl
import yaml
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    json_to_distribution,
)
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import Logger

from marquee.core.errors import InputError
from marquee.evaluation.results import code_commit, write_results
from marquee.training import comet
from marquee.training.callbacks import say
from marquee.training.recipe import TRIAL, Recipe, as_args

optuna.logging.set_verbosity(optuna.logging.WARNING)

STUDIES = Path(__file__).parent.parent / "recipes" / "studies"
TENTHS = 10
"""Validations of a trial of any length, about: schedules are compared tenth by tenth."""


@dataclass(frozen=True)
class Plan:
    """A study file: the committed recipe of a search."""

    base: str | None
    """Name of the recipe whose settings are searched; null fits any."""
    trials: int
    """Trainings that the search may cost in all; `--trials` overrides it."""
    space: dict[str, dict[str, Any]]
    """Setting -> `{type: float or int, low, high, log}` or `{type: categorical, choices}`."""
    settings: dict[str, Any] = field(default_factory=dict)
    """What all trials set beside the recipe."""
    seed: int = 0
    """Of the proposals. All trainings have the recipe's seed: trials differ by settings alone."""
    startup_trials: int = 10
    """Trials drawn at random and trained to their end, before TPE and pruning begin."""
    warmup_tenths: int = 3
    """Tenths of its schedule that every trial may train: early figures favour large rates."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """InputError where there is no such file, or it is no study."""
        if not path.is_file():
            raise InputError(
                f"--study {path}: no such file; see recipes/studies for those there are"
            )
        try:
            plan = cls(**yaml.safe_load(path.read_text()))
            plan.distributions()
        except (yaml.YAMLError, TypeError, ValueError, KeyError, AttributeError) as error:
            known = ", ".join(each.name for each in fields(cls))
            raise InputError(f"{path} is no study: {error!r}; it has the keys {known}") from error
        return plan

    def distributions(self) -> dict[str, BaseDistribution]:
        return {path: json_to_distribution(json.dumps(each)) for path, each in self.space.items()}


class Prune(Callback):
    """Reports each validation, and ends a trial where the study has seen better at that tenth."""

    def __init__(self, trial: Trial, monitor: str) -> None:
        self.trial, self.monitor, self.tenth = trial, monitor, 0

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        epoch = trainer.current_epoch + 1
        self.trial.set_user_attr("epochs", epoch)
        tenth = TENTHS * epoch // (trainer.max_epochs or epoch)
        if tenth == self.tenth:  # of a length that ten does not divide
            return
        self.tenth = tenth
        self.trial.report(float(trainer.callback_metrics[self.monitor]), tenth)
        if tenth < TENTHS and self.trial.should_prune():
            raise optuna.TrialPruned


def tune(args: list[str]) -> None:
    """Search as a study file says, up to its number of trials in all, and print the winner.

    args: those of `fit`; `--study FILE` and `--trials N` where the recipe's own study is not meant.
    Returns at once where the storage holds N trials already. Raises InputError for a study that does
    not fit the recipe, or was changed since its storage was made.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--study", type=Path)
    parser.add_argument("--trials", type=int)
    chosen, rest = parser.parse_known_args(args)
    base = Recipe([*rest, "--comet=off"], "select")
    if base.config["ckpt_path"]:
        raise InputError("tune goes on by itself; leave --ckpt_path out")
    try:
        path = chosen.study or study_of(base)
        plan = Plan.read(path)
        wanted = plan.trials if chosen.trials is None else chosen.trials
        if wanted < 1:
            raise InputError(f"trials {wanted}: needed 1 or more")
        check(plan, base, path)
        study = open_study(plan, base, path.stem)
        while len(ended(study)) < wanted:
            # A sampler for each trial, seeded by how many there were: one that is made anew at
            # every start would propose its first trials again.
            study.sampler = optuna.samplers.TPESampler(
                seed=plan.seed + len(ended(study)),
                n_startup_trials=plan.startup_trials,
                constant_liar=False,  # only ended trials count
            )
            trial = study.ask(plan.distributions())
            train_trial(study, trial, settings(plan, base, trial.params), rest, base.run_folder)
            write_rows(study, plan, base, path)
    finally:
        shutil.rmtree(base.run_folder)
    write_winner(study, plan, base)


def study_of(base: Recipe) -> Path:
    own = STUDIES / f"{base.name}.yaml"
    return own if own.is_file() else STUDIES / "any.yaml"


def check(plan: Plan, base: Recipe, path: Path) -> None:
    if plan.base not in (None, base.name):
        raise InputError(f"{path} searches for recipe {plan.base!r}, but --config is {base.name!r}")
    for setting in (*plan.space, *plan.settings):
        if setting not in base.config:
            raise InputError(
                f"{path}: a recipe has no setting {setting!r}; see train.py fit --help"
            )


def open_study(plan: Plan, base: Recipe, name: str) -> Study:
    """The trials so far, or a new study whose first trial is the recipe, if the space holds it."""
    storage = base.runs / "study.sqlite"
    study = optuna.create_study(
        study_name=name,
        storage=f"sqlite:///{storage}",
        load_if_exists=True,
        direction="maximize",
        pruner=optuna.pruners.MedianPruner(plan.startup_trials, plan.warmup_tenths),
    )
    begun = study.user_attrs
    content = {key: value for key, value in asdict(plan).items() if key != "trials"}
    now = {"study": content, "recipe": base.settings(), "data": base.datamodule.dataset.sha256}
    for key in begun:
        if begun[key] != now[key]:
            raise InputError(
                f"{storage} was begun with another {key}, whose trials cannot be compared; move it "
                "away to start anew, or give the study file another name"
            )
    if not begun:
        for key, value in now.items():
            study.set_user_attr(key, value)
        first = {path: base.config[path] for path in plan.space}
        if all(holds(each, first[path]) for path, each in plan.distributions().items()):
            study.enqueue_trial(first)
    for killed in study.get_trials(states=[TrialState.RUNNING]):
        study.tell(killed.number, state=TrialState.FAIL)
        study.enqueue_trial(killed.params)
    return study


def holds(space: BaseDistribution, value: Any) -> bool:
    if isinstance(space, CategoricalDistribution):
        return value in space.choices
    assert isinstance(space, FloatDistribution | IntDistribution)
    return bool(space.low <= value <= space.high)


def settings(plan: Plan, base: Recipe, drawn: dict[str, Any]) -> dict[str, Any]:
    """All that a trial sets, drawn numbers to three digits: what is printed is what was trained."""
    short = {key: float(f"{v:.3g}") if isinstance(v, float) else v for key, v in drawn.items()}
    chosen = {**plan.settings, **short}
    epochs = chosen.get("trainer.max_epochs", base.config["trainer"]["max_epochs"])
    return chosen | {"trainer.check_val_every_n_epoch": max(1, epochs // TENTHS)}


def train_trial(
    study: Study, trial: Trial, chosen: dict[str, Any], args: list[str], folder: Path
) -> None:
    """One training, told to the study whatever becomes of it."""
    phase, value, state = f"{TRIAL}{trial.number}", None, TrialState.FAIL
    loggers: list[Logger] = []
    trial.set_user_attr("commit", code_commit())
    try:
        run = Recipe([*args, *as_args(chosen)], phase, run_folder=folder)
        loggers = run.loggers
        run.trainer.callbacks.append(Prune(trial, run.monitor))  # type: ignore[attr-defined]
        comet.tag(run.loggers, ["sweep", study.study_name], {"trial": trial.number})
        run.train()
        value, state = run.best_epoch()[1][run.monitor], TrialState.COMPLETE
    except optuna.TrialPruned:
        state = TrialState.PRUNED
    except (KeyboardInterrupt, SystemExit) as stop:
        study.enqueue_trial(trial.params)  # to be made again
        # The argument of a Ctrl-C is a checkpoint, which is about to go.
        raise (KeyboardInterrupt if isinstance(stop, KeyboardInterrupt) else stop) from None
    except (argparse.ArgumentError, ValueError, RuntimeError) as error:
        trial.set_user_attr("error", " ".join(str(error).split()))
    finally:
        cost = folder / phase / "cost.json"
        if cost.is_file():
            trial.set_user_attr("cpu_s", json.loads(cost.read_text())["cpu_s"])
        told = study.tell(trial, value, state=state)
        comet.tag(loggers, [told.state.name.lower()], {"optuna_value": told.value})
        comet.close(loggers)
        shown = ", ".join(f"{path.split('.')[-1]} {value}" for path, value in chosen.items())
        reached = "" if told.value is None else f" at {told.value:.4f}"
        say(f"{phase}: {told.state.name.lower()}{reached} with {shown}")
        shutil.rmtree(folder / phase, ignore_errors=True)


def ended(study: Study) -> list[FrozenTrial]:
    """Trials that count: not those that run, nor those that somebody stopped."""
    own = (TrialState.COMPLETE, TrialState.PRUNED)
    return [each for each in study.trials if each.state in own or "error" in each.user_attrs]


def write_rows(study: Study, plan: Plan, base: Recipe, path: Path) -> None:
    """`results/studies/STUDY.PROTOCOL.json`, anew after every trial."""
    rows = [
        {
            "number": each.number,
            "state": each.state.name.lower(),
            "value": each.value,
            "settings": settings(plan, base, each.params),
            **each.user_attrs,
        }
        for each in study.trials
        if each.state.is_finished()
    ]
    protocol = base.datamodule.protocol
    content = {
        "study": f"recipes/studies/{path.name}",
        "recipe": f"recipes/{base.name}.yaml",
        "protocol": protocol,
        "data": base.datamodule.dataset.name,
        "data_sha256": base.datamodule.dataset.sha256,
        "monitor": base.monitor,
        "trials": rows,
    }
    write_results(Path(base.config["results"]) / "studies", path.stem, protocol, content)


def write_winner(study: Study, plan: Plan, base: Recipe) -> None:
    """The best trial as a recipe: all settings of the base, resolved, and the trial's own."""
    if not any(each.state == TrialState.COMPLETE for each in study.trials):
        raise InputError(f"no trial came to its end: {ended(study)[-1].user_attrs['error']}")
    best, name = study.best_trial, f"tuned-{base.name}"
    own = nested(settings(plan, base, best.params))
    same = ("protocols", "seeds", "folds")
    recipe = {"name": name, **{key: base.config[key] for key in same}, **base.settings()}
    path = base.runs / f"{name}.yaml"
    found = f"{base.monitor} {best.value:.4f}"
    path.write_text(
        f"# recipes/{base.name}.yaml with the settings of trial {best.number} of the study "
        f"{study.study_name},\n# best of {len(ended(study))}: {found} on validation, which "
        "flatters the best of many.\n" + yaml.safe_dump(merged(recipe, own), sort_keys=False)
    )
    say(f"best of {len(ended(study))}: trial {best.number}, {found}, with")
    say(yaml.safe_dump(own, sort_keys=False).rstrip())
    say(f"as a recipe: {path}; what it is worth: python train.py fit --config {path}")


def nested(flat: dict[str, Any]) -> dict[str, Any]:
    """{"model.learning.lr": 1} as {"model": {"learning": {"lr": 1}}}."""
    tree: dict[str, Any] = {}
    for path, value in flat.items():
        *groups, last = path.split(".")
        branch = tree
        for group in groups:
            branch = branch.setdefault(group, {})
        branch[last] = value
    return tree


def merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """old, with what new says instead, group by group."""
    both = {
        key: merged(old[key], value) if isinstance(value, dict) and key in old else value
        for key, value in new.items()
    }
    return old | both
