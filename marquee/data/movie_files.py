"""Read the files about movies and the tags of users; turn titles and tags into word stems.

Genre names stay as the file writes them: ml-1m says "Children's", ml-25m "Children".
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from marquee.core.arrays import Bools, Int64
from marquee.core.errors import InputError
from marquee.core.movies import NO_GENRES, Movies
from marquee.core.titles import normalise_title, split_title
from marquee.data import text_lines
from marquee.data.layouts import TAG_FIELDS, Layout

_NUMBERS = ("userId", "movieId", "timestamp")
_TYPES = dict.fromkeys(TAG_FIELDS, pa.int64()) | {"tag": pa.string()}


@dataclass(frozen=True, eq=False)
class Tags:
    """N tags in file order; a user can give a movie several."""

    user_id: Int64  # (N,)
    movie_id: Int64  # (N,)
    tag: npt.NDArray[np.object_]  # (N,) str, as typed: "Highly quotable"; may be empty

    def __len__(self) -> int:
        return len(self.user_id)

    @classmethod
    def empty(cls) -> "Tags":
        ids = np.zeros(0, dtype=np.int64)
        return cls(ids, ids, np.zeros(0, dtype=object))

    def filter(self, mask_N: Bools) -> "Tags":
        return Tags(self.user_id[mask_N], self.movie_id[mask_N], self.tag[mask_N])


def read_movies(path: Path, layout: Layout) -> Movies:
    """Read all movies in file order; InputError names file, line, found and expected."""
    line_of: dict[int, int] = {}
    attributes = []
    names, delimiter, header = layout.movie_fields, layout.movie_delimiter, layout.header
    lines = text_lines.numbered_lines(path, names, delimiter, header=header, quoted=header)
    for line, fields in lines:
        where = f"{path} line {line}"
        if reason := text_lines.describe_bad_id("movie id", fields[0]):
            raise InputError(f"{where}: {reason}")
        movie_id = int(fields[0])
        if movie_id in line_of:
            raise InputError(
                f"{where}: movie {movie_id} again, first in line {line_of[movie_id]}, expected "
                "each movie once; delete one line"
            )
        title, year = split_title(fields[1])
        if not title:
            raise InputError(
                f"{where}: movie {movie_id} has no title, expected one; add it, or delete the line"
            )
        line_of[movie_id] = line
        attributes.append((title, year, _genres(fields, layout, where)))
    if not line_of:
        raise InputError(f"{path}: no movies, expected at least 1; download the data set again")
    titles, years, genres = map(list, zip(*attributes, strict=True))
    return Movies(np.array(list(line_of), dtype=np.int64), titles, years, genres)


def _genres(fields: list[str], layout: Layout, where: str) -> tuple[str, ...]:
    flags = fields[5:]
    if not flags:
        names = [name.strip() for name in fields[2].split("|")]
        return tuple(dict.fromkeys(name for name in names if name and name != NO_GENRES))
    if not set(flags) <= {"0", "1"}:
        raise InputError(f"{where}: genre flags {'|'.join(flags)[:60]!r}, expected 19 of 0 or 1")
    pairs = zip(layout.movie_fields[5:], flags, strict=True)
    return tuple(name for name, flag in pairs if flag == "1" and name != "unknown")


def read_tags(folder: Path, layout: Layout) -> Tags:
    """Read and check the tags of a data set folder; empty if it has no tags file.

    Raises InputError that names file, line, found and expected.
    """
    if layout.tags_file is None or not (folder / layout.tags_file).is_file():
        return Tags.empty()
    path = folder / layout.tags_file
    columns = text_lines.parse_columns(path, _TYPES)
    columns = columns or text_lines.parse_columns(path, _TYPES, encoding="latin-1")
    if columns is None:
        raise _find_bad_tag(path)
    user_id, movie_id, timestamp = (columns[name].to_numpy() for name in _NUMBERS)
    if not text_lines.are_clean(user_id, movie_id, timestamp):
        raise _find_bad_tag(path)
    # Each different tag is one string: the million tags of ml-25m are 73,000 strings.
    tag = columns["tag"].combine_chunks().dictionary_encode()
    words = np.array(tag.dictionary.to_pylist(), dtype=object)
    return Tags(user_id, movie_id, words[tag.indices.to_numpy()])


def _find_bad_tag(path: Path) -> InputError:
    form = text_lines.line_form(TAG_FIELDS)
    lines = text_lines.numbered_lines(path, TAG_FIELDS, header=True, quoted=True)
    for line, (user, movie, _, time) in lines:
        if reason := text_lines.describe_bad_number(user, movie, time):
            return InputError(f"{path} line {line}: {reason} ({form})")
    return InputError(f"{path}: another form, expected {form}; download the data set again")


def documents(movies: Movies, tags: Tags) -> list[list[str]]:
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
