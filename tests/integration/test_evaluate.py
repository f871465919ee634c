"""Measuring: what each protocol's results hold, seeds averaged, nothing shown that is held out."""

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
from marquee.evaluation.doc_tables.readme import render_readme
from marquee.evaluation.protocols import PROTOCOLS, ranking_protocols
from marquee.evaluation.ranker import Scorer
from marquee.evaluation.tuning import ranking_baselines
from marquee.training import evaluate
from marquee.training.selection import SelectionResult
from tests.support.paths import ROOT

TRAINED = ("next", "new-users", "new-movies")
BEYOND = {"novelty", "popularity_bias", "miscalibration"}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generated data of 100 people."""
    root = tmp_path_factory.mktemp("data")
    write_demo(root / "demo", seed=1, num_users=100, num_movies=150)
    return root


@pytest.fixture(scope="module", autouse=True)
def small_grids() -> Iterator[None]:
    def first_of_each(protocol: str, genre_IG: np.ndarray) -> Any:
        found = ranking_baselines(protocol, genre_IG).items()
        return {name: (make, grid[:1]) for name, (make, grid) in found}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate, "ranking_baselines", first_of_each)
        yield


def near_the_last(shift: int = 0) -> Scorer:
    """Likes the movies that stand near the last one watched; reads order, and has no ties."""

    def score(queries: EvalQueries) -> Float32:
        last_B1 = queries.item_N[queries.context_end - 1, None] + shift
        return -np.abs(np.arange(150) - last_B1 + 0.25).astype(np.float32)

    return score


def measured(
    root: Path, folder: Path, protocol: str, models: dict[int, Scorer], kept: Scorer | None = None
) -> dict[str, Any]:
    data = InteractionDataModule(DataConfig(name="demo", root=str(root), protocol=protocol))  # type: ignore[arg-type]
    evaluate.evaluate_on_test(
        data,
        SelectionResult(
            folder=folder,
            commit="abc",
            epochs=3,
            validation={PROTOCOLS[protocol].monitor: 0.5},
        ),
        models,
        kept,
        name="demo" if protocol == "next" else f"demo.{protocol}",
        protocols=[protocol],
        results=folder,
        rows=folder,
        device="cpu",
    )
    result: dict[str, Any] = json.loads((folder / f"demo.{protocol}.json").read_text())
    return result


@pytest.fixture(scope="module", params=TRAINED)
def result(
    request: pytest.FixtureRequest, root: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """Two seeds of a protocol, and the test rows."""
    folder = tmp_path_factory.mktemp("results")
    models = {0: near_the_last(), 7: near_the_last(5)}
    found = measured(root, folder, request.param, models, near_the_last(1))
    return found | {"rows": pd.read_parquet(folder / f"test-{request.param}.parquet")}


def test_results_hold_the_figures_of_their_protocol(result: dict[str, Any]) -> None:
    protocol = result["protocol"]
    listed = protocol != "new-movies"
    wanted = set(PROTOCOLS[protocol].metrics) | (BEYOND if listed else set())
    coverage = {"coverage"} if listed else set()
    parts = [result["metrics"], result["unrefitted"], *result["baselines"].values()]
    parts += [result["order_shuffled"]] if listed else []
    for part in parts:
        assert part.keys() == wanted | coverage
        assert all(each["low"] <= each["mean"] <= each["high"] for each in part.values())
    assert ("order_shuffled" in result) == listed
    names = set(ranking_baselines(protocol, np.zeros((1, 1), np.float32)))
    assert result["baselines"].keys() == names == result["paired"].keys()
    assert result["baseline_settings"].keys() == names
    assert all(part.keys() == wanted for part in result["paired"].values())


def test_a_random_holdout_stands_beside_new_users(result: dict[str, Any]) -> None:
    assert ("random_holdout" in result) == (result["protocol"] == "new-users")
    if "random_holdout" in result:
        beside = result["random_holdout"]
        assert beside.keys() == {"metrics", "baselines", "paired"}
        assert beside["metrics"].keys() == result["metrics"].keys()
        assert beside["metrics"]["ndcg@100"] != result["metrics"]["ndcg@100"]
        assert beside["paired"].keys() == result["baselines"].keys()


def test_seeds_are_averaged_and_listed(result: dict[str, Any]) -> None:
    assert result["seeds"] == [0, 7]
    assert len(result["per_seed"]) == 2
    for name, part in result["metrics"].items():
        mean = (result["per_seed"][0][name] + result["per_seed"][1][name]) / 2
        assert part["mean"] == pytest.approx(mean, rel=1e-4, abs=1e-6)
    for rival, part in result["paired"].items():
        for name, each in part.items():
            gap = result["metrics"][name]["mean"] - result["baselines"][rival][name]["mean"]
            assert each["diff"] == pytest.approx(gap, rel=1e-3, abs=1e-5)


def test_the_rows_of_each_seed_give_its_figures_again(result: dict[str, Any]) -> None:
    assert list(result["rows"].columns) == ["user_id", "movie_id", "rank", "seed"]
    one_each = result["protocol"] != "new-users"
    k, name = (10, "hit_rate@10") if one_each else (20, "recall@20")
    for seed, figures in zip((0, 7), result["per_seed"], strict=True):
        rows = result["rows"].query(f"seed == {seed}")
        assert rows["user_id"].nunique() == result["num_users"]
        found = (rows["rank"] <= k).groupby(rows["user_id"]).agg(["sum", "size"])
        share = (found["sum"] / found["size"].clip(upper=k)).mean()
        assert share == pytest.approx(figures[name], rel=1e-4)


def test_order_matters_to_who_reads_it_alone(root: Path, tmp_path: Path) -> None:
    def first_rows(queries: EvalQueries) -> Float32:
        return np.tile(-np.arange(150, dtype=np.float32), (len(queries), 1))

    blind = measured(root, tmp_path, "new-users", {0: first_rows})
    assert blind["order_shuffled"] == blind["metrics"]
    assert "unrefitted" not in blind
    reads = measured(root, tmp_path, "new-users", {0: near_the_last()})
    assert reads["order_shuffled"] != reads["metrics"]


@pytest.mark.parametrize("protocol", ["new-users", "new-movies"])
def test_nobody_is_shown_what_is_to_be_found(root: Path, tmp_path: Path, protocol: str) -> None:
    data = InteractionDataModule(DataConfig(name="demo", root=str(root), protocol=protocol))  # type: ignore[arg-type]
    test = data.base_split.test
    shown: list[AnyInt] = []

    def watching(queries: EvalQueries) -> Float32:
        shown.extend(queries.contexts())
        return near_the_last()(queries)

    measured(root, tmp_path, protocol, {0: watching})
    assert len(shown) == len(test) * (3 if protocol == "new-users" else 1)
    for history, found in zip(shown, test.targets(), strict=False):
        assert not set(history.tolist()) & set(found.tolist())
    if test.ranked_items is not None:
        held_out = set(test.ranked_items.tolist())
        assert not held_out & {item for history in shown for item in history.tolist()}


@pytest.mark.parametrize("protocol", TRAINED)
def test_all_training_seeds_share_one_split(root: Path, protocol: str) -> None:
    made = [
        InteractionDataModule(DataConfig(name="demo", root=str(root), protocol=protocol, seed=seed))
        for seed in (0, 1)
    ]  # type: ignore[arg-type]
    once, again = (each.base_split for each in made)
    assert (once.subset_N == again.subset_N).all()
    assert (once.test.user == again.test.user).all()
    assert (once.test.item_N == again.test.item_N).all()
    other = InteractionDataModule(
        DataConfig(name="demo", root=str(root), protocol=protocol, split_seed=1)
    )  # type: ignore[arg-type]
    if protocol != "next":
        assert (other.base_split.subset_N != once.subset_N).any()


def test_support_counts_the_ratings_that_are_trained_on(root: Path) -> None:
    data = InteractionDataModule(DataConfig(name="demo", root=str(root), protocol="new-movies"))
    test, valid = data.base_split.test.ranked_items, data.base_split.valid.ranked_items
    assert data.num_ratings_I[test].tolist() == [0] * len(test)
    assert data.num_ratings_I[valid].tolist() == [0] * len(valid)
    data.refit = "validation"
    assert data.num_ratings_I[test].tolist() == [0] * len(test)
    assert (data.num_ratings_I[valid] > 0).all()
    assert int(data.num_ratings_I.sum()) == len(training_ratings(data.split)[0])


def test_validation_chooses_by_the_figure_that_tunes_the_baselines() -> None:
    ranked = {name: protocol.monitor for name, protocol in ranking_protocols().items()}
    assert {name: f"val/{PROTOCOLS[name].headline}" for name in ranked} == ranked


def test_a_table_of_people_is_refused_for_what_is_new(root: Path) -> None:
    with pytest.raises(ValueError, match="a table of users knows no new user"):
        InteractionDataModule(
            DataConfig(name="demo", root=str(root), protocol="new-users", user="id")
        )


@pytest.mark.parametrize("protocol", ["new-users", "new-movies"])
def test_fit_from_recipe_to_results(root: Path, tmp_path: Path, protocol: str) -> None:
    """Validation logs the protocol's figures, and the bundle answers its questions."""
    folders = {name: tmp_path / name for name in ("runs", "bundles", "results")}
    args = ["--config", str(ROOT / "recipes" / "demo.yaml"), f"--data.root={root}", "--comet=off"]
    args += [f"--{name}={path}" for name, path in folders.items()]
    args += [f"--name=demo.{protocol}", f"--data.protocol={protocol}", f"--protocols=[{protocol}]"]
    args += ["--trainer.max_epochs=1", "--model.network.history_length=20"]
    assert train.main(["fit", *args]) == 0
    found = json.loads((folders["results"] / f"demo.{protocol}.json").read_text())
    assert set(PROTOCOLS[protocol].metrics) <= found["metrics"].keys()
    assert PROTOCOLS[protocol].monitor in found["selection"]
    (metrics,) = folders["runs"].glob("*/*/select/metrics.csv")
    assert {f"val/{name}" for name in PROTOCOLS[protocol].metrics} <= set(
        pd.read_csv(metrics).columns
    )


def test_a_recipe_is_asked_only_what_it_holds_out(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    args = ["--config", str(ROOT / "recipes" / "demo.yaml"), f"--data.root={root}"]
    assert train.main(["fit", *args, "--data.protocol=new-users", "--protocols=[next]"]) == 2
    message = "one or more of ['new-users'], which data.protocol new-users answers"
    assert message in capsys.readouterr().err


def part(*names: str, mean: float) -> dict[str, dict[str, float]]:
    return {name: {"mean": mean, "low": mean - 0.01, "high": mean + 0.01} for name in names}


def test_each_protocol_gets_its_own_two_figures(tmp_path: Path) -> None:
    common = {"data": "ml-x", "commit": "0123456789", "seeds": [0, 1]}
    written: list[tuple[str, dict[str, Any]]] = [
        ("next", {"order_shuffled": part("hit_rate@10", "ndcg@10", mean=0.1)}),
        ("new-users", {"random_holdout": {"baselines": {}}}),
        ("new-movies", {}),
    ]
    for protocol, more in written:
        figures = part(*PROTOCOLS[protocol].metrics, mean=0.25)
        if "random_holdout" in more:
            more["random_holdout"]["metrics"] = figures
        content = {
            **common,
            "recipe": "recipes/ml-x.yaml"
            if protocol == "next"
            else f"recipes/ml-x.{protocol}.yaml",
            "protocol": protocol,
            "metrics": figures,
            "baselines": {"popularity": figures, "ials": figures},
            **more,
        }
        (tmp_path / f"ml-x.{protocol}.json").write_text(json.dumps(content))
    text = render_readme("<!-- results -->\n<!-- /results -->", tmp_path)
    tables = text.split("\n\n")
    heads = [table.splitlines()[0 if number else 1] for number, table in enumerate(tables)]
    assert heads == [
        "| result |  | hit_rate@10 | ndcg@10 | commit | seeds |",
        "| result |  | ndcg@100 | recall@20 | commit | seeds |",
        "| result |  | auc | hit_rate@10 | commit | seeds |",
    ]
    ours = "**.250** [.240, .260] | **.250** [.240, .260]"
    assert f"| ml-x `next` | model | {ours} | 0123456 | 0, 1 |" in tables[0]
    assert "|  | order shuffled | .100 [.090, .110] | .100 [.090, .110] |  |  |" in tables[0]
    assert f"| the same, a random 20% | model | {ours} |  |  |" in tables[1]
    assert tables[1].index("ials") < tables[1].index("popularity")
    assert "order shuffled" not in tables[1] + tables[2]
