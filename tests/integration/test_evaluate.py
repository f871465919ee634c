"""Results of each protocol: their sections, means over seeds, and no held-out item in a context."""

import json
from collections.abc import Iterator
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
from marquee.data.demo_data import write_demo
from marquee.evaluation.protocols import PROTOCOLS, ranking_protocols
from marquee.evaluation.ranker import Scorer
from marquee.evaluation.tuning import ranking_baselines
from marquee.training import evaluate
from marquee.training.config import read_config
from marquee.training.run_folder import SelectionResult
from tests.support.demo_training import RECIPES, Workspace, settings_args

PROTOCOL_NAMES = ("next", "new-users", "new-movies")
BEYOND_ACCURACY = {"novelty", "popularity_bias", "miscalibration"}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generated data of 100 users."""
    root = tmp_path_factory.mktemp("data")
    write_demo(root / "demo", seed=1, num_users=100, num_movies=150)
    return root


@pytest.fixture(scope="module", autouse=True)
def small_grids() -> Iterator[None]:
    def first_of_each(protocol: str, genre_IG: np.ndarray) -> Any:
        baselines = ranking_baselines(protocol, genre_IG).items()
        return {name: (make, grid[:1]) for name, (make, grid) in baselines}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate, "ranking_baselines", first_of_each)
        yield


def near_last_item(shift: int = 0) -> Scorer:
    """Score items by their distance to the last one of the history; without ties."""

    def score(queries: EvalQueries) -> Float32:
        last_B1 = queries.item_N[queries.context_end - 1, None] + shift
        return -np.abs(np.arange(150) - last_B1 + 0.25).astype(np.float32)

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
) -> dict[str, Any]:
    """Return the results of a protocol; test rows lie in `folder/NAME`."""
    name = "demo" if protocol == "next" else f"demo.{protocol}"
    settings = {"name": name, "data.protocol": protocol, "protocols": f"[{protocol}]"}
    folders = {"results": folder, "runs": folder}
    evaluate.evaluate_on_test(
        read_config([f"--config={RECIPES}/demo.yaml", *settings_args(settings | folders)]),
        load_data(root, protocol),
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
    baselines = set(ranking_baselines(protocol, np.zeros((1, 1), np.float32)))
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


def test_order_shuffled_equals_metrics_without_order(root: Path, tmp_path: Path) -> None:
    def first_rows(queries: EvalQueries) -> Float32:
        return np.tile(-np.arange(150, dtype=np.float32), (len(queries), 1))

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
