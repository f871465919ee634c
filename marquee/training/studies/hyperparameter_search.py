"""Hyperparameter search: Optuna proposes settings, and validation judges; no test part is read.

    marquee tune --config recipes/ml-100k.yaml --trials 12

A trial is one training of the recipe, validated ten times along its schedule. It ends if its best
is below the median of the others at that tenth (Golovin et al. 2017, "Google Vizier", section
3.1.2). TPE (Bergstra et al. 2011) proposes the next settings. A search that was stopped or killed
is resumed by the same command, and finds the same.

What this does not guarantee: the winner's value is the best of many, so validation flatters it.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

import optuna
import pytorch_lightning as pl
import yaml
from jsonargparse import Namespace
from optuna import distributions
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import Logger

from datamodules.datamodule import InteractionDataModule
from marquee.core.command import say
from marquee.core.errors import InputError
from marquee.core.files import flatten, read_json, write_atomic
from marquee.evaluation.results import code_commit, write_results
from marquee.training import comet
from marquee.training.config import RunConfig, read_config
from marquee.training.pipeline import best_epoch, train
from marquee.training.run_folder import COST_FILE, TRIAL_PREFIX, RunFolder, open_run
from marquee.training.studies.study_command import run_study, study_parser
from marquee.training.trainer import prepare

PLANS = Path(__file__).parents[3] / "recipes" / "studies"
TENTHS = 10  # validations of a trial of any length, about: trials are compared tenth by tenth
STORAGE_FILE = "study.sqlite"


@dataclass(frozen=True, kw_only=True)
class SearchPlan:
    """A plan file, which says what settings of a recipe are searched, and how."""

    path: Path
    base: str | None
    """Name of the recipe whose settings are searched; null fits any."""
    trials: int
    """Trainings that the search may cost in all; `--trials` overrides it."""
    space: dict[str, dict[str, Any]]
    """Setting -> `{type: float or int, low, high, log}` or `{type: categorical, choices}`."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Settings of all trials, beside the recipe's."""
    seed: int = 0
    """Seed of the proposals. Trainings have the recipe's: trials differ by settings alone."""
    startup_trials: int = 10
    """Trials drawn at random and trained to their end, before TPE and pruning begin."""
    warmup_tenths: int = 3
    """Tenths of its schedule that every trial may train: early metrics favour large rates."""

    @classmethod
    def read(cls, path: Path) -> Self:
        if not path.is_file():
            raise InputError(f"--study {path}: no such file, expected one as in recipes/studies")
        try:
            plan = cls(path=path, **yaml.safe_load(path.read_text()))
            plan.distributions()
        except (yaml.YAMLError, TypeError, ValueError, KeyError, AttributeError) as error:
            keys = ", ".join(each.name for each in fields(cls) if each.name != "path")
            raise InputError(f"{path}: {error!r}, expected a study with the keys {keys}") from error
        return plan

    @classmethod
    def for_recipe(cls, config: RunConfig, path: Path | None = None) -> Self:
        """Read a plan for a recipe: of `path`, else its own, else the one that fits any."""
        own = PLANS / f"{config.name}.yaml"
        plan = cls.read(path or (own if own.is_file() else PLANS / "any.yaml"))
        if plan.base not in (None, config.name):
            raise InputError(
                f"{plan.path}: for recipe {plan.base!r}, expected --config of {config.name!r}"
            )
        for name in (*plan.space, *plan.settings):
            if name not in config.flat():
                raise InputError(
                    f"{plan.path}: {name!r} is no setting, expected one of a recipe; see train.py "
                    "fit --help"
                )
        return plan

    def distributions(self) -> dict[str, distributions.BaseDistribution]:
        return {
            name: distributions.json_to_distribution(json.dumps(distribution))
            for name, distribution in self.space.items()
        }


class PruneTrial(Callback):
    """Reports each validation to Optuna, and ends hopeless trials."""

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


def main(args: list[str]) -> int:
    return run_study("tune", tune, args)


def tune(args: list[str]) -> None:
    """Search as a study file says; the winner is recipe `runs/NAME/tuned-NAME.yaml`.

    Trials are counted over all calls. Raises InputError for a study that does not fit the recipe,
    or was changed since its storage was made.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    parser = study_parser("tune", "Search for the settings of a recipe.")
    parser.add_argument("--study", type=Path, help="a study file, else the recipe's or any.yaml")
    parser.add_argument("--trials", type=int, help="trials in all, else those of the study")
    options, settings = parser.parse_known_args(args)
    config = read_config(settings)
    if config.ckpt_path:
        raise InputError(f"--ckpt_path {config.ckpt_path}: expected none; tune resumes by itself")
    plan = SearchPlan.for_recipe(config, options.study)
    num_trials = plan.trials if options.trials is None else options.trials
    if num_trials < 1:
        raise InputError(f"trials {num_trials}: expected 1 or more")
    run = open_run(config, new=True)
    try:
        study = open_study(plan, config)
        while len(ended_trials(study)) < num_trials:
            # A sampler for each trial, seeded by the number of ended ones: a sampler made anew at
            # every start would propose its first trials again.
            study.sampler = optuna.samplers.TPESampler(
                seed=plan.seed + len(ended_trials(study)),
                n_startup_trials=plan.startup_trials,
                constant_liar=False,  # only ended trials count
            )
            train_trial(study, study.ask(plan.distributions()), plan, config, run)
            write_trials(study, plan, config)
    finally:
        shutil.rmtree(run.path)
    write_winner(study, plan, config)


def open_study(plan: SearchPlan, config: RunConfig) -> Study:
    """Return the trials so far, the killed ones queued again, or a new study."""
    storage = config.runs_folder / STORAGE_FILE
    study = optuna.create_study(
        study_name=plan.path.stem,
        storage=f"sqlite:///{storage}",
        load_if_exists=True,
        direction="maximize",
        pruner=optuna.pruners.MedianPruner(plan.startup_trials, plan.warmup_tenths),
    )
    content = {key: value for key, value in asdict(plan).items() if key not in ("path", "trials")}
    sha256 = InteractionDataModule(config.data).dataset.sha256
    current = {"study": content, "recipe": config.training_settings(), "data": sha256}
    for key, value in study.user_attrs.items():
        if value != current[key]:
            raise InputError(
                f"{storage}: begun with another {key}, expected the same, as its trials cannot be "
                "compared; move it away to start anew, or give the study file another name"
            )
    if not study.user_attrs:
        for key, value in current.items():
            study.set_user_attr(key, value)
        settings = config.flat()
        first = {setting: settings[setting] for setting in plan.space}
        if all(in_space(each, first[setting]) for setting, each in plan.distributions().items()):
            study.enqueue_trial(first)
    for killed_trial in study.get_trials(states=[TrialState.RUNNING]):
        study.tell(killed_trial.number, state=TrialState.FAIL)
        study.enqueue_trial(killed_trial.params)
    return study


def train_trial(
    study: Study, trial: Trial, plan: SearchPlan, config: RunConfig, run: RunFolder
) -> None:
    settings, phase = trial_settings(plan, config, trial.params), f"{TRIAL_PREFIX}{trial.number}"
    value, state, loggers = None, TrialState.FAIL, list[Logger]()
    trial.set_user_attr("commit", code_commit())
    try:
        trial_config = config.with_settings(settings)
        prune = PruneTrial(trial, config.monitor)
        training = prepare(trial_config, run, phase=phase, callbacks=[prune])
        loggers = training.trainer.loggers
        comet.tag(loggers, ["sweep", study.study_name], {"trial": trial.number})
        train(training)
        value, state = best_epoch(training)[1], TrialState.COMPLETE
    except optuna.TrialPruned:
        state = TrialState.PRUNED
    except (KeyboardInterrupt, SystemExit) as stop:
        study.enqueue_trial(trial.params)  # to be trained again
        # The argument of a Ctrl-C is a checkpoint, which is about to be removed.
        raise (KeyboardInterrupt if isinstance(stop, KeyboardInterrupt) else stop) from None
    except (ValueError, RuntimeError) as error:
        trial.set_user_attr("error", " ".join(str(error).split()))
    finally:
        if cost := read_json(run.path / phase / COST_FILE):
            trial.set_user_attr("cpu_s", cost["cpu_s"])
        outcome = study.tell(trial, value, state=state)
        comet.tag(loggers, [outcome.state.name.lower()], {"optuna_value": outcome.value})
        comet.close(loggers)
        text = ", ".join(f"{name.split('.')[-1]} {value}" for name, value in settings.items())
        score = "" if outcome.value is None else f" at {outcome.value:.4f}"
        say(f"{phase}: {outcome.state.name.lower()}{score} with {text}")
        shutil.rmtree(run.path / phase, ignore_errors=True)


def in_space(distribution: distributions.BaseDistribution, value: Any) -> bool:
    if isinstance(distribution, distributions.CategoricalDistribution):
        return value in distribution.choices
    assert isinstance(distribution, distributions.FloatDistribution | distributions.IntDistribution)
    return bool(distribution.low <= value <= distribution.high)


def trial_settings(
    plan: SearchPlan, config: RunConfig, params: Mapping[str, Any]
) -> dict[str, Any]:
    """Return all settings of a trial, drawn numbers rounded as they are printed."""
    values = {
        name: float(f"{value:.3g}") if isinstance(value, float) else value
        for name, value in params.items()
    }
    settings = {**plan.settings, **values}
    epochs = settings.get("trainer.max_epochs", config.trainer["max_epochs"])
    return settings | {"trainer.check_val_every_n_epoch": max(1, epochs // TENTHS)}


def ended_trials(study: Study) -> list[FrozenTrial]:
    """Return the trials that count: not those that run, or that a user stopped."""
    states = (TrialState.COMPLETE, TrialState.PRUNED)
    return [each for each in study.trials if each.state in states or "error" in each.user_attrs]


def write_trials(study: Study, plan: SearchPlan, config: RunConfig) -> None:
    rows = [
        {
            "number": trial.number,
            "state": trial.state.name.lower(),
            "value": trial.value,
            "settings": trial_settings(plan, config, trial.params),
            **trial.user_attrs,
        }
        for trial in study.trials
        if trial.state.is_finished()
    ]
    content = {
        "study": f"recipes/studies/{plan.path.name}",
        "recipe": f"recipes/{config.name}.yaml",
        "protocol": config.data.protocol,
        "data": config.data.name,
        "data_sha256": study.user_attrs["data"],
        "monitor": config.monitor,
        "trials": rows,
    }
    folder = Path(config.results) / "studies"
    write_results(folder, plan.path.stem, config.data.protocol, content)


def write_winner(study: Study, plan: SearchPlan, config: RunConfig) -> None:
    trials = ended_trials(study)
    if not any(trial.state == TrialState.COMPLETE for trial in trials):
        raise InputError(
            "no trial was complete, expected one; the last ended with: "
            + trials[-1].user_attrs["error"]
        )
    trial, name = study.best_trial, f"tuned-{config.name}"
    settings = trial_settings(plan, config, trial.params)
    recipe = {"name": name, "protocols": config.protocols, "seeds": config.seeds}
    recipe |= {"folds": config.folds, **flatten(config.training_settings()), **settings}
    score, path = f"{config.monitor} {trial.value:.4f}", config.runs_folder / f"{name}.yaml"
    write_atomic(
        path,
        f"# recipes/{config.name}.yaml with the settings of trial {trial.number} of the study "
        f"{study.study_name},\n# best of {len(trials)}: {score} on validation, which flatters the "
        f"best of many.\n{nested_yaml(recipe)}",
    )
    say(f"best of {len(trials)}: trial {trial.number}, {score}, with")
    say(nested_yaml(settings).rstrip())
    say(f"as a recipe: {path}; to measure it: python train.py fit --config {path}")


def nested_yaml(settings: dict[str, Any]) -> str:
    tree = Namespace()  # type: ignore[no-untyped-call]
    for name, value in settings.items():
        tree[name] = value
    return yaml.safe_dump(tree.as_dict(), sort_keys=False)
