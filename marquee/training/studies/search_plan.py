"""A search plan: the YAML file that says which settings of a recipe are searched, and how.

plan = SearchPlan.read(Path("recipes/studies/ml-100k.yaml"))
plan.distributions()                              # Optuna's space, by setting
trial_settings(plan, config, trial.params)        # all settings of one trial
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

import yaml
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    json_to_distribution,
)

from marquee.core.errors import InputError
from marquee.training.config import RunConfig

PLANS = Path(__file__).parents[3] / "recipes" / "studies"
TENTHS = 10
"""Validations of a trial of any length, about: schedules are compared tenth by tenth."""


@dataclass(frozen=True, kw_only=True)
class SearchPlan:
    """The content of a plan file."""

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
        """Read a plan file; InputError if there is none, or it is malformed."""
        if not path.is_file():
            raise InputError(f"--study {path}: no such file, expected one as in recipes/studies")
        try:
            plan = cls(**yaml.safe_load(path.read_text()))
            plan.distributions()
        except (yaml.YAMLError, TypeError, ValueError, KeyError, AttributeError) as error:
            keys = ", ".join(each.name for each in fields(cls))
            raise InputError(f"{path}: {error!r}, expected a study with the keys {keys}") from error
        return plan

    def distributions(self) -> dict[str, BaseDistribution]:
        """Return Optuna's distribution of each searched setting."""
        return {
            name: json_to_distribution(json.dumps(distribution))
            for name, distribution in self.space.items()
        }


def plan_path(config: RunConfig) -> Path:
    """Return the recipe's own plan file, else the one that fits any recipe."""
    path = PLANS / f"{config.name}.yaml"
    return path if path.is_file() else PLANS / "any.yaml"


def check_plan(plan: SearchPlan, config: RunConfig, path: Path) -> None:
    """Raise InputError if a plan is of another recipe, or names an unknown setting."""
    if plan.base not in (None, config.name):
        raise InputError(f"{path}: for recipe {plan.base!r}, expected --config of {config.name!r}")
    recipe_settings = config.flat()
    for name in (*plan.space, *plan.settings):
        if name not in recipe_settings:
            raise InputError(
                f"{path}: {name!r} is no setting, expected one of a recipe; see train.py fit --help"
            )


def in_space(distribution: BaseDistribution, value: Any) -> bool:
    """Return whether a distribution could draw a value."""
    if isinstance(distribution, CategoricalDistribution):
        return value in distribution.choices
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    return bool(distribution.low <= value <= distribution.high)


def trial_settings(
    plan: SearchPlan, config: RunConfig, params: Mapping[str, Any]
) -> dict[str, Any]:
    """Return all settings of a trial beside the recipe's.

    Drawn numbers are rounded to three digits: what is printed is what was trained.
    """
    values = {
        name: float(f"{value:.3g}") if isinstance(value, float) else value
        for name, value in params.items()
    }
    settings = {**plan.settings, **values}
    epochs = settings.get("trainer.max_epochs", config.trainer["max_epochs"])
    return settings | {"trainer.check_val_every_n_epoch": max(1, epochs // TENTHS)}
