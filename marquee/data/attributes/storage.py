"""Keep user ids, items, features and tags of a prepared data set: JSON and npy files."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from marquee.core.ids import Ids, as_ids
from marquee.core.movies import Movies
from marquee.data.features import Feature, FeatureType
from marquee.data.movielens.tags import Tags

ITEMS, TAGS, USER_IDS = "items.json", "tags.json", "user_id"
ARRAY_TYPES = ("number", "vector")


def save_movies(movies: Movies, folder: Path) -> None:
    _write(folder / ITEMS, movies.to_columns())


def load_movies(folder: Path) -> Movies:
    return Movies.from_columns(_read(folder / ITEMS))


def save_user_ids(ids: Ids, folder: Path) -> None:
    """Write user_id.npy, of text user_id.json."""
    if ids.dtype == object:
        _write(folder / f"{USER_IDS}.json", ids.tolist())
    else:
        np.save(folder / f"{USER_IDS}.npy", ids)


def load_user_ids(folder: Path) -> Ids:
    """Return the ids of the users, ascending."""
    integers = folder / f"{USER_IDS}.npy"
    if integers.is_file():
        return np.asarray(np.load(integers), np.int64)
    return np.array(_read(folder / f"{USER_IDS}.json"), dtype=object)


def save_features(features: Sequence[Feature], folder: Path, kind: str) -> None:
    """Write KIND_features.json with the names, and a file for the values of each.

    kind: "item" or "user".
    """
    _write(folder / f"{kind}_features.json", [[f.name, f.type] for f in features])
    for number, feature in enumerate(features):
        path = folder / f"{kind}_feature_{number}"
        if feature.type in ARRAY_TYPES:
            np.save(path.with_suffix(".npy"), feature.values)
        else:
            _write(path.with_suffix(".json"), feature.values.tolist())


def load_features(folder: Path, kind: str) -> tuple[Feature, ...]:
    names = _read(folder / f"{kind}_features.json")
    return tuple(
        Feature(name, type_, _load_values(folder / f"{kind}_feature_{number}", type_))
        for number, (name, type_) in enumerate(names)
    )


def _load_values(path: Path, type_: FeatureType) -> Any:
    if type_ in ARRAY_TYPES:
        return np.load(path.with_suffix(".npy"), mmap_mode="r")
    cells = _read(path.with_suffix(".json"))
    values = np.empty(len(cells), dtype=object)
    values[:] = [tuple(cell) if isinstance(cell, list) else cell for cell in cells]
    return values


def save_tags(tags: Tags, folder: Path) -> None:
    words = {word: code for code, word in enumerate(dict.fromkeys(tags.tag.tolist()))}
    codes = [words[word] for word in tags.tag.tolist()]
    columns = {"user_id": tags.user_id.tolist(), "movie_id": tags.movie_id.tolist()}
    _write(folder / TAGS, columns | {"words": list(words), "tag": codes})


def load_tags(folder: Path) -> Tags:
    """Return the tags; none where the data set has none."""
    if not (folder / TAGS).is_file():
        return Tags.empty()
    columns = _read(folder / TAGS)
    words = np.array(columns["words"], dtype=object)
    tag = words[np.array(columns["tag"], dtype=np.int64)]
    return Tags(as_ids(columns["user_id"]), as_ids(columns["movie_id"]), tag)


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")), "utf-8")


def _read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))
