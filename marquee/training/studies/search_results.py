"""The results of a search: one row a trial as JSON, and the winner as a recipe."""

from pathlib import Path
from typing import Any

import yaml
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from marquee.core.command import say
from marquee.core.errors import InputError
from marquee.core.files import write_atomic
from marquee.evaluation.results import write_results
from marquee.training.config import RunConfig
from marquee.training.studies.search_plan import SearchPlan, trial_settings

COUNTED_STATES = (TrialState.COMPLETE, TrialState.PRUNED)
RECIPE_KEYS = ("protocols", "seeds", "folds")
"""Keys of a recipe beside the settings of a training."""


def ended_trials(study: Study) -> list[FrozenTrial]:
    """Return the trials that count: not those that run, or that a user stopped."""
    return [
        trial
        for trial in study.trials
        if trial.state in COUNTED_STATES or "error" in trial.user_attrs
    ]


def write_trials(
    study: Study, plan: SearchPlan, config: RunConfig, path: Path, data_sha256: str
) -> None:
    """Write `results/studies/STUDY.PROTOCOL.json`, anew after every trial.

    path: the study file.
    """
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
        "study": f"recipes/studies/{path.name}",
        "recipe": f"recipes/{config.name}.yaml",
        "protocol": config.data.protocol,
        "data": config.data.name,
        "data_sha256": data_sha256,
        "monitor": config.monitor,
        "trials": rows,
    }
    write_results(Path(config.results) / "studies", path.stem, config.data.protocol, content)


def write_winner(study: Study, plan: SearchPlan, config: RunConfig) -> None:
    """Write the best trial as a recipe: all settings of the base, and the trial's own."""
    if not any(trial.state == TrialState.COMPLETE for trial in study.trials):
        raise InputError(
            f"no trial was complete, expected one; the last ended with: "
            f"{ended_trials(study)[-1].user_attrs['error']}"
        )
    trial, name = study.best_trial, f"tuned-{config.name}"
    settings = nested(trial_settings(plan, config, trial.params))
    shared = {key: getattr(config, key) for key in RECIPE_KEYS}
    recipe = {"name": name, **shared, **config.training_settings()}
    score = f"{config.monitor} {trial.value:.4f}"
    path = config.runs_folder / f"{name}.yaml"
    write_atomic(
        path,
        f"# recipes/{config.name}.yaml with the settings of trial {trial.number} of the study "
        f"{study.study_name},\n# best of {len(ended_trials(study))}: {score} on validation, which "
        "flatters the best of many.\n" + yaml.safe_dump(merged(recipe, settings), sort_keys=False),
    )
    say(f"best of {len(ended_trials(study))}: trial {trial.number}, {score}, with")
    say(yaml.safe_dump(settings, sort_keys=False).rstrip())
    say(f"as a recipe: {path}; to measure it: python train.py fit --config {path}")


def nested(settings: dict[str, Any]) -> dict[str, Any]:
    """Return {"model.learning.lr": 1} as {"model": {"learning": {"lr": 1}}}."""
    tree: dict[str, Any] = {}
    for path, value in settings.items():
        *groups, last = path.split(".")
        branch = tree
        for group in groups:
            branch = branch.setdefault(group, {})
        branch[last] = value
    return tree


def merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Return old, replaced by new group by group."""
    updates = {
        key: merged(old[key], value) if isinstance(value, dict) and key in old else value
        for key, value in new.items()
    }
    return old | updates
