"""Text features of movies: TF-IDF of the word stems of title and tags, then a truncated SVD.

    text_features(movies, tags, trained_user_id, trained_movie_id)    # float32 (I, 128)

A movie's document is its title and every tag that counts. For a word w that occurs in it `count`
times, and in the documents of I_w of the I movies that are trained on:

    weight[w] = (1 + ln count) x (1 + ln((1 + I) / (1 + I_w)))       0 where I_w < 2
    text      = weight / |weight| @ V                                V: the T leading directions

(latent semantic analysis: Deerwester et al. 1990). A tag counts only where the tagger's rating of
that movie is trained on; otherwise tags would reveal held-out ratings. What this does not
guarantee: a tag that counts may be younger than another user's test rating.

ml-1m takes 0.3 s, ml-25m with a million tags 12 s; importing scikit-learn and nltk 1 to 2 s, once.
"""

import numpy as np

from marquee.core.arrays import Float32, Int64
from marquee.core.movies import Movies
from marquee.data.tag_files import Tags
from marquee.data.text import documents

MIN_MOVIES = 2
"""A word in fewer movies' documents relates no two movies."""


def text_features(
    movies: Movies,
    tags: Tags,
    trained_user_id: Int64,
    trained_movie_id: Int64,
    *,
    dim: int = 128,
    seed: int = 0,
) -> Float32:
    """Return the text of I movies as (I, T).

    Each row has a length of at most 1, and 0 without known words. The length of a row is the share
    of its document that the T directions hold; normalised to 1, the rows of rare words are noise
    (docs/decisions.md).
    trained_user_id, trained_movie_id: (N,) ids, as in the files, of the training ratings. A tag
    counts only where its user and movie are among them, and words are weighed on the movies among
    them; every other movie is described by its title alone.
    dim: T, or fewer if there are fewer words or movies (at least 1). seed: of the SVD's random
    start; the same seed gives the same numbers.
    """
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = documents(movies, _counted_tags(tags, trained_user_id, trained_movie_id))
    is_trained_I = np.isin(movies.movie_id, trained_movie_id)
    trained = [words for words, is_trained in zip(texts, is_trained_I, strict=True) if is_trained]
    vectorizer = TfidfVectorizer(analyzer=list, sublinear_tf=True, min_df=MIN_MOVIES)
    try:
        tfidf = vectorizer.fit_transform(trained)
    except ValueError:  # no word occurs in two movies
        return np.zeros((len(movies), 1), dtype=np.float32)
    if tfidf.shape[1] == 1:  # nothing to reduce, and TruncatedSVD refuses it
        return np.asarray(vectorizer.transform(texts).toarray(), np.float32)
    svd = TruncatedSVD(min(dim, *tfidf.shape), random_state=seed).fit(tfidf)
    return np.asarray(svd.transform(vectorizer.transform(texts)), np.float32)


def _counted_tags(tags: Tags, trained_user_id: Int64, trained_movie_id: Int64) -> Tags:
    """Return the tags whose user and movie are a training rating."""
    if len(tags) == 0 or len(trained_user_id) == 0:
        return Tags.empty()
    pair = tags.user_id << 31 | tags.movie_id
    trained = np.sort(trained_user_id << 31 | trained_movie_id)
    place = np.minimum(np.searchsorted(trained, pair), len(trained) - 1)
    mask_N = trained[place] == pair
    return Tags(
        tags.user_id[mask_N], tags.movie_id[mask_N], tags.tag[mask_N], tags.timestamp[mask_N]
    )
