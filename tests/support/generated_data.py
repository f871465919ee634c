"""Data sets built in memory, of any kind: text ids, no ratings, no times, other scales."""

from dataclasses import replace
from typing import Any

import numpy as np

from marquee.core.ids import as_ids
from marquee.core.movies import Movies
from marquee.data.dataset import Dataset
from marquee.data.user_histories import UserHistories

GENRES = ("Drama", "Comedy", "War")
START = 1_600_000_000
STEP_S = 100_003


def generated_dataset(
    *,
    num_users: int = 40,
    num_items: int = 30,
    num_unseen: int = 0,
    length: int = 9,
    scale: tuple[float, ...] = (),
    rated_share: float = 1.0,
    has_times: bool = True,
    genres: tuple[str, ...] = GENRES,
    has_titles: bool = True,
    has_text_ids: bool = False,
    has_watched: bool = False,
    has_repeats: bool = False,
    **fields: Any,
) -> Dataset:
    """Return a data set of users who each have `length` interactions, or fewer.

    scale: the ratings, drawn; () without. rated_share: of the interactions with a rating. fields:
    of Dataset.
    """
    rng, size = np.random.default_rng(0), min(length, num_items)
    rows = [  # every second user takes the next items in turn, so that each item has a user
        (user // 2 * size + np.arange(size)) % num_items
        if user % 2 == 0
        else np.sort(rng.choice(num_items, size, replace=False))
        for user in range(num_users)
    ]
    item_N = np.concatenate([np.append(row, row[:1]) if has_repeats else row for row in rows])
    item_N = item_N.astype(np.int32)
    num = len(item_N)
    rating = np.full(num, np.nan, np.float32)
    if scale:
        is_rated = rng.random(num) < rated_share
        rating[is_rated] = rng.choice(np.asarray(scale, np.float32), int(is_rated.sum()))
    width = num // num_users
    time = START + STEP_S * (np.arange(num) % width) if has_times else np.zeros(num)
    histories = UserHistories(
        user_id=_ids("u", num_users, has_text_ids),
        indptr=np.arange(num_users + 1, dtype=np.int64) * width,
        item=item_N,
        rating=rating,
        timestamp=time.astype(np.int64),
        watched=rng.random(num).astype(np.float32) if has_watched else None,
    )
    dataset = Dataset(
        name="mine",
        histories=histories,
        movies=_movies(num_items + num_unseen, genres, has_titles, has_text_ids),
        num_items=num_items,
        scale=scale,
        sha256="0" * 64,
        report=(),
        has_times=has_times,
    )
    return replace(dataset, **fields)


def _ids(prefix: str, size: int, is_text: bool) -> Any:
    return as_ids([f"{prefix}{row:05}" if is_text else 2**40 + row for row in range(size)])


def _movies(size: int, genres: tuple[str, ...], has_titles: bool, is_text: bool) -> Movies:
    movie_id = _ids("0", size, is_text)
    return Movies(
        movie_id=movie_id,
        title=[
            f"Movie {row} {'é<b>'[row % 4 :]}" if has_titles else str(movie_id[row])
            for row in range(size)
        ],
        year=[2000 + row % 20 if has_titles else None for row in range(size)],
        genres=[(genres[row % len(genres)],) if genres else () for row in range(size)],
    )
