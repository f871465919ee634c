"""Turn titles and tags into word stems, without stop words.

stem_reader()("The Running Men")     -> ["run", "men"]
"""

from collections.abc import Callable
from functools import cache

from marquee.core.movies import Movies
from marquee.core.titles import normalise_title
from marquee.data.movielens.tags import Tags


def documents(movies: Movies, tags: Tags) -> list[list[str]]:
    """Return the stems of each movie's title and tags."""
    stems = stem_reader()
    documents = [list(stems(title)) for title in movies.title]
    row_of = {movie_id: row for row, movie_id in enumerate(movies.movie_id.tolist())}
    for movie_id, tag in zip(tags.movie_id.tolist(), tags.tag, strict=True):
        if movie_id in row_of:
            documents[row_of[movie_id]] += stems(tag)
    return documents


def stem_reader() -> Callable[[str], list[str]]:
    """Return a cached function from a text to its word stems without stop words."""
    from nltk.stem.porter import PorterStemmer
    from nltk.tokenize import RegexpTokenizer
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    tokenizer = RegexpTokenizer(r"\w+")
    stem = cache(PorterStemmer().stem)

    @cache
    def read(text: str) -> list[str]:
        words = tokenizer.tokenize(normalise_title(text))
        return [stem(word) for word in words if word not in ENGLISH_STOP_WORDS]

    return read
