"""Splits of protocol `stars`: held-out ratings, and the official folds of ml-100k."""

from pathlib import Path

import pytest

from datamodules.config import DataConfig
from datamodules.datamodule import InteractionDataModule
from datamodules.splits import official_fold, split_ratings
from datamodules.splits.base import TEST, VALID
from marquee.core.errors import InputError
from marquee.data.dataset import load_dataset
from marquee.data.demo_data import write_demo
from marquee.data.history_order import build_histories


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_demo(folder / "demo", seed=1, num_users=60, num_movies=150)
    return folder


def test_split_ratings_holds_out_a_tenth_and_a_twentieth(root: Path) -> None:
    histories = build_histories(load_dataset("demo", root))
    split, num = split_ratings(histories, 150), len(histories.item)
    assert (split.subset_N == TEST).sum() == round(0.1 * num)
    assert (split.subset_N == VALID).sum() == round(0.05 * (num - round(0.1 * num)))
    assert (split_ratings(histories, 150).subset_N == split.subset_N).all()
    assert (split_ratings(histories, 150, seed=1).subset_N != split.subset_N).any()


@pytest.mark.parametrize("refit", ["none", "validation"])
def test_queries_hold_training_ratings_and_held_out_targets(root: Path, refit: str) -> None:
    histories = build_histories(load_dataset("demo", root))
    split = split_ratings(histories, 150).with_refit(refit)  # type: ignore[arg-type]
    queries = split.valid if refit == "none" else split.test
    subset = VALID if refit == "none" else TEST
    num_targets = 0
    for number, user in enumerate(queries.user.tolist()):
        items = queries.item_N[queries.start[number] : queries.target_end[number]]
        length = queries.context_length[number]
        own = slice(histories.indptr[user], histories.indptr[user + 1])
        targets = histories.item[own][split.subset_N[own] == subset]
        history = split.train_histories.item[split.train_histories.indptr[user] :][:length]
        assert items[:length].tolist() == history.tolist()  # in time order
        assert items[length:].tolist() == targets.tolist()
        num_targets += len(targets)
    if refit == "validation":
        assert num_targets == (split.subset_N == TEST).sum()


def test_folds_are_refused_for_other_data_and_protocols(root: Path, tmp_path: Path) -> None:
    dataset = load_dataset("demo", root)
    with pytest.raises(InputError, match="only ml-100k has folds, 1 to 5"):
        official_fold(build_histories(dataset), dataset, 1, str(root))
    with pytest.raises(InputError, match="only stars has folds"):
        InteractionDataModule(DataConfig(name="demo", root=str(root), fold=1))


def test_official_fold_is_the_ratings_of_its_file(tmp_path: Path) -> None:
    folder = tmp_path / "ml-100k"
    folder.mkdir()
    lines = [
        f"{u}\t{m}\t{1 + (u + m) % 5}\t{100 * u + m}" for u in range(1, 4) for m in range(1, 5)
    ]
    (folder / "u.data").write_text("\n".join(lines) + "\n")
    flags = "|".join("0" * 19)
    movies = [f"{m}|Film {m} (1990)|01-Jan-1990||x|{flags}" for m in range(1, 5)]
    (folder / "u.item").write_text("\n".join(movies) + "\n")
    (folder / "u2.test").write_text(f"{lines[1]}\n{lines[10]}\n")
    dataset = load_dataset("ml-100k", tmp_path)
    histories = build_histories(dataset)
    is_test_N = official_fold(histories, dataset, 2, str(tmp_path))
    movie_id = dataset.movies.movie_id[histories.item]
    pairs = zip(histories.user_id[histories.user][is_test_N], movie_id[is_test_N], strict=True)
    assert sorted(pairs) == [(1, 2), (3, 3)]
    (folder / "u3.test").write_text("9\t9\t3\t100\n")
    with pytest.raises(InputError, match=r"u3.test: 1 ratings, 0 of them in u.data"):
        official_fold(histories, dataset, 3, str(tmp_path))
    with pytest.raises(InputError, match=r"u4.test: no such file"):
        official_fold(histories, dataset, 4, str(tmp_path))
