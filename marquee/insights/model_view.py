"""The users as one bundle sees them: their taste, their lists, and their last movie.

    view = view_of(dataset, histories, model, seed=0)
    view.vector_UD                  # the mean vector of each user's movies in the network
    view.ranked.top                 # the ten movies that it would list

The queries are those of protocol `next`: the history is everything before a user's last movie, and
that movie is the target. So the model sees nothing that it was trained on as an answer. Users whose
last movie is in their history before are left out. Lists and targets are of the movies with an
interaction. Of a large data set MAX_USERS are drawn; ml-1m (6,040 users) takes 25 s.

Here U are the users of the view, not all users of the data set.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from marquee.core.arrays import AnyInt, Bools, Float32, Float64, Int64
from marquee.core.errors import InputError
from marquee.core.eval_queries import EvalQueries
from marquee.data.dataset import Dataset
from marquee.data.history_order import build_histories
from marquee.data.user_histories import MIN_HISTORY_LENGTH, UserHistories
from marquee.evaluation.ranker import Ranked, evaluate
from marquee.recommender.recommender import Recommender

MAX_USERS = 10_000
"""Users of a view; where the data has more, so many are drawn."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ModelView:
    """Some users as one bundle sees them."""

    name: str
    model_version: str
    influence_cap: int
    """Of its training; 0: no cap."""
    untestable_reason: str | None
    """A sentence that says why its answers about the last movie are no test; None: they are."""
    user_U: Int64
    """(U,) rows of the histories, ascending."""
    histories: list[AnyInt]
    """Item rows of each user, oldest first, without the last one."""
    last_item_U: AnyInt
    """The target."""
    last_rating_U: Float64
    """The rating of the target, and the expected one; the latter None without a rating model."""
    expected_rating_U: Float64 | None
    vector_UD: Float32
    """Mean of each user's movies where the network puts them, of length 1."""
    ranked: Ranked

    def __len__(self) -> int:
        return len(self.user_U)

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "model_version": self.model_version, "users": len(self)}

    def with_lists_of(self, mask_U: Bools) -> "ModelView":
        """Return the users, histories and lists of a mask; other columns stay as they are."""
        rows = np.flatnonzero(mask_U)
        return replace(
            self,
            user_U=self.user_U[rows],
            histories=[self.histories[row] for row in rows],
            ranked=self.ranked._replace(top=self.ranked.top[rows]),
        )


def load_bundle(folder: Path, dataset: Dataset) -> Recommender:
    """Load a bundle of this data set; InputError if it was trained on other data."""
    model = Recommender.load(folder)
    trained = model.manifest.get("data", {})
    if trained.get("sha256") != dataset.sha256:
        raise InputError(
            f"{folder}: trained on {trained.get('name')} (sha256 "
            f"{str(trained.get('sha256'))[:12]}…), expected {dataset.name} (sha256 "
            f"{dataset.sha256[:12]}…); choose a bundle of this copy, or none"
        )
    if model.movie_ids.tolist() != dataset.movies.movie_id.tolist():
        raise InputError(
            f"{folder}: other movies than {dataset.name}, expected the same; export it again"
        )
    return model


def histories_as_trained(dataset: Dataset, model: Recommender) -> UserHistories:
    """Build histories with equal timestamps in the order of the model's training."""
    config = model.manifest.get("config", {}).get("data", {})
    return build_histories(dataset, config.get("ties", "hash"), config.get("split_seed", 0))


def view_of(
    dataset: Dataset, histories: UserHistories, model: Recommender, seed: int = 0
) -> ModelView | None:
    """Query the model for every user, or for MAX_USERS drawn ones.

    Returns None if no user has MIN_HISTORY_LENGTH interactions and a last movie that is new.
    """
    user_U = np.flatnonzero(histories.length >= MIN_HISTORY_LENGTH)
    if len(user_U) > MAX_USERS:
        rng = np.random.default_rng(seed)
        user_U = np.sort(rng.choice(user_U, MAX_USERS, replace=False))
    user_U = user_U[[_is_last_new(histories, user) for user in user_U]]
    if len(user_U) == 0:
        return None
    queries = _queries(histories, user_U)
    contexts, last_item_U = queries.contexts(), np.concatenate(queries.targets())
    # Not the encoder's own vector: it says what comes next, moves with every session, is no taste.
    vector_UD = np.stack([model.reranker.unit_vector_ID[item].mean(0) for item in contexts])
    learning = model.manifest.get("config", {}).get("model", {}).get("learning", {})
    return ModelView(
        name=str(model.manifest.get("name")),
        model_version=model.model_version,
        influence_cap=int(learning.get("influence_cap", 0)),
        untestable_reason=_untestable_reason(model.manifest, dataset),
        user_U=user_U,
        histories=contexts,
        last_item_U=last_item_U,
        last_rating_U=np.concatenate(queries.target_ratings()).astype(np.float64),
        expected_rating_U=_expected_ratings(model, dataset, queries),
        vector_UD=vector_UD / np.maximum(np.linalg.norm(vector_UD, axis=1, keepdims=True), 1e-12),
        ranked=evaluate(
            lambda block: model.score(list(_entries(model, block)))[:, : dataset.num_items],
            queries,
            "next",
            lists=True,
        )["next"],
    )


def _is_last_new(histories: UserHistories, user: Any) -> bool:
    item = histories.item[histories.indptr[user] : histories.indptr[user + 1]]
    return not (item[:-1] == item[-1]).any()


def _queries(histories: UserHistories, user_U: Int64) -> EvalQueries:
    start_U, end_U = histories.indptr[user_U], histories.indptr[user_U + 1]
    return EvalQueries(
        item_N=histories.item,
        rating_N=histories.rating,
        timestamp_N=histories.timestamp,
        user=user_U,
        start=start_U,
        context_start=start_U,
        context_end=end_U - 1,
        target_end=end_U,
    )


def _expected_ratings(model: Recommender, dataset: Dataset, queries: EvalQueries) -> Float64 | None:
    """Return the expected rating of each target, (U,)."""
    if not model.has_ratings:
        return None
    last_id_U = dataset.movies.movie_id[np.concatenate(queries.targets())]
    pairs = zip(_entries(model, queries), last_id_U.tolist(), strict=True)
    ratings = [model.predict_stars([history], [movie_id])[0] for history, movie_id in pairs]
    return np.concatenate(ratings).astype(np.float64)


def _untestable_reason(manifest: dict[str, Any], dataset: Dataset) -> str | None:
    protocol = manifest.get("config", {}).get("data", {}).get("protocol", "next")
    if not dataset.has_times and not dataset.is_ordered:
        return "The data holds no order, so no movie of a user is the last one."
    if manifest.get("refit") == "all":
        return (
            "This bundle was trained on all of the data, so it has seen the answers. Use a bundle "
            "of the same recipe that was trained without each user's last movie."
        )
    if protocol != "next":
        return (
            f"This bundle was trained for protocol {protocol}, so it may have seen each user's "
            "last movie. Use a bundle of protocol next."
        )
    return None


def _entries(model: Recommender, queries: EvalQueries) -> Iterator[list[Any]]:
    """Yield the (movie id, rating) pairs of each context."""
    ids = model.movie_ids
    for item, rating in zip(queries.contexts(), queries.context_ratings(), strict=True):
        yield list(zip(ids[item].tolist(), rating.tolist(), strict=True))
