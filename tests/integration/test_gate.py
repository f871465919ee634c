"""The gate before promotion: what passes, what does not, and what nobody overrules."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datamodules.config import DataConfig
from datamodules.datamodule import InteractionDataModule
from marquee.core.errors import InputError
from marquee.promotion import gate
from marquee.promotion.compare_versions import compare_on_test_part
from marquee.promotion.gate_limits import MIN_METRIC_RATIO, Limits, Refused
from marquee.promotion.releases_command import main
from marquee.recommender.bundle import FORMAT, MANIFEST, write_bundle
from marquee.releases import versions
from marquee.releases.open_store import open_store
from marquee.releases.store import Store
from tests.support.tiny_bundle import tiny_parts, write_tiny

DEMO = {"name": "demo", "protocol": "next"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "store"))


def pushed(store: Store, folder: Path, **manifest: Any) -> str:
    """A version whose manifest says so."""
    write_tiny(folder)
    parts = tiny_parts()
    golden = json.loads((folder / "golden.json").read_text())
    now = {"created": "2999-01-01T00:00:00+00:00", "name": folder.name}
    parts["manifest"] |= now | manifest
    write_bundle(folder, **parts | {"golden": golden})
    return versions.push(folder, store)[0]


def promoted(store: Store, folder: Path, **manifest: Any) -> str:
    version = pushed(store, folder, **manifest)
    versions.promote(store, version, versions.current(store))
    return version


def test_the_first_version_passes_and_is_asked_its_golden_questions(
    store: Store, tmp_path: Path
) -> None:
    golden, figure = gate.examine(store, pushed(store, tmp_path / "a"))
    assert golden == "golden answers hold (10 movies)"
    assert "no metric to compare with" in figure


def test_a_lower_figure_than_the_current_versions_is_refused(store: Store, tmp_path: Path) -> None:
    promoted(store, tmp_path / "a", metrics={"val/ndcg@10": 0.2})
    near = pushed(store, tmp_path / "b", metrics={"val/ndcg@10": 0.2 * MIN_METRIC_RATIO})
    below = pushed(store, tmp_path / "c", metrics={"val/ndcg@10": 0.189})
    assert "0.1900 on validation, the current version's 0.2000" in gate.examine(store, near)[1]
    with pytest.raises(Refused, match=r"0\.1890 on validation.*--force"):
        gate.examine(store, below)


def test_figures_of_other_data_are_not_compared(store: Store, tmp_path: Path) -> None:
    promoted(store, tmp_path / "a", metrics={"val/ndcg@10": 0.2})
    data = tiny_parts()["manifest"]["data"] | {"sha256": "1" * 64}
    other = pushed(store, tmp_path / "b", metrics={"val/ndcg@10": 0.1}, data=data)
    assert "compare with --data NAME" in gate.examine(store, other)[1]


def test_another_protocol_or_data_set_is_no_comparison(store: Store, tmp_path: Path) -> None:
    here, there = DEMO | {"name": "ml-1m"}, DEMO | {"name": "ml-1m", "protocol": "time"}
    promoted(store, tmp_path / "a", metrics={"val/ndcg@10": 0.2}, config={"data": there})
    other = pushed(store, tmp_path / "b", metrics={"val/ndcg@10": 0.1}, config={"data": here})
    trained = "trained on ml-1m `next`, the current version on ml-1m `time`"
    assert gate.examine(store, other)[1] == f"{trained}: no metric to compare"
    with pytest.raises(Refused, match=rf"it was {trained}, which may have seen.*--force"):
        gate.examine(store, other, data="ml-1m")
    fold = pushed(store, tmp_path / "c", config={"data": there | {"fold": 2}})
    with pytest.raises(Refused, match="`time`, fold 2, the current version on ml-1m `time`"):
        gate.examine(store, fold, data="ml-1m")


@pytest.mark.parametrize("what", ["old-format", "damaged", "gone"])
def test_a_current_version_that_cannot_be_asked_is_in_the_way_until_overruled(
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    what: str,
) -> None:
    """A new format of bundles would else end every promotion."""
    if what == "old-format":
        with monkeypatch.context() as older:
            older.setattr("marquee.recommender.bundle.FORMAT", FORMAT - 1)
            current = promoted(store, tmp_path / "a")
    else:
        current = promoted(store, tmp_path / "a")
        files = ["movies.json"] if what == "damaged" else [MANIFEST]
        store.delete([f"versions/{current}/{name}" for name in files])
    version = pushed(store, tmp_path / "b")
    assert main(["promote", version, store.url]) == 1
    said = capsys.readouterr().err
    assert "the current version cannot be loaded" in said and "--force overrules" in said
    if what == "old-format":
        where = f"{store.url}/versions/{current}/bundle.json"
        assert f"{where}: bundle format {FORMAT - 1}, expected {FORMAT}" in said
    assert main(["promote", version, store.url, "--force"]) == 0


def test_size_and_age_have_limits(store: Store, tmp_path: Path) -> None:
    version = pushed(store, tmp_path / "a", created="2026-01-01T00:00:00+00:00")
    with pytest.raises(Refused) as refused:
        gate.examine(store, version, limits=Limits(max_mb=1e-6, max_age_days=30))
    assert "0 MB, expected at most 0 (--max-mb)" in str(refused.value)
    assert "expected at most 30 (--max-age-days)" in str(refused.value)


def test_who_overrules_is_told_and_a_wrong_answer_is_never_overruled(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    promoted(store, tmp_path / "a", metrics={"val/ndcg@10": 0.2})
    worse = pushed(store, tmp_path / "b", metrics={"val/ndcg@10": 0.1})
    assert main(["promote", worse, store.url]) == 1
    assert main(["promote", worse, store.url, "--force"]) == 0
    assert "overruled" in capsys.readouterr().err
    parts = tiny_parts()
    folder = write_tiny(tmp_path / "c")
    golden = json.loads((folder / "golden.json").read_text())
    golden[0]["scores"][0] += 1
    write_bundle(folder, **parts | {"golden": golden})
    wrong, _ = versions.push(folder, store)
    assert main(["promote", wrong, store.url, "--force"]) == 2
    pointer = versions.current(store)
    assert pointer is not None and pointer.version == worse


def test_a_production_bundle_needs_its_sibling(store: Store, tmp_path: Path) -> None:
    promoted(store, tmp_path / "a", config={"data": DEMO})
    alone = pushed(store, tmp_path / "b", refit="all", sibling="e" * 64, config={"data": DEMO})
    with pytest.raises(InputError, match=r"its sibling e{12} in the store .*; push"):
        gate.examine(store, alone, data="demo")


class Rule:
    """As much of a recommender as the comparison needs."""

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
        assert all(movie_id in self.movie_ids for each in histories for movie_id, _ in each)
        return np.tile(self._score_I.astype(np.float32), (len(histories), 1))

    def predict_stars(self, histories: Any, movie_ids: np.ndarray) -> np.ndarray:
        assert set(movie_ids.tolist()) <= set(self.movie_ids.tolist())
        return np.full((len(histories), len(movie_ids)), self._stars)


def test_two_versions_are_asked_the_same_test_part() -> None:
    dataset = InteractionDataModule(DataConfig(name="demo")).dataset
    ids, sha256 = dataset.movies.movie_id, dataset.sha256
    ratings = InteractionDataModule(DataConfig(name="demo")).base_split.all_histories
    count_I = np.bincount(ratings.item, minlength=len(ids))
    popular, nothing = Rule(ids, count_I, sha256), Rule(ids, np.zeros(len(ids)), sha256)
    (told, worse), _ = compare_on_test_part(nothing, popular, "demo")  # type: ignore[arg-type]
    assert worse and "on the test part of demo `next`" in told
    (told, worse), _ = compare_on_test_part(popular, nothing, "demo")  # type: ignore[arg-type]
    assert not worse and "difference +" in told
    half = Rule(ids[::2], count_I[::2], sha256)  # a smaller catalogue: what it lacks comes last
    assert compare_on_test_part(half, popular, "demo")[0][1]  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"--data ml-1m: this version was trained on demo"):
        compare_on_test_part(popular, nothing, "ml-1m")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="trained on demo `stars`"):
        other = Rule(ids, count_I, sha256, protocol="stars")
        compare_on_test_part(other, nothing, "demo")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="expected eeeeeeeeeeee, the copy that this"):
        compare_on_test_part(Rule(ids, count_I, "e" * 64), nothing, "demo")  # type: ignore[arg-type]


def test_stars_are_compared_too() -> None:
    """One gives every film the mean of all ratings, the other a star more."""
    dataset = InteractionDataModule(DataConfig(name="demo")).dataset
    ids, zeros = dataset.movies.movie_id, np.zeros(len(dataset.movies))
    test = InteractionDataModule(DataConfig(name="demo")).base_split.test
    found = test.rating_N[test.target_end - 1]  # the one movie to be found
    mean = float(found.mean())
    good = Rule(ids, zeros, dataset.sha256, stars=mean)
    bad = Rule(ids, zeros, dataset.sha256, stars=mean + 1)
    _, (told, worse) = compare_on_test_part(bad, good, "demo")  # type: ignore[arg-type]
    variance = float(((found - mean) ** 2).mean())
    bad_rmse, good_rmse = f"{np.sqrt(variance + 1):.4f}", f"{np.sqrt(variance):.4f}"
    assert worse and re.search(f"rmse {bad_rmse} on .* {good_rmse}, .* [+]1.0000", told), told
    _, (told, worse) = compare_on_test_part(good, bad, "demo")  # type: ignore[arg-type]
    assert not worse
    strange = Rule(ids.max() + 1 + np.arange(3), np.zeros(3), dataset.sha256)
    _, (told, worse) = compare_on_test_part(strange, good, "demo")  # type: ignore[arg-type]
    assert not worse and "no movie is known to both" in told
