"""Data sets in memory: no file, no cache, ids of either type."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from marquee.core.ids import as_ids
from marquee.core.movies import Movies
from marquee.data.dataset import Dataset
from marquee.data.user_histories import UserHistories


def dataset_in_memory(
    items_by_user: Mapping[Any, Sequence[int]],
    movie_ids: Sequence[Any],
    *,
    num_items: int | None = None,
    scale: tuple[float, ...] = (),
    has_times: bool = True,
    part: Sequence[int] | None = None,
    **settings: Any,
) -> Dataset:
    """Return a data set of item rows by user, oldest first; all ratings are the largest."""
    lengths = [len(items) for items in items_by_user.values()]
    item_N = np.array([item for items in items_by_user.values() for item in items], np.int32)
    time_N = np.concatenate([np.arange(length) for length in lengths]) if lengths else item_N
    histories = UserHistories(
        user_id=as_ids(list(items_by_user)),
        indptr=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        item=item_N,
        rating=np.full(len(item_N), scale[-1] if scale else np.nan, np.float32),
        timestamp=(1_500_000_000 + 3600 * time_N if has_times else 0 * time_N).astype(np.int64),
        part=None if part is None else np.array(part, np.int8),
    )
    num_movies = len(movie_ids)
    movies = Movies(
        as_ids(list(movie_ids)),
        [str(movie_id) for movie_id in movie_ids],
        [None] * num_movies,
        [()] * num_movies,
    )
    return Dataset(
        name="small",
        histories=histories,
        movies=movies,
        num_items=num_items or num_movies,
        scale=scale,
        sha256="0" * 64,
        report=(),
        has_times=has_times,
        **settings,
    )
