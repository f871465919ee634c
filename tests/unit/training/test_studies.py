"""Pure functions of the studies: settings of variants and trials, pruning, sessions, metrics."""

import json
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import optuna
import pytest
import pytorch_lightning as pl
import yaml
from optuna.trial import create_trial

from marquee.evaluation.results import write_ranks, write_results
from marquee.evaluation.simulator import World
from marquee.training.config import read_config
from marquee.training.studies.ablation import add_difference, changed_settings
from marquee.training.studies.elicitation import HeldOutUsers, Sessions
from marquee.training.studies.hyperparameter_search import (
    PruneTrial,
    SearchPlan,
    in_space,
    nested_yaml,
    trial_settings,
)
from marquee.training.studies.simulation import user_entries
from marquee.training.studies.user_influence import overlap_metrics
from tests.support.eval_queries import eval_queries
from tests.support.paths import ROOT

PLANS = sorted((ROOT / "recipes" / "studies").glob("*.yaml"))
SECOND = 1 / math.log2(3)
"""The ndcg of the second place."""


def test_add_difference_is_variant_minus_base(tmp_path: Path) -> None:
    """All four users have their movie first in the full model, and second in the variant."""
    base: Any = SimpleNamespace(name="demo", runs_folder=tmp_path / "demo", results=str(tmp_path))
    for name, rank in (("demo", 1.0), ("x-demo", 2.0)):
        ids = np.arange(4)
        write_ranks(tmp_path / name / "test-next.parquet", ids, ids, {0: np.full(4, rank)})
    content = {"metrics": {"ndcg@10": {"mean": SECOND}}, "paired": {"ease": {}}}
    write_results(tmp_path, "x-demo", "next", content)
    add_difference(base, "next", "x", {"data.shuffled": True})
    result = json.loads((tmp_path / "x-demo.next.json").read_text())
    expected = pytest.approx(SECOND - 1, abs=1e-6)
    assert result["paired"]["full"] == {"ndcg@10": dict.fromkeys(("diff", "low", "high"), expected)}


def test_changed_settings_without_any_feature_keep_every_id() -> None:
    settings = {"model.network.features": ["data"], "model.network.id_dropout": 0.05}
    base: Any = SimpleNamespace(flat=lambda: settings)
    changes = changed_settings(base, {"model.network.features": ["genres"]})
    assert changes == {"model.network.features": [], "model.network.id_dropout": 0.0}


def test_changed_settings_of_list_stay_within_recipe() -> None:
    base: Any = SimpleNamespace(flat=lambda: {"features": ["genres", "period"], "cap": 0})
    assert changed_settings(base, {"features": ["period", "text"]}) == {"features": ["period"]}
    assert changed_settings(base, {"features": ["genres", "period"], "cap": 0}) == {}
    assert changed_settings(base, {"cap": 50}) == {"cap": 50}


def test_overlap_metrics_count_user_in_seeds_of_staying() -> None:
    """Of three users the busiest leaves in each seed; the second was drawn in one seed of two."""
    nan = np.nan
    overlaps = [
        {"top": np.array([nan, 0.4, 0.6]), "random": np.array([nan, 0.8, 0.6])},
        {"top": np.array([nan, nan, 0.8]), "random": np.array([nan, nan, 0.8])},
    ]
    result = overlap_metrics(overlaps)
    means = {name: each["mean"] for name, each in result["metrics"].items()}
    assert result["num_users"] == 2
    assert means["influence_overlap_drop"] == pytest.approx((0.4 + 0.0) / 2)
    assert means["overlap@10/without=top"] == pytest.approx((0.4 + 0.7) / 2)
    assert result["per_seed"][1]["overlap@10/without=random"] == pytest.approx(0.8)


def test_prune_trial_ends_below_median_of_that_tenth() -> None:
    """Two trials had .2 and .4 at the fifth tenth: the median there is .3."""
    study = optuna.create_study(
        direction="maximize", pruner=optuna.pruners.MedianPruner(2, n_warmup_steps=3)
    )
    for value in (0.2, 0.4):
        values = {2: 0.1, 5: value, 10: value}
        study.add_trial(create_trial(value=value, intermediate_values=values))
    trial = study.ask()
    prune = PruneTrial(trial, "val/ndcg@10")

    def validate(epoch: int, value: float) -> None:
        trainer: Any = SimpleNamespace(
            current_epoch=epoch - 1, max_epochs=40, callback_metrics={"val/ndcg@10": value}
        )
        prune.on_validation_end(trainer, pl.LightningModule())

    validate(8, 0.01)  # tenth 2: far below, but every trial may train for three tenths
    validate(9, 0.02)  # on the way to tenth 3
    with pytest.raises(optuna.TrialPruned):
        validate(20, 0.29)  # tenth 5
    validate(40, 0.29)  # the last one: nothing is left to be saved
    assert study.trials[-1].intermediate_values == {2: 0.01, 5: 0.29, 10: 0.29}
    assert study.trials[-1].user_attrs["epochs"] == 40


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_search_plan_of_repository_fits_its_recipe(path: Path, tmp_path: Path) -> None:
    base = SearchPlan.read(path).base or "demo"
    config = read_config(
        [f"--config={ROOT / 'recipes' / base}.yaml", "--comet=off", f"--runs={tmp_path}"]
    )
    plan = SearchPlan.for_recipe(config)
    assert plan.path.stem == (base if path.stem != "any" else "any")
    for setting, distribution in plan.distributions().items():
        assert in_space(distribution, config.flat()[setting]), f"{setting}: outside its space"


def test_trial_settings_are_rounded_and_validated_ten_times() -> None:
    base: Any = SimpleNamespace(trainer={"max_epochs": 30})
    plan = SearchPlan(
        path=Path("x.yaml"), base="demo", trials=1, space={}, settings={"model.network.gmf": True}
    )
    params = {"model.learning.lr": 0.00123456, "data.targets_per_batch": 4096}
    assert trial_settings(plan, base, params) == {
        "model.network.gmf": True,
        "model.learning.lr": 0.00123,
        "data.targets_per_batch": 4096,
        "trainer.check_val_every_n_epoch": 3,
    }


def test_nested_yaml_groups_dotted_settings() -> None:
    settings = {"name": "x", "model.learning.lr": 0.1, "seeds": [0], "model.network.gmf": True}
    groups = {"learning": {"lr": 0.1}, "network": {"gmf": True}}
    assert yaml.safe_load(nested_yaml(settings)) == {"name": "x", "model": groups, "seeds": [0]}


def test_held_out_users_split_items_into_answerable_and_targets() -> None:
    """One user has the 40 ratings that are needed, the other has 39."""
    rng = np.random.default_rng(0)
    items = [rng.permutation(60)[:count].tolist() for count in (40, 39)]
    queries = eval_queries(
        contexts=[each[:10] for each in items], targets=[each[10:] for each in items]
    )
    queries = replace(queries, rating_N=np.full(len(queries.item_N), 4, np.float32))
    users = HeldOutUsers.from_queries(queries, 60, seed=0)
    assert users.rating_UI.shape == (1, 60)
    assert users.answerable_UI.sum() == users.target_UI.sum() == 20
    assert not (users.answerable_UI & users.target_UI).any()
    again = HeldOutUsers.from_queries(queries, 60, seed=1)
    assert (again.answerable_UI != users.answerable_UI).any(), "another half by another seed"


def test_sessions_are_cut_by_answers_and_by_questions() -> None:
    sessions = Sessions(items=[[4, 7, 2], [5]], questions=[[1, 6, 30], [9]])
    assert sessions.after_answers(2) == [[4, 7], [5]]
    assert sessions.after_questions(9) == [[4, 7], [5]]
    assert sessions.after_questions(5) == [[4], []]


def test_user_entries_hold_the_kind_of_history() -> None:
    """The user watched items 0 and 2 and rated the latter."""
    world: Any = SimpleNamespace(
        rated_UI=np.array([[False, False, True]]),
        watched_UI=np.array([[True, False, True]]),
        rating_UI=np.array([[1.0, 2.0, 3.0]]),
        watched_share_UI=np.array([[0.25, np.nan, 1.0]]),
    )
    assert user_entries(world, 0, "stars") == [(3, 3.0)]
    assert user_entries(world, 0, "portion") == [(1, None, 0.25), (3, None, 1.0)]
    assert user_entries(world, 0, "both") == [(1, None, 0.25), (3, 3.0, 1.0)]
    drawn = World.generate(0, num_users=5, num_items=20)
    assert len(user_entries(drawn, 0, "both")) == drawn.watched_UI[0].sum()
