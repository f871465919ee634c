"""Test the gate before promotion: what passes, what is refused, what --force overrules."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datamodules.config import DataConfig
from datamodules.datamodule import InteractionDataModule
from marquee.core.errors import InputError
from marquee.core.eval_queries import EvalQueries
from marquee.core.ids import as_ids
from marquee.promotion import gate
from marquee.promotion.compare_versions import BundleScorer, compare_on_test_part
from marquee.promotion.gate_limits import MIN_METRIC_RATIO, Limits, Refused
from marquee.promotion.releases_command import main
from marquee.recommender import bundle
from marquee.recommender.bundle import FORMAT, MANIFEST, write_bundle
from marquee.releases import versions
from marquee.releases.open_store import open_store
from marquee.releases.store import Store
from tests.support.release_files import write_named_bundle
from tests.support.tiny_bundle import tiny_parts, write_tiny

DEMO = {"name": "demo", "protocol": "next"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "store"))


def push(store: Store, folder: Path, **manifest: Any) -> str:
    """Push a bundle with these fields in its manifest; return its version."""
    fields = {"created": "2999-01-01T00:00:00+00:00"} | manifest
    return versions.push(write_named_bundle(folder, **fields), store)[0]


def push_and_promote(store: Store, folder: Path, **manifest: Any) -> str:
    version = push(store, folder, **manifest)
    versions.promote(store, version, versions.current(store))
    return version


def test_gate_first_version_passes_by_golden_answers(store: Store, tmp_path: Path) -> None:
    golden, metric = gate.examine(store, push(store, tmp_path / "a"))
    assert golden == "golden answers hold (10 movies)"
    assert "no metric to compare with" in metric


def test_gate_lower_metric_than_current_is_refused(store: Store, tmp_path: Path) -> None:
    push_and_promote(store, tmp_path / "a", metrics={"val/ndcg@10": 0.2})
    near = push(store, tmp_path / "b", metrics={"val/ndcg@10": 0.2 * MIN_METRIC_RATIO})
    below = push(store, tmp_path / "c", metrics={"val/ndcg@10": 0.189})
    assert "0.1900 on validation, the current version's 0.2000" in gate.examine(store, near)[1]
    with pytest.raises(Refused, match=r"0\.1890 on validation.*--force"):
        gate.examine(store, below)


def test_gate_below_popularity_is_refused(store: Store, tmp_path: Path) -> None:
    version = push(store, tmp_path / "a", below_popularity=True)
    with pytest.raises(Refused, match=r"below popularity on its validation part.*--force"):
        gate.examine(store, version)
    assert main(["promote", version, store.url]) == 1
    assert main(["promote", version, store.url, "--force"]) == 0


def test_gate_metric_that_says_nothing_is_not_compared(store: Store, tmp_path: Path) -> None:
    push_and_promote(store, tmp_path / "a", metrics={"val/ndcg@10": 0.2})
    version = push(store, tmp_path / "b", metrics={"val/ndcg@10": None})
    assert "n/a" in gate.examine(store, version)[1]


def test_gate_metrics_of_other_data_are_not_compared(store: Store, tmp_path: Path) -> None:
    push_and_promote(store, tmp_path / "a", metrics={"val/ndcg@10": 0.2})
    data = tiny_parts()["manifest"]["data"] | {"sha256": "1" * 64}
    other = push(store, tmp_path / "b", metrics={"val/ndcg@10": 0.1}, data=data)
    assert "compare with --data NAME" in gate.examine(store, other)[1]


def test_gate_other_protocol_or_fold_is_not_compared(store: Store, tmp_path: Path) -> None:
    next_data, time_data = DEMO | {"name": "ml-1m"}, DEMO | {"name": "ml-1m", "protocol": "time"}
    push_and_promote(
        store, tmp_path / "a", metrics={"val/ndcg@10": 0.2}, config={"data": time_data}
    )
    other = push(store, tmp_path / "b", metrics={"val/ndcg@10": 0.1}, config={"data": next_data})
    sentence = "trained on ml-1m `next`, the current version on ml-1m `time`"
    assert gate.examine(store, other)[1] == f"{sentence}: no metric to compare"
    with pytest.raises(Refused, match=rf"it was {sentence}, which may have seen.*--force"):
        gate.examine(store, other, data="ml-1m")
    fold = push(store, tmp_path / "c", config={"data": time_data | {"fold": 2}})
    with pytest.raises(Refused, match="`time`, fold 2, the current version on ml-1m `time`"):
        gate.examine(store, fold, data="ml-1m")


@pytest.mark.parametrize("state", ["old-format", "damaged", "gone"])
def test_gate_unloadable_current_version_needs_force(
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    state: str,
) -> None:
    """A new format of bundles would else end every promotion."""
    if state == "old-format":
        with monkeypatch.context() as older:
            older.setattr(bundle, "FORMAT", FORMAT - 1)
            current = push_and_promote(store, tmp_path / "a")
    else:
        current = push_and_promote(store, tmp_path / "a")
        files = ["movies.json"] if state == "damaged" else [MANIFEST]
        store.delete([f"versions/{current}/{name}" for name in files])
    version = push(store, tmp_path / "b")
    assert main(["promote", version, store.url]) == 1
    error = capsys.readouterr().err
    assert "the current version cannot be loaded" in error and "--force overrules" in error
    if state == "old-format":
        path = f"{store.url}/versions/{current}/bundle.json"
        assert f"{path}: bundle format {FORMAT - 1}, expected {FORMAT}" in error
    assert main(["promote", version, store.url, "--force"]) == 0


def test_gate_size_and_age_beyond_limits_are_refused(store: Store, tmp_path: Path) -> None:
    version = push(store, tmp_path / "a", created="2026-01-01T00:00:00+00:00")
    with pytest.raises(Refused) as refused:
        gate.examine(store, version, limits=Limits(max_mb=1e-6, max_age_days=30))
    assert "0 MB, expected at most 0 (--max-mb)" in str(refused.value)
    assert "expected at most 30 (--max-age-days)" in str(refused.value)


def test_promote_force_overrules_metrics_but_no_wrong_answer(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    push_and_promote(store, tmp_path / "a", metrics={"val/ndcg@10": 0.2})
    worse = push(store, tmp_path / "b", metrics={"val/ndcg@10": 0.1})
    assert main(["promote", worse, store.url]) == 1
    assert main(["promote", worse, store.url, "--force"]) == 0
    assert "overruled" in capsys.readouterr().err
    parts = tiny_parts()
    folder = write_tiny(tmp_path / "c")
    golden = json.loads((folder / "golden.json").read_text())["queries"]
    golden[0]["scores"][0] += 1
    write_bundle(folder, **parts | {"golden": golden})
    wrong, _ = versions.push(folder, store)
    assert main(["promote", wrong, store.url, "--force"]) == 2
    pointer = versions.current(store)
    assert pointer is not None and pointer.version == worse


def test_gate_refitted_bundle_needs_its_sibling(store: Store, tmp_path: Path) -> None:
    push_and_promote(store, tmp_path / "a", config={"data": DEMO})
    alone = push(store, tmp_path / "b", refit="all", sibling="e" * 64, config={"data": DEMO})
    with pytest.raises(InputError, match=r"its sibling e{12} in the store .*; push"):
        gate.examine(store, alone, data="demo")


class FixedScores:
    """A recommender of one order and one rating, as the comparison needs it."""

    manifest: dict[str, Any]

    def __init__(
        self,
        movie_ids: np.ndarray,
        score_I: np.ndarray,
        sha256: str,
        stars: float = 3.0,
        **data: Any,
    ) -> None:
        self.manifest = {"config": {"data": DEMO | data}, "data": {"sha256": sha256}}
        self.movie_ids, self._score_I, self._stars = movie_ids, score_I, stars

    def score(self, histories: Any) -> np.ndarray:
        assert all(movie_id in self.movie_ids for history in histories for movie_id, _ in history)
        return np.tile(self._score_I.astype(np.float32), (len(histories), 1))

    def predict_stars(self, histories: Any, movie_ids: np.ndarray) -> np.ndarray:
        assert set(movie_ids.tolist()) <= set(self.movie_ids.tolist())
        return np.full((len(histories), len(movie_ids)), self._stars)


def test_compare_versions_ranks_the_same_test_part() -> None:
    dataset = InteractionDataModule(DataConfig(name="demo")).dataset
    ids, sha256 = dataset.movies.movie_id, dataset.sha256
    ratings = InteractionDataModule(DataConfig(name="demo")).base_split.all_histories
    count_I = np.bincount(ratings.item, minlength=len(ids))
    popular, constant = (
        FixedScores(ids, count_I, sha256),
        FixedScores(ids, np.zeros(len(ids)), sha256),
    )
    (sentence, is_worse), _ = compare_on_test_part(constant, popular, "demo")  # type: ignore[arg-type]
    assert is_worse and "on the test part of demo `next`" in sentence
    (sentence, is_worse), _ = compare_on_test_part(popular, constant, "demo")  # type: ignore[arg-type]
    assert not is_worse and "difference +" in sentence
    half = FixedScores(ids[::2], count_I[::2], sha256)  # a smaller catalog: missing items come last
    assert compare_on_test_part(half, popular, "demo")[0][1]  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"--data ml-1m: this version was trained on demo"):
        compare_on_test_part(popular, constant, "ml-1m")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="trained on demo `stars`"):
        other = FixedScores(ids, count_I, sha256, protocol="stars")
        compare_on_test_part(other, constant, "demo")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="expected eeeeeeeeeeee, the copy that this"):
        compare_on_test_part(FixedScores(ids, count_I, "e" * 64), constant, "demo")  # type: ignore[arg-type]


def test_compare_versions_compares_ratings() -> None:
    """One gives every movie the mean of all ratings, the other a star more."""
    dataset = InteractionDataModule(DataConfig(name="demo")).dataset
    ids, zeros = dataset.movies.movie_id, np.zeros(len(dataset.movies))
    test = InteractionDataModule(DataConfig(name="demo")).base_split.test
    target_rating = test.rating_N[test.target_end - 1]
    mean = float(target_rating.mean())
    good = FixedScores(ids, zeros, dataset.sha256, stars=mean)
    bad = FixedScores(ids, zeros, dataset.sha256, stars=mean + 1)
    _, (sentence, is_worse) = compare_on_test_part(bad, good, "demo")  # type: ignore[arg-type]
    variance = float(((target_rating - mean) ** 2).mean())
    bad_rmse, good_rmse = f"{np.sqrt(variance + 1):.4f}", f"{np.sqrt(variance):.4f}"
    assert is_worse and re.search(f"rmse {bad_rmse} on .* {good_rmse}, .* [+]1.0000", sentence), (
        sentence
    )
    _, (sentence, is_worse) = compare_on_test_part(good, bad, "demo")  # type: ignore[arg-type]
    assert not is_worse
    strange = FixedScores(ids.max() + 1 + np.arange(3), np.zeros(3), dataset.sha256)
    _, (sentence, is_worse) = compare_on_test_part(strange, good, "demo")  # type: ignore[arg-type]
    assert not is_worse and "no movie is known to both" in sentence


def test_bundle_scorer_text_ids_in_any_order_without_ratings() -> None:
    """The bundle holds three of four items, in another order than the data set."""
    ids = as_ids(["0114508", "114508", "a", "b"])
    bundle = FixedScores(as_ids(["b", "0114508", "x", "a"]), np.array([4.0, 1, 9, 3]), "")
    bundle.manifest["scale"] = []
    histories: list[Any] = []

    def score(entries: list[Any]) -> np.ndarray:
        histories.extend(entries)
        return np.tile(np.array([4, 1, 9, 3], np.float32), (len(entries), 1))

    bundle.score = score  # type: ignore[method-assign]
    queries = EvalQueries(
        user=np.array([0]),
        item_N=np.array([1, 0, 3, 2], np.int32),
        rating_N=np.full(4, np.nan, np.float32),
        timestamp_N=np.zeros(4, np.int64),
        start=np.array([0]),
        context_start=np.array([0]),
        context_end=np.array([3]),
        target_end=np.array([4]),
    )
    scorer = BundleScorer(bundle, ids)  # type: ignore[arg-type]
    lowest = np.finfo(np.float32).min
    assert scorer(queries).tolist() == [[1.0, lowest, 3.0, 4.0]]
    assert histories == [[("0114508", None), ("b", None)]] and not scorer.has_ratings
    assert np.isnan(scorer.squared_errors(queries)).all()
