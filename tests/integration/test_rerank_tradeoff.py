"""The sweep of controls: on a small generated run, and by hand; the page made from results."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import train
from marquee.core.bootstrap import ratio
from marquee.core.eval_queries import EvalQueries
from marquee.core.movies import Movies
from marquee.data.demo_data import write_demo
from marquee.evaluation.doc_tables.command import main
from marquee.evaluation.doc_tables.rerank_tradeoff import plot_controls
from marquee.evaluation.metrics.beyond_accuracy import ItemStats
from marquee.evaluation.rerank_tradeoff import (
    against_plain,
    control_metrics,
    edits_followed,
    mean_cosine,
    sweep,
    top_ten,
    weakest_that_halves,
)
from marquee.recommender.rerank.controls import Controls
from marquee.recommender.rerank.reranker import Reranker
from marquee.training.studies.rerank_tradeoff import main as measure_main
from tests.support.paths import ROOT


def given(root: Path, *more: str) -> list[str]:
    args = [f"--config={ROOT / 'recipes' / 'demo.yaml'}", f"--data.root={root / 'data'}"]
    args += [f"--{name}={root / name}" for name in ("runs", "bundles", "results")]
    return [*args, "--trainer.max_epochs=1", "--model.network.history_length=20", "--comet=off"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("controls")
    write_demo(root / "data" / "demo", seed=1, num_users=60, num_movies=120)
    assert train.main(["fit", *given(root)]) == 0
    assert measure_main(given(root)) == 0
    return root


def result(place: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(
        (place / "results" / "controls-demo.next.json").read_text()
    )
    return content


def test_the_plain_list_is_that_of_the_protocol(place: Path) -> None:
    plain = result(place)["fronts"]["plain"]
    published = json.loads((place / "results" / "demo.next.json").read_text())["metrics"]
    for name in ("hit_rate@10", "ndcg@10", "novelty", "popularity_bias", "miscalibration"):
        assert plain[name]["mean"] == pytest.approx(published[name]["mean"], abs=1e-5), name
    assert plain["ndcg@10_ratio"]["mean"] == plain["miscalibration_ratio"]["mean"] == 1


def test_what_is_published_is_the_weakest_that_halves_on_validation(place: Path) -> None:
    found = result(place)
    strength = found["chosen"]["calibration"]
    assert found["metrics"] == found["fronts"][f"calibration={strength:g}"]
    shares = {
        float(name.split("=")[1]): each["miscalibration_ratio"]["mean"]
        for name, each in found["validation"].items()
        if name.startswith("calibration")
    }
    assert shares[strength] <= 0.5
    assert all(share > 0.5 for weaker, share in shares.items() if weaker < strength)
    assert len(found["fronts"]) == len(sweep()) == len(found["validation"])


@pytest.mark.parametrize(
    ("control", "figure", "sign"),
    [  # no demo movie is fresh
        ("calibration", "miscalibration", -1),
        ("novelty", "novelty", 1),
        ("diversity", "alike", -1),
    ],
)
def test_stronger_gives_more(place: Path, control: str, figure: str, sign: int) -> None:
    found = result(place)["fronts"]
    means = [each[figure]["mean"] for name, each in found.items() if name.startswith(control)]
    steps = sign * np.diff([found["plain"][figure]["mean"], *means])
    assert (steps >= -1e-6).all() and steps.sum() > 0


def test_another_protocol_is_refused(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more = ["--data.protocol=stars", "--protocols=[stars]"]
    assert measure_main([*given(place), *more]) == 2
    assert "data.protocol stars, expected next" in capsys.readouterr().err


def test_figures_by_hand() -> None:
    """One person, asked in 2001, is listed movies of 1999, 1998 and one of unknown year."""
    movies = Movies(np.arange(4), list("ABCD"), [1999, 1998, None, 1950], [("Drama",)] * 4)
    shelf = Reranker(movies, np.array([4, 4, 2, 1]), 4, np.eye(4, dtype=np.float32))
    watched, genre_IG = np.repeat(np.arange(4), [4, 4, 2, 1]), movies.genre_matrix()
    queries = EvalQueries.from_lists(contexts=[[3]], targets=[[1]])
    top = top_ten(np.array([[3.0, 2, 1, 9]]), queries.contexts(), shelf, Controls())
    assert top[0, :4].tolist() == [0, 1, 2, -1], "the history is not listed, however good"
    years = np.array([1999.0, 1998, np.nan, 1950])
    found = control_metrics(
        top,
        queries,
        stats=ItemStats.from_interactions(watched, num_users=4, genre_IG=genre_IG),
        reranker=shelf,
        year_I=years,
        query_year_U=np.array([2001]),
    )
    assert found["fresh"].tolist() == pytest.approx([1 / 3])
    assert found["hit_rate@10"].tolist() == [1]
    assert found["ndcg@10"].tolist() == pytest.approx([1 / np.log2(3)])
    assert found["novelty"].tolist() == pytest.approx([1 / 3])
    assert found["alike"].tolist() == [0], "the embeddings are at right angles"


def test_likeness_by_hand() -> None:
    vectors = np.array([[1, 0], [0.6, 0.8], [0, 1]])
    assert mean_cosine(vectors) == pytest.approx((0.6 + 0 + 0.8) / 3)
    assert mean_cosine(vectors[:1]) == 1


def test_an_edited_mix_moves_the_list_the_way_that_was_asked(place: Path) -> None:
    """Of the demo's 120 movies too few are unseen to follow every edit."""
    edits = result(place)["profile_edits"]
    assert edits["edits"] > 80 and edits["moved"] >= 0.9
    rng, names = np.random.default_rng(0), tuple("ABCDEFGHIJ")
    genres = [tuple(rng.choice(names, rng.integers(1, 4), replace=False)) for _ in range(2000)]
    movies = Movies(np.arange(2000), ["Film"] * 2000, [None] * 2000, genres)
    shelf = Reranker(movies, np.ones(2000, np.int64), 1, np.ones((2000, 2), np.float32))
    moved = list[bool]()
    for person in range(100):
        history, score_I = rng.choice(2000, 30, replace=False), rng.normal(size=2000) * 2
        moved += edits_followed(score_I, history, shelf, movies.genre_names, person)
    assert len(moved) > 190 and np.mean(moved) >= 0.95


def test_ratios_are_of_means() -> None:
    found = ratio([1.0, 3.0], [2.0, 6.0])
    assert (found.mean, found.low, found.high) == (0.5, 0.5, 0.5)
    with pytest.raises(ValueError, match="a mean of 0"):
        ratio([1.0], [0.0])
    half = {"ndcg@10": np.array([0.0, 1]), "miscalibration": np.array([1.0, 1])}
    plain = {"ndcg@10": np.array([1.0, 1]), "miscalibration": np.array([2.0, 4])}
    shares = against_plain(half, plain)
    assert shares["ndcg@10_ratio"]["mean"] == 0.5
    assert shares["miscalibration_ratio"]["mean"] == pytest.approx(1 / 3)


def test_the_weakest_that_halves() -> None:
    assert weakest_that_halves([(0.1, 0.8), (0.5, 0.4), (0.3, 0.5)]) == 0.3
    assert weakest_that_halves([(1.0, 0.51)]) is None


def test_the_page_is_that_of_results() -> None:
    document = ROOT / "docs" / "controls.md"
    args = [f"--results={ROOT / 'results'}", f"--document={document}"]
    assert main(["controls", *args, "--check"]) == 0, "run: marquee doc-tables"


def test_the_plot_is_that_of_results() -> None:
    picture = plot_controls(ROOT / "results")
    assert picture == (ROOT / "docs" / "controls.svg").read_text(), "run: marquee doc-tables"


def test_another_result_makes_another_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = tmp_path / "controls.md"
    document.write_text("<!-- controls -->\n<!-- /controls -->\n")
    args = [f"--results={ROOT / 'results'}", f"--document={document}"]
    assert main(["controls", *args, "--check"]) == 1
    assert "differs" in capsys.readouterr().out
