"""Results of each protocol: their sections, means over seeds, and no held-out item in a context."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import train
from datamodules.config import DataConfig
from datamodules.datamodule import InteractionDataModule
from datamodules.splits import training_ratings
from marquee.core.arrays import AnyInt, Float32
from marquee.core.eval_queries import EvalQueries
from marquee.data.dataset import Dataset, load_dataset
from marquee.data.demo_data import write_demo
from marquee.evaluation.protocols import PROTOCOLS, ranking_protocols
from marquee.evaluation.ranker import Scorer
from marquee.evaluation.tuning import ranking_baselines
from marquee.training import evaluate
from marquee.training.compare.paired_bootstrap import mean_metrics
from marquee.training.config import read_config
from marquee.training.model_card import model_card
from marquee.training.run_folder import SelectionResult
from tests.support.demo_training import RECIPES, Workspace, settings_args
from tests.support.small_datasets import dataset_in_memory

NUM_ITEMS = 310  # of 320 movies these have ratings
PROTOCOL_NAMES = ("next", "new-users", "new-movies")
BEYOND_ACCURACY = {"novelty", "popularity_bias", "miscalibration"}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generated data of 420 users: 21 of them are new, enough for a figure."""
    root = tmp_path_factory.mktemp("data")
    write_demo(root / "demo", seed=1, num_users=420, num_movies=320)
    return root


@pytest.fixture(scope="module", autouse=True)
def small_grids() -> Iterator[None]:
    def first_of_each(protocol: str, genre_IG: np.ndarray, has_strengths: bool) -> Any:
        baselines = ranking_baselines(protocol, genre_IG, has_strengths).items()
        return {name: (make, grid[:1]) for name, (make, grid) in baselines}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate, "ranking_baselines", first_of_each)
        yield


def near_last_item(shift: int = 0) -> Scorer:
    """Score items by their distance to the last one of the history; without ties."""

    def score(queries: EvalQueries) -> Float32:
        last_B1 = queries.item_N[queries.context_end - 1, None] + shift
        return -np.abs(np.arange(NUM_ITEMS) - last_B1 + 0.25).astype(np.float32)

    return score


def load_data(root: Path, protocol: str, **settings: Any) -> InteractionDataModule:
    return InteractionDataModule(
        DataConfig(name="demo", root=str(root), protocol=protocol, **settings)  # type: ignore[arg-type]
    )


def measured(
    root: Path,
    folder: Path,
    protocol: str,
    models: dict[int, Scorer],
    unrefitted: Scorer,
    dataset: Dataset | None = None,
    **data_settings: Any,
) -> dict[str, Any]:
    """Return the results of a protocol; test rows lie in `folder/NAME`.

    dataset: in place of the one in `root`.
    """
    data = load_data(root, protocol, **data_settings)
    if dataset is not None:
        data.__dict__["dataset"] = dataset
    name = "demo" if protocol == "next" else f"demo.{protocol}"
    settings = {"name": name, "data.protocol": protocol, "protocols": f"[{protocol}]"}
    folders = {"results": folder, "runs": folder}
    evaluate.evaluate_on_test(
        read_config([f"--config={RECIPES}/demo.yaml", *settings_args(settings | folders)]),
        data,
        SelectionResult(
            folder=folder,
            commit="abc",
            epochs=3,
            validation={PROTOCOLS[protocol].monitor: 0.5},
        ),
        models,
        unrefitted,
        device="cpu",
    )
    results: dict[str, Any] = json.loads((folder / f"demo.{protocol}.json").read_text())
    return results


@pytest.fixture(scope="module", params=PROTOCOL_NAMES)
def result(
    request: pytest.FixtureRequest, root: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """Two seeds of a protocol, and the test rows."""
    folder = tmp_path_factory.mktemp("results")
    models = {0: near_last_item(), 7: near_last_item(5)}
    results = measured(root, folder, request.param, models, near_last_item(1))
    (rows,) = folder.glob(f"*/test-{request.param}.parquet")
    return results | {"rows": pd.read_parquet(rows)}


def test_results_hold_the_metrics_of_their_protocol(result: dict[str, Any]) -> None:
    protocol = result["protocol"]
    has_lists = protocol != "new-movies"
    names = set(PROTOCOLS[protocol].metrics) | (BEYOND_ACCURACY if has_lists else set())
    coverage = {"coverage"} if has_lists else set()
    parts = [result["metrics"], result["unrefitted"], *result["baselines"].values()]
    parts += [result["order_shuffled"]] if has_lists else []
    for part in parts:
        assert part.keys() == names | coverage
        assert all(each["low"] <= each["mean"] <= each["high"] for each in part.values())
    assert ("order_shuffled" in result) == has_lists
    baselines = set(ranking_baselines(protocol, np.ones((1, 1), np.float32)))
    assert result["baselines"].keys() == baselines == result["paired"].keys()
    assert result["baseline_settings"].keys() == baselines
    assert all(part.keys() == names for part in result["paired"].values())


def test_results_of_new_users_hold_a_random_holdout(result: dict[str, Any]) -> None:
    assert ("random_holdout" in result) == (result["protocol"] == "new-users")
    if "random_holdout" in result:
        random_holdout = result["random_holdout"]
        assert random_holdout.keys() == {"metrics", "baselines", "paired"}
        assert random_holdout["metrics"].keys() == result["metrics"].keys()
        assert random_holdout["metrics"]["ndcg@100"] != result["metrics"]["ndcg@100"]
        assert random_holdout["paired"].keys() == result["baselines"].keys()


def test_results_are_means_over_seeds(result: dict[str, Any]) -> None:
    assert result["seeds"] == [0, 7]
    assert len(result["per_seed"]) == 2
    for name, part in result["metrics"].items():
        mean = (result["per_seed"][0][name] + result["per_seed"][1][name]) / 2
        assert part["mean"] == pytest.approx(mean, rel=1e-4, abs=1e-6)
    for baseline, part in result["paired"].items():
        for name, each in part.items():
            gap = result["metrics"][name]["mean"] - result["baselines"][baseline][name]["mean"]
            assert each["diff"] == pytest.approx(gap, rel=1e-3, abs=1e-5)


def test_test_rows_give_the_metrics_of_each_seed(result: dict[str, Any]) -> None:
    assert list(result["rows"].columns) == ["user_id", "movie_id", "rank", "seed"]
    has_one_target = result["protocol"] != "new-users"
    k, name = (10, "hit_rate@10") if has_one_target else (20, "recall@20")
    for seed, metrics in zip((0, 7), result["per_seed"], strict=True):
        rows = result["rows"].query(f"seed == {seed}")
        assert rows["user_id"].nunique() == result["num_users"]
        hits = (rows["rank"] <= k).groupby(rows["user_id"]).agg(["sum", "size"])
        share = (hits["sum"] / hits["size"].clip(upper=k)).mean()
        assert share == pytest.approx(metrics[name], rel=1e-4)


def without_order(root: Path) -> Dataset:
    dataset = load_dataset("demo", root)
    return replace(dataset, has_times=False, scale=())


def test_results_without_order_hold_the_random_holdout(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = {0: near_last_item(), 7: near_last_item(5)}
    dataset = without_order(root)
    results = measured(root, tmp_path, "new-users", models, near_last_item(1), dataset)
    assert not {"metrics", "baselines", "paired", "order_shuffled"} & results.keys()
    assert results["random_holdout"].keys() == {"metrics", "baselines", "paired"}
    metrics = results["random_holdout"]["metrics"]
    assert set(PROTOCOLS["new-users"].metrics) <= metrics.keys()
    assert len(results["per_seed"]) == 2
    assert results["unrefitted"].keys() == metrics.keys()
    rows = pd.read_parquet(tmp_path / "demo.new-users" / "test-new-users.parquet")
    means = mean_metrics(rows, "new-users")
    assert means["ndcg@100"] == pytest.approx(metrics["ndcg@100"]["mean"], rel=1e-4)
    assert "a random 20% of their history" in capsys.readouterr().out
    assert "Test part of `new-users`, a random 20%" in model_card("demo", [results])


def six_items(num_users: int) -> Dataset:
    """Users of the same six items, in any order: the last one is known before it is asked for."""
    rng = np.random.default_rng(0)
    items = {user: rng.permutation(6).tolist() for user in range(num_users)}
    return dataset_in_memory(items, range(6))


@pytest.mark.parametrize(
    ("num_users", "reason"),
    [(5, "5 users, fewer than 20"), (30, "1 candidates, fewer than twice the list of 10")],
)
def test_figures_that_say_nothing_are_null(
    root: Path,
    tmp_path: Path,
    num_users: int,
    reason: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def constant(queries: EvalQueries) -> Float32:
        return np.zeros((len(queries), 6), np.float32)

    dataset = six_items(num_users)
    results = measured(root, tmp_path, "next", {0: constant, 1: constant}, constant, dataset)
    null = {"mean": None, "low": None, "high": None, "too_small": reason}
    sections = [results["metrics"], results["unrefitted"], *results["baselines"].values()]
    assert all(section["hit_rate@10"] == null for section in sections)
    assert all(each["mean"] is None for section in sections for each in section.values())
    assert results["paired"]["ease"]["ndcg@10"]["diff"] is None
    assert results["per_seed"][0]["ndcg@10"] is None
    output = capsys.readouterr().out
    assert "1.0000" not in output
    assert f"n/a: {reason}" in output
    assert f"n/a of hit_rate@10: {reason}." in model_card("demo", [results])


def test_results_of_time_name_the_cut(root: Path, tmp_path: Path) -> None:
    items = {user: [(user + i) % 50 for i in range(10)] for user in range(30)}
    dataset = dataset_in_memory(items, range(50))

    def score(queries: EvalQueries) -> Float32:
        return np.tile(np.arange(50, dtype=np.float32), (len(queries), 1))

    results = measured(root, tmp_path, "time", {0: score}, score, dataset, cut=0.75)
    assert results["cut"] == "2017-07-14T09:40:01Z"
    assert results["num_users"] == 30


def test_fixed_is_measured_with_empty_contexts(root: Path, tmp_path: Path) -> None:
    """User 30 is in the test file alone; popularity ranks for it in every baseline."""
    items = {user: [(user + i) % 60 for i in range(10)] for user in range(30)}
    items[30] = [7]
    part = [*[0] * 7, 1, 2, 2] * 30 + [2]
    dataset = dataset_in_memory(items, [f"tt{i:04}" for i in range(60)], part=part)
    strength = np.linspace(1, 2, len(dataset.histories.item)).astype(np.float32)
    dataset = replace(dataset, histories=replace(dataset.histories, strength=strength))

    def score(queries: EvalQueries) -> Float32:
        return np.tile(np.arange(60, dtype=np.float32), (len(queries), 1))

    results = measured(root, tmp_path, "fixed", {0: score}, score, dataset)
    assert results["num_users"] == 31
    assert results["baselines"].keys() == {"popularity", "item-knn", "rp3beta", "rp3beta-tuned"}
    assert results["baseline_settings"]["item-knn"]["strength"] == 0  # of the first of each grid
    names = set(PROTOCOLS["fixed"].metrics) | BEYOND_ACCURACY - {"miscalibration"} | {"coverage"}
    assert results["metrics"].keys() == names
    rows = pd.read_parquet(tmp_path / "demo.fixed" / "test-fixed.parquet")
    means = mean_metrics(rows, "fixed")
    for name in PROTOCOLS["fixed"].metrics:
        assert means[name] == pytest.approx(results["metrics"][name]["mean"], rel=1e-4)
    assert rows["movie_id"].str.startswith("tt").all()


def test_order_shuffled_equals_metrics_without_order(root: Path, tmp_path: Path) -> None:
    def first_rows(queries: EvalQueries) -> Float32:
        return np.tile(-np.arange(NUM_ITEMS, dtype=np.float32), (len(queries), 1))

    order_blind = measured(root, tmp_path, "new-users", {0: first_rows}, first_rows)
    assert order_blind["order_shuffled"] == order_blind["metrics"]
    scorer = near_last_item()
    sequential = measured(root, tmp_path, "new-users", {0: scorer}, scorer)
    assert sequential["order_shuffled"] != sequential["metrics"]


@pytest.mark.parametrize("protocol", ["new-users", "new-movies"])
def test_contexts_hold_no_target(root: Path, tmp_path: Path, protocol: str) -> None:
    test = load_data(root, protocol).base_split.test
    contexts: list[AnyInt] = []

    def recording_scorer(queries: EvalQueries) -> Float32:
        contexts.extend(queries.contexts())
        return near_last_item()(queries)

    measured(root, tmp_path, protocol, {0: recording_scorer}, near_last_item())
    assert len(contexts) == len(test) * (3 if protocol == "new-users" else 1)
    for history, targets in zip(contexts, test.targets(), strict=False):
        assert not set(history.tolist()) & set(targets.tolist())
    if test.ranked_items is not None:
        held_out = set(test.ranked_items.tolist())
        assert not held_out & {item for history in contexts for item in history.tolist()}


@pytest.mark.parametrize("protocol", PROTOCOL_NAMES)
def test_training_seeds_share_one_split(root: Path, protocol: str) -> None:
    first, second = (load_data(root, protocol, seed=seed).base_split for seed in (0, 1))
    assert (first.subset_N == second.subset_N).all()
    assert (first.test.user == second.test.user).all()
    assert (first.test.item_N == second.test.item_N).all()
    other = load_data(root, protocol, split_seed=1).base_split
    if protocol != "next":
        assert (other.subset_N != first.subset_N).any()


def test_num_ratings_count_training_ratings(root: Path) -> None:
    data = load_data(root, "new-movies")
    test, valid = data.base_split.test.ranked_items, data.base_split.valid.ranked_items
    assert test is not None and valid is not None
    assert data.num_ratings_I[test].tolist() == [0] * len(test)
    assert data.num_ratings_I[valid].tolist() == [0] * len(valid)
    data.refit = "validation"
    assert data.num_ratings_I[test].tolist() == [0] * len(test)
    assert (data.num_ratings_I[valid] > 0).all()
    assert int(data.num_ratings_I.sum()) == len(training_ratings(data.split)[0])


def test_monitor_is_the_headline_metric() -> None:
    """Validation chooses the epoch by the metric that tunes the baselines."""
    monitors = {name: protocol.monitor for name, protocol in ranking_protocols().items()}
    assert {name: f"val/{PROTOCOLS[name].headline}" for name in monitors} == monitors


def test_table_of_users_is_refused_for_new_users(root: Path) -> None:
    with pytest.raises(ValueError, match="a table of users knows no new user"):
        load_data(root, "new-users", user="id")


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["new-users", "new-movies"])
def test_fit_writes_results_of_the_protocol(root: Path, tmp_path: Path, protocol: str) -> None:
    """Validation logs the protocol's metrics, and the bundle is measured by them."""
    settings = [f"--name=demo.{protocol}", f"--data.protocol={protocol}"]
    args = Workspace(tmp_path).args(
        *settings, f"--protocols=[{protocol}]", "--comet=off", epochs=1, data=root
    )
    assert train.main(["fit", *args]) == 0
    results = json.loads((tmp_path / "results" / f"demo.{protocol}.json").read_text())
    assert set(PROTOCOLS[protocol].metrics) <= results["metrics"].keys()
    assert PROTOCOLS[protocol].monitor in results["selection"]
    metrics = pd.read_csv(Workspace(tmp_path).run(f"demo.{protocol}") / "select" / "metrics.csv")
    assert {f"val/{name}" for name in PROTOCOLS[protocol].metrics} <= set(metrics.columns)


def test_protocols_of_another_split_are_refused(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    args = [f"--config={RECIPES}/demo.yaml", f"--data.root={root}"]
    assert train.main(["fit", *args, "--data.protocol=new-users", "--protocols=[next]"]) == 2
    message = "one or more of ['new-users'], which data.protocol new-users answers"
    assert message in capsys.readouterr().err
