"""The content of items as tensors: genres, release period, title and tags.

genre_IG = genre_matrix(dataset.movies)
period_I = release_periods(dataset.movies)                   # table rows, 0 for unknown
text_IT = title_and_tags(dataset, split.train_histories)     # tags of training ratings only
content_vectors(genre_IG, period_I, text_IT)                 # all of it, one row an item
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from datamodules.text_features import text_features
from marquee.core.eval_queries import spans
from marquee.core.movies import Movies
from marquee.data.dataset import Dataset
from marquee.data.user_histories import UserHistories

PERIOD_YEARS = 5
FIRST_YEAR = 1900
NUM_PERIODS = 2 + (2030 - FIRST_YEAR) // PERIOD_YEARS
"""Row 0: year unknown; then five years a row, with years outside 1900 to 2034 at the ends."""
TEXT_DIM = 64
"""Dimensions of the features of title and tags."""


def genre_matrix(movies: Movies) -> Tensor:
    """Return multi-hot genres, float32 (I, G).

    If no movie has a genre, there is one empty column.
    """
    genre_IG = torch.from_numpy(movies.genre_matrix())
    return genre_IG if genre_IG.shape[1] else torch.zeros(len(genre_IG), 1)


def release_periods(movies: Movies) -> Tensor:
    """Return the row of each movie's release period, int64 (I,)."""
    years = [FIRST_YEAR - PERIOD_YEARS if year is None else year for year in movies.year]
    row_I = 1 + (torch.tensor(years) - FIRST_YEAR).div(PERIOD_YEARS, rounding_mode="floor")
    is_known_I = torch.tensor([year is not None for year in movies.year])
    return torch.where(is_known_I, row_I.clamp(1, NUM_PERIODS - 1), 0)


def title_and_tags(dataset: Dataset, histories: UserHistories) -> Tensor:
    """Return the text features of title and tags, float32 (I, T).

    histories: the training ratings. A small vocabulary fills fewer columns; the others are 0.
    """
    movies, tags = dataset.movies, dataset.tags
    # All ratings of users with tags, and each rated movie once: no more of the others is read.
    tagger = np.flatnonzero(np.isin(histories.user_id, tags.user_id))
    row, position = spans(histories.indptr[tagger], histories.length[tagger])
    rated = np.flatnonzero(histories.item_counts(len(movies)))
    user_id = np.concatenate([histories.user_id[tagger][row], np.full_like(rated, -1)])
    movie_id = movies.movie_id[np.concatenate([histories.item[position], rated])]
    text_IT = text_features(movies, tags, user_id, movie_id, dim=TEXT_DIM)
    return F.pad(torch.from_numpy(text_IT), (0, TEXT_DIM - text_IT.shape[1]))


def content_vectors(genre_IG: Tensor, period_I: Tensor, text_IT: Tensor) -> Tensor:
    """Return the content of each item as one float32 row.

    Genre shares, the one-hot release period and the text stand side by side.
    """
    share_IG = genre_IG / genre_IG.sum(1, keepdim=True).clamp(min=1)
    period_IY = F.one_hot(period_I, NUM_PERIODS).float()
    return torch.cat([share_IG, period_IY, text_IT], 1)
