"""Text of items as numbers: titles, tags, and text features of a data set.

Text is TF-IDF of word stems, then a truncated SVD (latent semantic analysis: Deerwester et al.
1990). A movie's document is its title and every tag that counts. For a word w that occurs in it
`count` times, and in the documents of I_w of the I movies that are trained on:

    weight[w] = (1 + ln count) x (1 + ln((1 + I) / (1 + I_w)))       0 where I_w < 2
    text      = weight / |weight| @ V                                V: the T leading directions

A tag counts only where the tagger's rating of that movie is trained on; otherwise tags would reveal
held-out ratings. It may be younger than another user's test rating. The served form of the same
(marquee/core/word_vectors.py) leads from each word to its stem's column without a stemmer.
"""

import re
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from marquee.core.arrays import Bools, Float32
from marquee.core.eval_queries import spans
from marquee.core.ids import IdIndex
from marquee.core.movies import Movies
from marquee.core.titles import normalise_title
from marquee.core.word_vectors import WordVectors
from marquee.data.dataset import Dataset
from marquee.data.movielens.tags import Tags
from marquee.data.user_histories import UserHistories
from marquee.data.word_stems import stem_reader

TEXT_DIM = 64
MIN_ITEMS = 2  # a word in fewer items' documents relates no two items
MAX_WORDS = 50_000  # of a text feature: the most frequent ones
_WORD = re.compile(r"\w+")


def title_and_tags(dataset: Dataset, histories: UserHistories) -> tuple[Float32, WordVectors]:
    """Return text features, (I, T), from training interactions, and their words.

    Movies without a training interaction have a title alone, and weigh no word. Where all titles
    are ids, there is no text.
    """
    movies = dataset.movies
    is_trained_I = histories.item_counts(len(movies)) > 0
    return text_features(movies, counted_tags(dataset, histories), is_trained_I)


def counted_tags(dataset: Dataset, histories: UserHistories) -> Tags:
    """Return the tags whose user and movie are a training interaction."""
    tags, num_items = dataset.tags, len(dataset.movies)
    if not len(tags):
        return tags
    user_N, is_user_N = IdIndex(histories.user_id).rows(tags.user_id)
    item_N, is_item_N = IdIndex(dataset.movies.movie_id).rows(tags.movie_id)
    # All interactions of users with tags: no more of the others is read.
    tagger = np.unique(user_N[is_user_N])
    row, position = spans(histories.indptr[tagger], histories.length[tagger])
    trained_pair = tagger[row] * num_items + histories.item[position]
    is_trained_N = np.isin(user_N * num_items + item_N, trained_pair)
    return tags.filter(is_user_N & is_item_N & is_trained_N)


def text_features(
    movies: Movies, tags: Tags, is_trained_I: Bools, dim: int = TEXT_DIM
) -> tuple[Float32, WordVectors]:
    """Return the text of I movies, (I, T), and its words.

    A row's length, at most 1, is the share of its document that the T directions hold; normalised
    to 1, the rows of rare words are noise (docs/decisions/0009-text-keeps-its-length.md).
    """
    stems = stem_reader()
    ids = movies.movie_id.tolist()
    titles = [] if movies.title == [str(movie_id) for movie_id in ids] else movies.title
    documents = [list(stems(title)) for title in titles or [""] * len(movies)]
    row_of = {movie_id: row for row, movie_id in enumerate(ids)}
    for movie_id, tag in zip(tags.movie_id.tolist(), tags.tag, strict=True):
        documents[row_of[movie_id]] += stems(tag)
    return fit_words(documents, [*titles, *tags.tag], is_trained_I, dim)


def text_feature(
    texts: Sequence[str | None] | npt.NDArray[np.object_], num_items: int
) -> tuple[Float32, WordVectors]:
    """Return a text feature of a data set, (I, T), and its words.

    Words are weighed on the first `num_items` rows.
    """
    stems = stem_reader()
    known = [text or "" for text in texts]
    documents = [list(stems(text)) for text in known]
    return fit_words(documents, known, np.arange(len(known)) < num_items, TEXT_DIM, MAX_WORDS)


def fit_words(
    documents: Sequence[list[str]],
    texts: Iterable[str],
    is_trained_I: Bools,
    dim: int,
    max_words: int | None = None,
) -> tuple[Float32, WordVectors]:
    """Return the documents as (I, `dim`), and the words of `texts` in them."""
    from sklearn.decomposition import TruncatedSVD  # importing takes 1 to 2 s, once
    from sklearn.feature_extraction.text import TfidfVectorizer

    trained = [
        words for words, is_trained in zip(documents, is_trained_I, strict=True) if is_trained
    ]
    vectorizer = TfidfVectorizer(
        analyzer=list, sublinear_tf=True, min_df=MIN_ITEMS, max_features=max_words
    )
    try:
        tfidf = vectorizer.fit_transform(trained)
    except ValueError:  # no word occurs in two documents
        no_words = WordVectors(
            column_of={}, idf_V=np.zeros(0, np.float32), vector_VT=np.zeros((0, dim), np.float32)
        )
        return np.zeros((len(documents), dim), np.float32), no_words
    all_tfidf = vectorizer.transform(documents)
    if tfidf.shape[1] == 1:  # nothing to reduce, and TruncatedSVD refuses it
        text_IT, vector_VT = all_tfidf.toarray(), np.ones((1, 1))
    else:
        svd = TruncatedSVD(min(dim, *tfidf.shape), random_state=0).fit(tfidf)
        text_IT, vector_VT = svd.transform(all_tfidf), svd.components_.T
    words = WordVectors(
        column_of=word_columns(texts, vectorizer.vocabulary_),
        idf_V=np.asarray(vectorizer.idf_, np.float32),
        vector_VT=_padded(vector_VT, dim),
    )
    return _padded(text_IT, dim), words


def word_columns(texts: Iterable[str], vocabulary: dict[str, int]) -> dict[str, int]:
    """Return the column of each word of the texts whose stem has one."""
    stems = stem_reader()
    words = sorted({word for text in set(texts) for word in _WORD.findall(normalise_title(text))})
    stem_of = {word: stem for word in words for stem in stems(word)}
    return {word: int(vocabulary[stem]) for word, stem in stem_of.items() if stem in vocabulary}


def _padded(array: np.ndarray, dim: int) -> Float32:
    return np.pad(np.asarray(array, np.float32), ((0, 0), (0, dim - array.shape[1])))
