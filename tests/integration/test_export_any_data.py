"""Every kind of data trains, becomes a bundle, and answers: ids, ratings, times, features."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl

from datamodules.config import DataConfig
from datamodules.datamodule import InteractionDataModule
from marquee.core.ids import as_ids
from marquee.core.movies import Movies
from marquee.data.dataset import Dataset
from marquee.data.features import Feature
from marquee.data.user_histories import UserHistories
from marquee.recommender.errors import RequestError
from marquee.recommender.item_content import ItemAttributes
from marquee.recommender.recommender import Recommender
from marquee.training.config import read_config
from marquee.training.export.bundle import export_bundle
from marquee.training.run_folder import SelectionResult
from models.config import LearningConfig, NetworkConfig
from models.lightning_module import RankingModule
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow

NUM_USERS, NUM_ITEMS, NUM_EXTRA, LENGTH = 40, 30, 3, 8
NUM_ALL = NUM_ITEMS + NUM_EXTRA
IDS: dict[str, list[Any]] = {
    "text": [f"{n:03}/é" for n in range(NUM_ITEMS)] + ["zero", "a,b", "ünï"],
    "int": [10 * n + 2**40 for n in range(NUM_ITEMS)] + [7, -3, 2**62],
}
THUMBS, PERCENT, TENTHS = (0.0, 1.0), tuple(map(float, range(101))), (0.1, 0.2, 0.7, 3.3)


def dataset(kind: str, scale: tuple[float, ...] = (), **settings: Any) -> Dataset:
    rng = np.random.default_rng(0)
    item = np.concatenate([rng.permutation(NUM_ITEMS)[:LENGTH] for _ in range(NUM_USERS)])
    values = np.array(scale or (np.nan,), np.float32)
    ids = as_ids(IDS[kind])
    return Dataset(
        name="generated",
        histories=UserHistories(
            user_id=np.arange(NUM_USERS),
            indptr=np.arange(NUM_USERS + 1) * LENGTH,
            item=item.astype(np.int32),
            rating=rng.choice(values, len(item)),
            timestamp=np.tile(np.arange(LENGTH), NUM_USERS),
        ),
        movies=Movies(ids, [str(each) for each in IDS[kind]], [None] * NUM_ALL, [()] * NUM_ALL),
        num_items=NUM_ITEMS,
        scale=scale,
        sha256="0" * 64,
        report=(),
        **settings,
    )


def described(scale: tuple[float, ...]) -> Dataset:
    """Titles, years and genres, some of them unknown, and features of every type."""
    rng = np.random.default_rng(1)
    bare = dataset("int", scale)
    words = ["red", "hen", "fox", "blue", "sea"]
    titles = [" ".join(rng.choice(words, 2)) for _ in range(NUM_ALL)]
    years = [None if n % 5 == 0 else 1950 + n for n in range(NUM_ALL)]
    genres = [("Drama",) if n % 3 else () for n in range(NUM_ALL - 1)] + [("Drama", "New")]
    movies = Movies(bare.movies.movie_id, titles, years, genres)
    number, vector = rng.normal(size=NUM_ALL), rng.normal(size=(NUM_ALL, 4))
    number[3] = vector[3] = np.nan
    return replace(
        bare,
        movies=movies,
        item_features=(
            column("country", "category", [None, *rng.choice(["dk", "fr"], NUM_ALL - 1)]),
            column(
                "cast",
                "categories",
                [tuple(rng.choice(words, (n + 1) % 4)) for n in range(NUM_ALL)],
            ),
            Feature("length", "number", number.astype(np.float32)),
            Feature("image", "vector", vector.astype(np.float32)),
            column("plot", "text", [None, *titles[1:]]),
        ),
        user_features=(
            column("plan", "category", rng.choice(["basic", "gold"], NUM_USERS).tolist()),
            Feature("age", "number", rng.normal(40, 9, NUM_USERS).astype(np.float32)),
        ),
    )


def column(name: str, kind: Any, values: list[Any]) -> Feature:
    array = np.empty(len(values), object)
    array[:] = values
    return Feature(name, kind, array)


def export(dataset: Dataset, folder: Path, **network: Any) -> Recommender:
    """Train a step, and return the bundle's recommender."""
    pl.seed_everything(0)
    history = {"history_length": 8, "user_features": bool(dataset.user_features)}
    data = InteractionDataModule(DataConfig(name="generated", targets_per_batch=64, **history))
    data.dataset = dataset  # type: ignore[misc]
    shape = NetworkConfig(embedding_dim=8, num_layers=1, hidden_dims=[4], **history, **network)
    model = RankingModule(data.sizes, shape, LearningConfig(warmup_steps=0))
    trainer = pl.Trainer(
        max_steps=2, logger=False, enable_checkpointing=False, accelerator="cpu",
        enable_progress_bar=False, limit_val_batches=1,
    )  # fmt: skip
    trainer.fit(model, data)
    config = read_config([f"--config={ROOT}/recipes/demo.yaml", "--stars.num_draws=2"])
    selection = SelectionResult(folder=folder, commit="0", epochs=1, validation={"ndcg@10": 0.1})
    export_bundle(
        folder / "b", model.network, config=config, data=data, selection=selection
    )  # loads it, golden answers and all
    return Recommender.load(folder / "b")


@pytest.mark.parametrize("kind", ["text", "int"])
def test_export_of_bare_interactions_answers_in_their_ids(kind: str, tmp_path: Path) -> None:
    """No ratings, times, titles, years, genres or features."""
    recommender = export(dataset(kind, has_times=False, is_ordered=True), tmp_path)
    ids = IDS[kind]
    assert recommender.movie_ids.tolist() == ids and recommender.id_type == kind
    assert not recommender.has_ratings and recommender.catalog.scale == []
    assert recommender.chart_kinds == ("popular",)
    history = [ids[0], (ids[1], 4.0), (ids[2], None, 0.95), (ids[3], None, 0.05)]
    response = recommender.recommend(history, k=NUM_ALL, explain=True)
    assert {item["movie_id"] for item in response["items"]} == set(ids[4:])  # also the last three
    assert all("stars" not in item for item in response["items"])
    assert {reason["movie_id"] for item in response["items"] for reason in item["because"]} <= {
        *ids[:3]
    }
    assert response["items"][0]["title"] == str(response["items"][0]["movie_id"])
    why = recommender.rate_next(history=history, k=3)["items"][0]["why"]
    assert set(why) == {"seen_probability", "scarcity"}
    assert "stars" not in recommender.charts("popular")["items"][0]
    assert recommender.predict(history=history, movie_ids=ids[-2:])["items"][1]["num_ratings"] == 0
    assert len(recommender.similar([ids[-1]], k=5)["items"]) == 5
    calibrated = recommender.recommend(history, calibration=1.0, diversity=0.5, novelty=0.5)
    assert len(calibrated["items"]) == 10
    with pytest.raises(RequestError, match="no ratings") as error:
        recommender.predict_stars([history], ids[:1])
    assert error.value.code == "no_ratings"
    with pytest.raises(RequestError, match="kind: 'trending', expected one of popular"):
        recommender.charts("trending")
    with pytest.raises(RequestError, match="expected none, as no movie has a genre"):
        recommender.recommend(filters={"genres": ["Drama"]})


@pytest.mark.parametrize("scale", [THUMBS, PERCENT, TENTHS], ids=["thumbs", "percent", "tenths"])
def test_export_of_every_scale_predicts_within_it(scale: tuple[float, ...], tmp_path: Path) -> None:
    recommender = export(dataset("text", scale), tmp_path)
    assert recommender.catalog.scale == list(scale)
    ids = IDS["text"]
    history = [(ids[0], scale[-1]), (ids[1], None, 0.95), (ids[2], None, 0.01)]
    for item in recommender.recommend(history, k=NUM_ALL)["items"]:
        stars = item["stars"]
        assert scale[0] <= stars["low"] <= stars["expected"] <= stars["high"] <= scale[-1]
        assert 0 <= stars["p_like"] <= 1
    probability_KR = recommender.star_probabilities(history, ids[-3:])
    assert probability_KR.shape == (3, len(scale))
    np.testing.assert_allclose(probability_KR.sum(1), 1, atol=1e-5)


def test_export_of_one_rating_value_has_no_ratings(tmp_path: Path) -> None:
    recommender = export(dataset("int", (1.0,)), tmp_path)
    assert not recommender.has_ratings
    assert "stars" not in recommender.recommend([IDS["int"][0]])["items"][0]


def test_export_of_every_feature_answers_by_content(tmp_path: Path) -> None:
    source = described((1.0, 2.0, 3.0))
    recommender = export(source, tmp_path)
    names = [feature.name for feature in source.item_features]
    assert recommender.manifest["features"] == {"item": names, "user": ["plan", "age"]}
    countries, lengths = (feature.values for feature in source.item_features[::2][:2])
    assert source.item_features[2].name == "length"
    where = {"country": "dk", "length": {"lt": 0}}
    items = recommender.recommend(filters={"where": where}, k=NUM_ALL)["items"]
    is_match = (countries == "dk") & (lengths < 0)
    assert sorted(item["movie_id"] for item in items) == sorted(
        source.movies.movie_id[is_match].tolist()
    )
    # A title with the attributes of the last item, which has no interaction, is that item.
    row = NUM_ALL - 1
    attributes = ItemAttributes(
        title=source.movies.title[row],
        year=source.movies.year[row],
        genres=source.movies.genres[row],
        features={each.name: each.values[row] for each in source.item_features},
    )
    arrays = recommender.item_content.arrays([attributes, ItemAttributes()])
    vector_ID = recommender.scorer.encoder.item_vectors.base_ID
    np.testing.assert_allclose(arrays["item_vector"][0], vector_ID[row], atol=1e-5)
    assert set(arrays) == {"item_vector", "item_gmf", "item_mlp", "item_bias", "star_item"}
    for name in names:  # each feature is read
        features = {key: value for key, value in attributes.features.items() if key != name}
        (changed,) = recommender.item_content.arrays([replace(attributes, features=features)])[
            "item_vector"
        ]
        assert not np.allclose(changed, arrays["item_vector"][0], atol=1e-6), name


def test_viewer_features_change_the_answer_and_others_do_not(tmp_path: Path) -> None:
    recommender = export(described((1.0, 2.0, 3.0)), tmp_path)
    history = IDS["int"][:3]

    def scores(viewer: dict[str, Any] | None) -> list[float]:
        return [item["score"] for item in recommender.recommend(history, viewer=viewer)["items"]]

    unknown = scores(None)
    assert scores({"country": "DK", "plan": None}) == unknown
    assert scores({"plan": "gold"}) != unknown != scores({"age": 70})
    assert recommender.user_feature_names == ["plan", "age"]


def test_export_without_data_features_leaves_them_out(tmp_path: Path) -> None:
    recommender = export(described(()), tmp_path, features=["genres", "period", "text"])
    assert recommender.manifest["features"]["item"] == []
