"""Read a data set: its interactions by user, its items, its users.

dataset = load_dataset("ml-1m", root="data")     # downloads what is missing
dataset.movies.label(0)                          # "Toy Story (1995)"
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from marquee.core import memmap
from marquee.core.errors import InputError
from marquee.core.movies import Movies
from marquee.data.attributes.storage import load_features, load_movies, load_tags, load_user_ids
from marquee.data.engine import cache
from marquee.data.features import Feature
from marquee.data.movielens.download import data_root, locate
from marquee.data.movielens.presets import Preset, preset_of
from marquee.data.movielens.tags import Tags
from marquee.data.prepare import FACTS, prepare_locked, request_of
from marquee.data.spec import DatasetSpec
from marquee.data.spec_file import PATHS, read_spec
from marquee.data.user_histories import COLUMNS, UserHistories

SPEC_FILE = "dataset.yaml"


@dataclass(frozen=True, eq=False, kw_only=True)
class Dataset:
    name: str
    histories: UserHistories
    """All interactions: by user, then time, then row of the source."""
    movies: Movies
    """All items. The first `num_items` have interactions and ascend by id, as do the others."""
    num_items: int  # items with interactions: those are trained on and ranked
    scale: tuple[float, ...]  # the ratings that a user can give, ascending; () without ratings
    sha256: str  # of the files or query results that it was read from
    report: tuple[str, ...]  # what was found and mended while reading, one sentence each
    has_times: bool = True
    is_ordered: bool = False  # without times: the source's rows of a user are oldest first
    tags: Tags = field(default_factory=Tags.empty)  # of all movies, rated or not
    item_features: tuple[Feature, ...] = ()  # rows as in `movies`
    user_features: tuple[Feature, ...] = ()  # rows as in `histories.user_id`

    @property
    def has_ratings(self) -> bool:
        return bool(self.scale)


def load_dataset(name: str, root: str | Path | None = None) -> Dataset:
    """Load a data set of a dataset.yaml or of MovieLens, downloaded if missing.

    The file is `root`/`name`/dataset.yaml. The tables are prepared at the first call, and again
    where dataset.yaml or a file of MovieLens changed. Raises InputError, one sentence, for an
    unknown name, a failed download, a source that changed since `marquee data add`, or a bad row
    (file, line, expected).
    """
    return read_tables(name, cached_folder(name, root))


def cached_folder(name: str, root: str | Path | None = None) -> Path:
    """Return the cache folder of a data set's tables, prepared if missing."""
    spec, preset, origin = find_spec(name, root)
    request = request_of(name, spec, origin, preset)
    with cache.locked(name):
        folder = cache.find(request)
        paths = [path for field in PATHS for path in request.settings[field]]
        changed = cache.changed_source(folder, paths) if folder is not None else None
        if changed is not None and preset is None:
            raise InputError(
                f"data set {name!r}: {changed} since it was added, expected the same files; "
                f"run `marquee data add {name} --from {origin / SPEC_FILE} --replace`"
            )
        if folder is None or changed is not None:
            folder = prepare_locked(request, spec, preset).folder
    return folder


def find_spec(name: str, root: str | Path | None = None) -> tuple[DatasetSpec, Preset | None, Path]:
    """Return a data set's spec, its preset if it is of MovieLens, and its folder."""
    folder = data_root(root) / name
    if (folder / SPEC_FILE).is_file():
        return read_spec(folder / SPEC_FILE), None, folder
    folder = locate(name, root)
    preset = preset_of(name, folder)
    assert preset is not None  # `locate` refuses other folders
    return preset.spec, preset, folder


def read_tables(name: str, folder: Path) -> Dataset:
    """Map the tables of a prepared data set."""
    facts: dict[str, Any] = json.loads((folder / FACTS).read_text("utf-8"))
    columns = {
        column: memmap.open_npy(folder / f"{column}.npy")
        for column in COLUMNS
        if (folder / f"{column}.npy").is_file()
    }
    histories = UserHistories(
        user_id=load_user_ids(folder), indptr=np.load(folder / "indptr.npy"), **columns
    )
    return Dataset(
        name=name,
        histories=histories,
        movies=load_movies(folder),
        num_items=facts["num_items"],
        scale=tuple(facts["scale"]),
        sha256=facts["sha256"],
        report=tuple(facts["warnings"]),
        has_times=facts["has_times"],
        is_ordered=facts["is_ordered"],
        tags=load_tags(folder),
        item_features=load_features(folder, "item"),
        user_features=load_features(folder, "user"),
    )
