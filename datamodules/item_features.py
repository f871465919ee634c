"""The content of items as tensors: genres, release period, text, and features of the data set.

Rows are those of `Dataset.movies`; tables are fitted to the first `num_items`, which have
interactions. The network reads those; the rest gets its vectors at export (marquee/training/
export.py).
"""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from datamodules.feature_fitting import EncodedRows, fit_features
from marquee.core.arrays import Float32
from marquee.core.feature_encodings import Encoding
from marquee.core.movies import NO_GENRES, Movies
from marquee.data.dataset import Dataset

PERIOD_YEARS = 5
FIRST_YEAR = 1900
NUM_PERIODS = 2 + (2030 - FIRST_YEAR) // PERIOD_YEARS
"""Row 0: year unknown; then five years a row, with years outside 1900 to 2034 at the ends."""


def genre_names(movies: Movies, num_items: int) -> tuple[str, ...]:
    """Return the columns of `genre_matrix`: sorted genres of items with interactions."""
    names = {name for row in movies.genres[:num_items] for name in row}
    return tuple(sorted(names - {NO_GENRES}))


def genre_matrix(movies: Movies, names: Sequence[str]) -> Tensor:
    """Return multi-hot genres, float32 (I, G); one empty column if there are none."""
    column = {name: g for g, name in enumerate(names)}
    genre_IG = torch.zeros(len(movies), max(1, len(column)))
    for i, row in enumerate(movies.genres):
        genre_IG[i, [column[name] for name in row if name in column]] = 1
    return genre_IG


def release_periods(movies: Movies) -> Tensor:
    """Return the row of each movie's release period, int64 (I,)."""
    years = [FIRST_YEAR - PERIOD_YEARS if year is None else year for year in movies.year]
    row_I = 1 + (torch.tensor(years) - FIRST_YEAR).div(PERIOD_YEARS, rounding_mode="floor")
    is_known_I = torch.tensor([year is not None for year in movies.year])
    return torch.where(is_known_I, row_I.clamp(1, NUM_PERIODS - 1), 0)


def data_features(dataset: Dataset) -> tuple[tuple[Encoding, ...], EncodedRows]:
    """Fit the data set's own features of items; return them and all rows."""
    return fit_features(dataset.item_features, len(dataset.movies), dataset.num_items)


def item_content(
    dataset: Dataset, genres: Sequence[str], text_IT: Float32, rows: EncodedRows
) -> dict[str, Tensor]:
    """Return the attributes of all items as the item tower reads them.

    genre_IG, text_IT, dense_IX float32; period_I int64; value_IW int64 rows of one table for all
    categories, with their weights weight_IW float32.
    """
    return {
        "genre_IG": genre_matrix(dataset.movies, genres),
        "period_I": release_periods(dataset.movies),
        "text_IT": torch.from_numpy(text_IT),
        "value_IW": torch.from_numpy(rows.value_RW),
        "weight_IW": torch.from_numpy(rows.weight_RW),
        "dense_IX": torch.from_numpy(rows.dense_RX),
    }


def content_vectors(content: Mapping[str, Tensor]) -> Tensor:
    """Return genre shares, one-hot period and text of each item in one float32 row."""
    genre_IG = content["genre_IG"]
    share_IG = genre_IG / genre_IG.sum(1, keepdim=True).clamp(min=1)
    period_IY = F.one_hot(content["period_I"], NUM_PERIODS).float()
    return torch.cat([share_IG, period_IY, content["text_IT"]], 1)
