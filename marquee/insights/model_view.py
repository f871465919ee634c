"""What a bundle knows of the people: their taste as it sees it, their lists, their last film.

    view = view_of(dataset, bundle_folder, seed=0)
    view.vector_PD                  # the middle of each person's films, as the network has them
    view.ranked.top                 # the ten films it would list

Asked as in protocol `next`: the history is everything before a person's last film, and that film is
to be found, so nothing is shown to the model that it was trained on as an answer. Of a large data
set MOST_PEOPLE are drawn; ml-1m (6,040 people) takes 25 s.

P people, D embedding, I films, K places of a list.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marquee.core.errors import InputError
from marquee.data.dataset import Dataset
from marquee.data.interactions import MIN_NEXT, UserHistories
from marquee.evaluation.ranker import Asked, Ranked, evaluate
from marquee.recommender.recommender import Recommender

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
MOST_PEOPLE = 10_000
"""Asked about, drawn where there are more."""


@dataclass(frozen=True, eq=False)
class View:
    """Some people through the eyes of one bundle."""

    name: str
    model_version: str
    influence_cap: int
    """Of its training; 0 is no bound."""
    why_not_tested: str | None
    """Why its answers about the last film are no test; None where they are."""
    people: Ints
    """(P,) rows of the histories, ascending."""
    items: list[Ints]
    """P histories, film rows, oldest first."""
    last_P: Ints
    """The film to be found."""
    stars_P: Floats
    """The stars it was given, and those that were expected."""
    expected_P: Floats
    vector_PD: NDArray[np.float32]
    """Rows of length 1."""
    ranked: Ranked

    def part(self, keep_P: NDArray[np.bool_]) -> "View":
        """Some of the people; of what was ranked the lists alone."""
        rows = np.flatnonzero(keep_P)
        ranked = self.ranked._replace(top=self.ranked.top[rows])
        return replace(
            self, people=self.people[rows], items=[self.items[p] for p in rows], ranked=ranked
        )


def ties_of(folder: Path, dataset: Dataset) -> dict[str, Any]:
    """How the bundle's training ordered equal times: arguments of `build_histories`. InputError where
    it was trained on other data."""
    manifest = Recommender.load(folder).manifest
    trained = manifest.get("data", {})
    if trained.get("sha256") != dataset.sha256:
        raise InputError(
            f"{folder} was trained on {trained.get('name')} (sha256 "
            f"{str(trained.get('sha256'))[:12]}…"
            f"), but the data is {dataset.name} (sha256 {dataset.sha256[:12]}…); give a bundle of "
            "this copy, or none."
        )
    data = manifest.get("config", {}).get("data", {})
    return {"ties": data.get("ties", "hash"), "seed": data.get("split_seed", 0)}


def view_of(dataset: Dataset, histories: UserHistories, folder: Path, seed: int = 0) -> View | None:
    """Ask the bundle about everybody, or about MOST_PEOPLE drawn; None where nobody has MIN_NEXT
    ratings."""
    model = Recommender.load(folder)
    if not np.array_equal(model.movie_ids, dataset.movies.movie_id):
        raise InputError(f"{folder} holds other films than {dataset.name}; export it again.")
    people = _drawn(np.flatnonzero(histories.length >= MIN_NEXT), seed)
    if len(people) == 0:
        return None
    cuts = [slice(*histories.indptr[[u, u + 1]]) for u in people.tolist()]
    item = [histories.item[cut].astype(np.int64) for cut in cuts]
    stars = [np.asarray(histories.stars[cut]) for cut in cuts]
    items, given = [each[:-1] for each in item], [each[:-1] for each in stars]
    last = np.array([each[-1] for each in item])
    asked = Asked("next", items, [each[-1:] for each in item], given)
    expected = np.concatenate(
        [
            model.predict_stars([history], dataset.movies.movie_id[[row]])[0]
            for history, row in zip(_entries(model, items, given), last, strict=True)
        ]
    )
    return View(
        name=str(model.manifest.get("name", folder.name)),
        model_version=model.model_version,
        influence_cap=_influence_cap(model.manifest),
        why_not_tested=_why_not_tested(model.manifest),
        people=people,
        items=items,
        last_P=last,
        stars_P=np.array([each[-1] for each in stars], np.float64),
        expected_P=expected.astype(np.float64),
        vector_PD=_vectors(model, items),
        ranked=evaluate(_scorer(model), asked, lists=True)["next"],
    )


def _drawn(people: Ints, seed: int) -> Ints:
    if len(people) <= MOST_PEOPLE:
        return people
    rng = np.random.default_rng(seed)
    return np.sort(rng.choice(people, MOST_PEOPLE, replace=False))


def _influence_cap(manifest: dict[str, Any]) -> int:
    learning = manifest.get("config", {}).get("model", {}).get("learning", {})
    return int(learning.get("influence_cap", 0))


def _why_not_tested(manifest: dict[str, Any]) -> str | None:
    protocol = manifest.get("config", {}).get("data", {}).get("protocol", "next")
    if manifest.get("refit") == "all":
        return (
            "This bundle was trained on everything, the last films too, so it has seen the "
            "answers; "
            "give the bundle of the same recipe that left them out."
        )
    if protocol != "next":
        return (
            f"This bundle was trained for protocol {protocol}, which holds back other ratings than "
            "everybody's last one, so it may have seen the answers; give one of protocol next."
        )
    return None


def _entries(model: Recommender, items: Sequence[Ints], stars: Sequence[Any]) -> Iterator[Any]:
    ids = model.movie_ids
    for rows, given in zip(items, stars, strict=True):
        yield list(zip(ids[rows].tolist(), given.tolist(), strict=True))


def _scorer(model: Recommender) -> Any:
    def score(items: Sequence[Ints], stars: Any) -> NDArray[np.float32]:
        return model.score(list(_entries(model, items, stars)))

    return score


def _vectors(model: Recommender, items: Sequence[Ints]) -> NDArray[np.float32]:
    """The middle of a person's films, where the network puts them. Its encoder would say what comes
    next instead: that moves with every sitting, and is no taste."""
    direction_ID = model.shelf.direction_ID
    vector_PD = np.stack([direction_ID[rows].mean(0) for rows in items])
    return vector_PD / np.maximum(np.linalg.norm(vector_PD, axis=1, keepdims=True), 1e-12)
