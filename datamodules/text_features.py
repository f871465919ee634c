"""What a movie's title and tags say, as T numbers: TF-IDF of word stems, then a truncated SVD.

    text_features(movies, tags, trained_user_id, trained_movie_id)    # float32 (I, 128)

A movie's document is its title and every tag that counts. For a word w that stands in it `count`
times, and in the documents of I_w of the I movies that are trained on:

    weight[w] = (1 + ln count) x (1 + ln((1 + I) / (1 + I_w)))       0 where I_w < 2
    text      = weight / |weight| @ V                                V: the T leading directions

(latent semantic analysis: Deerwester et al. 1990). A tag counts only where the tagger's rating of
that movie is trained on, or tags would tell of ratings that are held out. What this does not
guarantee: a tag that counts may be younger than another person's test rating.

ml-1m takes 0.3 s, ml-25m with a million tags 12 s; importing scikit-learn and nltk 1 to 2 s, once.
"""

import numpy as np
import numpy.typing as npt

from marquee.core.movies import Movies
from marquee.data.tag_files import Tags
from marquee.data.text import documents

Ints = npt.NDArray[np.int64]
MIN_MOVIES = 2
"""A word that stands in fewer movies' documents joins no two movies."""


def text_features(
    movies: Movies,
    tags: Tags,
    trained_user_id: Ints,
    trained_movie_id: Ints,
    *,
    dim: int = 128,
    seed: int = 0,
) -> npt.NDArray[np.float32]:
    """Text of I movies -> float32 (I, T), each row of length at most 1, 0 where no word is known.

    The length of a row is the share of its document that the T directions hold; made 1 for all, the
    rows of rare words are noise (docs/decisions.md).
    trained_user_id, trained_movie_id: (N,) ids, as in the files, of the ratings that are trained
    on. A tag counts only where its person and movie are among them, and words are weighed on the
    movies among them; every other movie is described by its title alone.
    dim: T, or fewer where there are fewer words or movies (at least 1). seed: of the SVD's random
    start; the same seed gives the same numbers.
    """
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = documents(movies, _counting(tags, trained_user_id, trained_movie_id))
    is_trained_I = np.isin(movies.movie_id, trained_movie_id)
    trained = [words for words, is_trained in zip(texts, is_trained_I, strict=True) if is_trained]
    vectorizer = TfidfVectorizer(analyzer=list, sublinear_tf=True, min_df=MIN_MOVIES)
    try:
        tfidf = vectorizer.fit_transform(trained)
    except ValueError:  # no word stands in two movies
        return np.zeros((len(movies), 1), dtype=np.float32)
    if tfidf.shape[1] == 1:  # nothing to reduce, and TruncatedSVD refuses it
        return vectorizer.transform(texts).toarray().astype(np.float32)
    svd = TruncatedSVD(min(dim, *tfidf.shape), random_state=seed).fit(tfidf)
    return svd.transform(vectorizer.transform(texts)).astype(np.float32)


def _counting(tags: Tags, trained_user_id: Ints, trained_movie_id: Ints) -> Tags:
    """The tags whose person and movie are a rating that is trained on."""
    if len(tags) == 0 or len(trained_user_id) == 0:
        return Tags.none()
    pair = tags.user_id << 31 | tags.movie_id
    trained = np.sort(trained_user_id << 31 | trained_movie_id)
    place = np.minimum(np.searchsorted(trained, pair), len(trained) - 1)
    counts = trained[place] == pair
    columns = (tags.user_id, tags.movie_id, tags.tag, tags.timestamp)
    return Tags(*(column[counts] for column in columns))
