"""The content of items as tensors: genres, release period, title and tags.

Text is TF-IDF of the word stems of title and tags, then a truncated SVD (latent semantic analysis:
Deerwester et al. 1990). A movie's document is its title and every tag that counts. For a word w
that occurs in it `count` times, and in the documents of I_w of the I movies that are trained on:

    weight[w] = (1 + ln count) x (1 + ln((1 + I) / (1 + I_w)))       0 where I_w < 2
    text      = weight / |weight| @ V                                V: the T leading directions

A tag counts only where the tagger's rating of that movie is trained on; otherwise tags would reveal
held-out ratings. It may be younger than another user's test rating.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from marquee.core.arrays import Float32, Int64
from marquee.core.eval_queries import spans
from marquee.core.movies import Movies
from marquee.data.dataset import Dataset
from marquee.data.movie_files import Tags, documents
from marquee.data.user_histories import UserHistories

PERIOD_YEARS = 5
FIRST_YEAR = 1900
NUM_PERIODS = 2 + (2030 - FIRST_YEAR) // PERIOD_YEARS
"""Row 0: year unknown; then five years a row, with years outside 1900 to 2034 at the ends."""
TEXT_DIM = 64
MIN_MOVIES = 2  # a word in fewer movies' documents relates no two movies


def genre_matrix(movies: Movies) -> Tensor:
    """Return multi-hot genres, float32 (I, G); one empty column if there are none."""
    genre_IG = torch.from_numpy(movies.genre_matrix())
    return genre_IG if genre_IG.shape[1] else torch.zeros(len(genre_IG), 1)


def release_periods(movies: Movies) -> Tensor:
    """Return the row of each movie's release period, int64 (I,)."""
    years = [FIRST_YEAR - PERIOD_YEARS if year is None else year for year in movies.year]
    row_I = 1 + (torch.tensor(years) - FIRST_YEAR).div(PERIOD_YEARS, rounding_mode="floor")
    is_known_I = torch.tensor([year is not None for year in movies.year])
    return torch.where(is_known_I, row_I.clamp(1, NUM_PERIODS - 1), 0)


def title_and_tags(dataset: Dataset, histories: UserHistories) -> Tensor:
    """Return the text features, float32 (I, T), that training ratings allow."""
    movies, tags = dataset.movies, dataset.tags
    # All ratings of users with tags, and each rated movie once: no more of the others is read.
    tagger = np.flatnonzero(np.isin(histories.user_id, tags.user_id))
    row, position = spans(histories.indptr[tagger], histories.length[tagger])
    rated = np.flatnonzero(histories.item_counts(len(movies)))
    user_id = np.concatenate([histories.user_id[tagger][row], np.full_like(rated, -1)])
    movie_id = movies.movie_id[np.concatenate([histories.item[position], rated])]
    text_IT = text_features(movies, tags, user_id, movie_id)
    return F.pad(torch.from_numpy(text_IT), (0, TEXT_DIM - text_IT.shape[1]))


def text_features(
    movies: Movies, tags: Tags, trained_user_id: Int64, trained_movie_id: Int64, dim: int = TEXT_DIM
) -> Float32:
    """Return the text of I movies as (I, T): T is `dim`, or less for few words.

    A row's length, at most 1, is the share of its document that the T directions hold; normalised
    to 1, the rows of rare words are noise (docs/decisions/0009-text-keeps-its-length.md).
    trained_user_id, trained_movie_id: (N,) ids of the training ratings. Words are weighed on their
    movies; others have a title alone.
    """
    from sklearn.decomposition import TruncatedSVD  # importing takes 1 to 2 s, once
    from sklearn.feature_extraction.text import TfidfVectorizer

    trained_pair = trained_user_id << 31 | trained_movie_id
    is_counted_N = np.isin(tags.user_id << 31 | tags.movie_id, trained_pair)
    texts = documents(movies, tags.filter(is_counted_N))
    is_trained_I = np.isin(movies.movie_id, trained_movie_id)
    trained = [words for words, is_trained in zip(texts, is_trained_I, strict=True) if is_trained]
    vectorizer = TfidfVectorizer(analyzer=list, sublinear_tf=True, min_df=MIN_MOVIES)
    try:
        tfidf = vectorizer.fit_transform(trained)
    except ValueError:  # no word occurs in two movies
        return np.zeros((len(movies), 1), dtype=np.float32)
    if tfidf.shape[1] == 1:  # nothing to reduce, and TruncatedSVD refuses it
        return np.asarray(vectorizer.transform(texts).toarray(), np.float32)
    svd = TruncatedSVD(min(dim, *tfidf.shape), random_state=0).fit(tfidf)
    return np.asarray(svd.transform(vectorizer.transform(texts)), np.float32)


def content_vectors(genre_IG: Tensor, period_I: Tensor, text_IT: Tensor) -> Tensor:
    """Return genre shares, one-hot period and text of each item in one float32 row."""
    share_IG = genre_IG / genre_IG.sum(1, keepdim=True).clamp(min=1)
    period_IY = F.one_hot(period_I, NUM_PERIODS).float()
    return torch.cat([share_IG, period_IY, text_IT], 1)
