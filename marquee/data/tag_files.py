"""Read tags.csv: the words that users give to movies. ml-1m and ml-100k have no tags.

pyarrow parses, then ids and times are checked. A file that fails is read a second time, slowly, to
name the line. The 3,683 tags of ml-latest-small take 10 ms, a million (ml-25m) 0.5 s.
"""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import csv

from marquee.core.arrays import Int64
from marquee.core.columns import MAX_TIMESTAMP
from marquee.core.errors import InputError
from marquee.data.bad_lines import MAX_FILE_ID
from marquee.data.layouts import TAG_FIELDS, Layout
from marquee.data.movie_files import decode, numbered_lines

_NUMBERS = ("userId", "movieId", "timestamp")
_TYPES = {name: pa.int64() for name in _NUMBERS} | {"tag": pa.string()}


@dataclass(frozen=True, eq=False)
class Tags:
    """N tags in file order; a user can give a movie several."""

    user_id: Int64
    """(N,)"""
    movie_id: Int64
    """(N,)"""
    tag: npt.NDArray[np.object_]
    """(N,) str, as typed: "Highly quotable"; may be empty."""
    timestamp: Int64
    """(N,) seconds since 1970, UTC."""

    def __len__(self) -> int:
        return len(self.user_id)

    @classmethod
    def empty(cls) -> "Tags":
        """Return no tags."""
        numbers = np.zeros(0, dtype=np.int64)
        return cls(numbers, numbers, np.zeros(0, dtype=object), numbers)


def read_tags(folder: Path, layout: Layout) -> Tags:
    """Read and check the tags of a data set folder; empty if it has no tags file.

    Raises InputError that names file, line, found and expected.
    """
    if layout.tags_file is None or not (folder / layout.tags_file).is_file():
        return Tags.empty()
    path = folder / layout.tags_file
    text = decode(path.read_bytes())
    tags = _parse(text)
    if tags is None or not _is_clean(tags):
        raise _find_bad_line(path, text)
    return tags


def _parse(text: str) -> Tags | None:
    """Parse the tags, numbers not yet checked; None if the text has another form."""
    header, _, body = text.partition("\n")
    if header.rstrip("\r") != ",".join(TAG_FIELDS):
        return None
    if not body.strip():
        return Tags.empty()
    try:
        table = csv.read_csv(
            io.BytesIO(body.encode()),
            csv.ReadOptions(column_names=TAG_FIELDS),
            csv.ParseOptions(newlines_in_values=True),
            csv.ConvertOptions(column_types=_TYPES, null_values=[""]),
        )
    except pa.ArrowInvalid:
        return None
    if any(table[name].null_count for name in _TYPES):
        return None
    user_id, movie_id, timestamp = (table[name].to_numpy() for name in _NUMBERS)
    # Each different tag is one string: the million tags of ml-25m are 73,000 strings.
    tag = table["tag"].combine_chunks().dictionary_encode()
    words = np.array(tag.dictionary.to_pylist(), dtype=object)
    return Tags(user_id, movie_id, words[tag.indices.to_numpy()], timestamp)


def _is_clean(tags: Tags) -> bool:
    limits = [
        (tags.user_id, 1, MAX_FILE_ID),
        (tags.movie_id, 1, MAX_FILE_ID),
        (tags.timestamp, 0, MAX_TIMESTAMP - 1),
    ]
    return all(bool(((low <= column) & (column <= high)).all()) for column, low, high in limits)


def _find_bad_line(path: Path, text: str) -> InputError:
    """Return the error that names the first bad line of a file that pyarrow refused."""
    expected = ",".join(TAG_FIELDS)
    for line, (user, movie, _, time) in numbered_lines(path, text, TAG_FIELDS, ",", header=True):
        where = f"{path} line {line}"
        for name, field in (("user id", user), ("movie id", movie)):
            if not (_is_digits(field) and 1 <= int(field) <= MAX_FILE_ID):
                return InputError(
                    f"{where}: {name} {field[:40]!r}, expected a whole number from 1 to "
                    f"{MAX_FILE_ID} ({expected})"
                )
        if not (_is_digits(time) and int(time) < MAX_TIMESTAMP):
            return InputError(
                f"{where}: timestamp {time[:40]!r}, expected whole seconds since 1970 ({expected})"
            )
    return InputError(f"{path}: another form, expected {expected}; download the data set again")


def _is_digits(field: str) -> bool:
    return field.isascii() and field.isdigit() and len(field) <= 18
