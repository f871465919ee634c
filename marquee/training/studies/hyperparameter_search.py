"""Hyperparameter search: Optuna proposes settings, and validation judges; no test part is read.

    marquee tune --config recipes/ml-100k.yaml --trials 12
    marquee tune --config … --study FILE --trials 3 --trainer.max_epochs 10     a short look

A study file names the searched settings (see SearchPlan): `recipes/studies/NAME.yaml` if the
recipe has one, else `any.yaml` there, which fits all recipes. A trial is one training of the
recipe, validated ten times along its schedule. It ends if its best is below the median of the
others at that tenth (Golovin et al. 2017, "Google Vizier", section 3.1.2). TPE (Bergstra et al.
2011) proposes the next settings. The first trial is the recipe itself, if the space holds it.

A trial leaves one row in `runs/NAME/study.sqlite` and `results/studies/STUDY.PROTOCOL.json`, and
one Comet experiment with the tags `sweep` and STUDY (unless --comet off). The same command resumes
a search that was stopped or killed, and finds the same as without the stop. The winner is written
as a recipe, `runs/NAME/tuned-NAME.yaml`.

What this does not guarantee: the winner's value is the best of many, so validation flatters it.
`train.py fit` on the winner measures it on the test part.
"""

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import optuna
import pytorch_lightning as pl
from optuna.study import Study
from optuna.trial import Trial, TrialState
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import Logger

from marquee.core.command import say
from marquee.core.errors import InputError
from marquee.core.files import read_json
from marquee.evaluation.results import code_commit
from marquee.training import comet
from marquee.training.config import RunConfig, read_config
from marquee.training.pipeline import best_epoch, build_data, prepare, train
from marquee.training.run_folder import TRIAL_PREFIX, RunFolder, open_run
from marquee.training.selection import COST_FILE
from marquee.training.studies.search_plan import (
    TENTHS,
    SearchPlan,
    check_plan,
    in_space,
    plan_path,
    trial_settings,
)
from marquee.training.studies.search_results import ended_trials, write_trials, write_winner
from marquee.training.studies.study_command import run_study, study_parser

STORAGE_FILE = "study.sqlite"


class PruneTrial(Callback):
    """A callback that reports each validation to Optuna, and ends hopeless trials.

    A trial ends if its best is below the median of the others at that tenth.
    """

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
    """Run `marquee tune` and return its exit status."""
    return run_study("tune", tune, args)


def tune(args: list[str]) -> None:
    """Search as a study file says, and print the winner.

    args: the settings of a recipe; `--study FILE` and `--trials N` override the recipe's own.
    Trials are counted over all calls: returns at once if the storage holds N already. Raises
    InputError for a study that does not fit the recipe, or was changed since its storage was made.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    parser = study_parser("tune", "Search for the settings of a recipe.")
    parser.add_argument("--study", type=Path, help="a study file, else the recipe's or any.yaml")
    parser.add_argument("--trials", type=int, help="trials in all, else those of the study")
    options, settings = parser.parse_known_args(args)
    config = read_config(settings)
    if config.ckpt_path:
        raise InputError(f"--ckpt_path {config.ckpt_path}: expected none; tune resumes by itself")
    path = options.study or plan_path(config)
    plan = SearchPlan.read(path)
    num_trials = plan.trials if options.trials is None else options.trials
    if num_trials < 1:
        raise InputError(f"trials {num_trials}: expected 1 or more")
    check_plan(plan, config, path)
    run = open_run(config, new=True)
    try:
        data_sha256 = build_data(config).dataset.sha256
        study = open_study(plan, config, path.stem, data_sha256)
        while len(ended_trials(study)) < num_trials:
            # A sampler for each trial, seeded by the number of ended ones: a sampler made anew at
            # every start would propose its first trials again.
            study.sampler = optuna.samplers.TPESampler(
                seed=plan.seed + len(ended_trials(study)),
                n_startup_trials=plan.startup_trials,
                constant_liar=False,  # only ended trials count
            )
            trial = study.ask(plan.distributions())
            train_trial(study, trial, config, run, trial_settings(plan, config, trial.params))
            write_trials(study, plan, config, path, data_sha256)
    finally:
        shutil.rmtree(run.path)
    write_winner(study, plan, config)


def open_study(plan: SearchPlan, config: RunConfig, name: str, data_sha256: str) -> Study:
    """Return the trials so far, or a new study.

    The first trial of a new study is the recipe, if the space holds it. Trials that were killed are
    queued again.
    """
    storage = config.runs_folder / STORAGE_FILE
    study = optuna.create_study(
        study_name=name,
        storage=f"sqlite:///{storage}",
        load_if_exists=True,
        direction="maximize",
        pruner=optuna.pruners.MedianPruner(plan.startup_trials, plan.warmup_tenths),
    )
    attributes = study.user_attrs
    content = {key: value for key, value in asdict(plan).items() if key != "trials"}
    current = {"study": content, "recipe": config.training_settings(), "data": data_sha256}
    for key in attributes:
        if attributes[key] != current[key]:
            raise InputError(
                f"{storage}: begun with another {key}, expected the same, as its trials cannot be "
                "compared; move it away to start anew, or give the study file another name"
            )
    if not attributes:
        for key, value in current.items():
            study.set_user_attr(key, value)
        first = {setting: config.value(setting) for setting in plan.space}
        if all(in_space(each, first[setting]) for setting, each in plan.distributions().items()):
            study.enqueue_trial(first)
    for killed_trial in study.get_trials(states=[TrialState.RUNNING]):
        study.tell(killed_trial.number, state=TrialState.FAIL)
        study.enqueue_trial(killed_trial.params)
    return study


def train_trial(
    study: Study, trial: Trial, config: RunConfig, run: RunFolder, settings: dict[str, Any]
) -> None:
    """Train once, and tell the study the outcome, whatever it is."""
    phase, value, state = f"{TRIAL_PREFIX}{trial.number}", None, TrialState.FAIL
    loggers: list[Logger] = []
    trial.set_user_attr("commit", code_commit())
    try:
        trial_config = config.with_settings(settings)
        prune = PruneTrial(trial, config.monitor)
        data, model, trainer = prepare(trial_config, run, phase=phase, callbacks=[prune])
        loggers = trainer.loggers
        comet.tag(loggers, ["sweep", study.study_name], {"trial": trial.number})
        train(trial_config, data, model, trainer)
        value, state = best_epoch(trainer)[1], TrialState.COMPLETE
    except optuna.TrialPruned:
        state = TrialState.PRUNED
    except (KeyboardInterrupt, SystemExit) as stop:
        study.enqueue_trial(trial.params)  # to be trained again
        # The argument of a Ctrl-C is a checkpoint, which is about to be removed.
        raise (KeyboardInterrupt if isinstance(stop, KeyboardInterrupt) else stop) from None
    except (ValueError, RuntimeError) as error:
        trial.set_user_attr("error", " ".join(str(error).split()))
    finally:
        if cost := read_json(run.phase_folder(phase) / COST_FILE):
            trial.set_user_attr("cpu_s", cost["cpu_s"])
        outcome = study.tell(trial, value, state=state)
        comet.tag(loggers, [outcome.state.name.lower()], {"optuna_value": outcome.value})
        comet.close(loggers)
        text = ", ".join(f"{name.split('.')[-1]} {value}" for name, value in settings.items())
        score = "" if outcome.value is None else f" at {outcome.value:.4f}"
        say(f"{phase}: {outcome.state.name.lower()}{score} with {text}")
        shutil.rmtree(run.phase_folder(phase), ignore_errors=True)
