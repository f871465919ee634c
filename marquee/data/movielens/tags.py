"""Read the tags that users gave movies: tags.csv, or tags.dat of ml-10m."""

from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt

from marquee.core.arrays import Bools
from marquee.core.errors import InputError
from marquee.core.ids import Ids, IdType
from marquee.data.attributes.id_values import describe_bad_id, to_ids
from marquee.data.movielens.presets import file_encoding
from marquee.data.source_tables import SourceTable, open_source

COLUMNS = ("userId", "movieId", "tag", "timestamp")


@dataclass(frozen=True, eq=False)
class Tags:
    """N tags in file order; a user can give a movie several."""

    user_id: Ids  # (N,)
    movie_id: Ids  # (N,)
    tag: npt.NDArray[np.object_]  # (N,) str, as typed: "Highly quotable"; may be empty

    def __len__(self) -> int:
        return len(self.user_id)

    @classmethod
    def empty(cls) -> "Tags":
        ids = np.zeros(0, dtype=np.int64)
        return cls(ids, ids, np.zeros(0, dtype=object))

    def filter(self, mask_N: Bools) -> "Tags":
        return Tags(self.user_id[mask_N], self.movie_id[mask_N], self.tag[mask_N])


def open_tags(connection: duckdb.DuckDBPyConnection, path: Path, folder: Path) -> SourceTable:
    """Open a file of tags. folder: for scratch files. InputError for another header."""
    is_csv = path.suffix == ".csv"
    source = open_source(
        connection,
        (str(path),),
        separator="," if is_csv else "::",
        header=() if is_csv else COLUMNS,
        encoding=file_encoding(path),
        option="tags",
        folder=folder,
    )
    if tuple(source.columns) != COLUMNS:
        raise InputError(
            f"{path} line 1: the header is {','.join(source.columns)[:80]!r}, expected "
            f"{','.join(COLUMNS)!r}; is this the tags.csv of {path.parent.name}?"
        )
    return source


def read_tags(
    connection: duckdb.DuckDBPyConnection,
    source: SourceTable,
    *,
    user_type: IdType = "int",
    item_type: IdType = "int",
) -> Tags:
    """Read all tags; ids are of the types that the data set has.

    InputError names file, line, found and expected.
    """
    rows = connection.execute(
        f'SELECT "userId", "movieId", coalesce(tag, \'\') FROM {source.view}'
    ).fetchall()
    query = f"SELECT line, reason FROM ({source.rejects_sql()}) LIMIT 1"
    for line, reason in connection.execute(query).fetchall():
        raise InputError(f"{source.name} line {line}: {reason}; mend the line")
    for row, (user, movie, _) in enumerate(rows):
        reason = describe_bad_id(user, user_type, "user id")
        if reason := reason or describe_bad_id(movie, item_type, "movie id"):
            [(file, line)] = source.locate([row])
            raise InputError(f"{file} line {line}: {reason}; mend the line")
    users, movies, tags = zip(*rows, strict=True) if rows else ((), (), ())
    words: dict[str, str] = {}  # each different tag is one string: 73,000 of ml-25m's million
    tag = np.array([words.setdefault(word, word) for word in tags], dtype=object)
    return Tags(to_ids(users, user_type), to_ids(movies, item_type), tag)
