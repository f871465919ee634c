"""Items of any file: titles, years, genres, features; rows of one id; what looks wrong."""

from collections.abc import Iterator, Sequence
from typing import Any

import duckdb
import numpy as np
import pytest

from marquee.core.errors import InputError
from marquee.core.ids import as_ids
from marquee.data.attributes.item_tables import ItemTables, read_items
from marquee.data.spec import DatasetSpec
from tests.support.source_rows import source_of


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


class Reader:
    """Reads rows in memory as an items file."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection

    def __call__(
        self,
        columns: str,
        rows: Sequence[tuple[Any, ...]],
        ids: Sequence[int | str],
        *,
        is_text: bool = True,
        **options: Any,
    ) -> ItemTables:
        spec = DatasetSpec(
            interactions=("plays.csv",), user="user", item="id", items=("titles.csv",), **options
        )
        source = source_of(self.connection, columns, rows, is_text=is_text)
        return read_items(self.connection, spec, source, as_ids(ids))


@pytest.fixture
def read(connection: duckdb.DuckDBPyConnection) -> Reader:
    return Reader(connection)


def test_read_items_without_file_shows_ids(connection: duckdb.DuckDBPyConnection) -> None:
    spec = DatasetSpec(interactions=("plays.csv",), user="user", item="id")
    items = read_items(connection, spec, None, as_ids(["0114508", "Half-Life"]))
    assert items.movies.title == ["0114508", "Half-Life"]
    assert items.movies.year == [None, None] and items.movies.genres == [(), ()]
    assert items.num_items == 2
    assert items.movies.label(1) == "Half-Life"


def test_read_items_puts_items_with_interactions_first(read: Reader) -> None:
    rows = [("30", "C"), ("-1", "N"), ("9", "B"), ("10", "D")]
    items = read("id, title", rows, [9, 20, 30], title="title")
    assert items.movies.movie_id.tolist() == [9, 20, 30, -1, 10]
    assert items.movies.title == ["B", "20", "C", "N", "D"]
    assert items.num_items == 3
    assert items.notes == ("items with interactions that the items file lacks: 1 of 3 (20)",)


def test_read_items_text_ids_stay_as_written(read: Reader) -> None:
    rows = [("0114508", "A"), ("114508", "B"), ("né/?,", "C")]
    items = read("id, title", rows, ["0114508"], title="title")
    assert items.movies.movie_id.tolist() == ["0114508", "114508", "né/?,"]
    assert items.movies.title == ["A", "B", "C"]


def test_read_items_typed_ids_of_any_width(read: Reader) -> None:
    rows = [(2**63 - 1,), (-5,)]
    items = read("id BIGINT", rows, [-5], is_text=False)
    assert items.movies.movie_id.tolist() == [-5, 2**63 - 1]
    uuid = "0b7b1c3e-4d2f-4a55-9f0a-000000000001"
    assert read("id UUID", [(uuid,)], [uuid], is_text=False).movies.movie_id.tolist() == [uuid]


@pytest.mark.parametrize(
    ("bad_id", "reason"),
    [
        pytest.param(None, "no id, expected one", id="none"),
        pytest.param("", "no id, expected one", id="empty"),
        pytest.param("x1", "id 'x1', expected an integer as all others are", id="text"),
        pytest.param("07", "id '07', expected an integer", id="leading-zero"),
        pytest.param("7.0", "id '7.0', expected an integer", id="fraction"),
        pytest.param("9223372036854775808", "expected an integer", id="beyond-64-bits"),
    ],
)
def test_read_items_bad_id_is_rejected(read: Reader, bad_id: str | None, reason: str) -> None:
    items = read("id, title", [("7", "A"), (bad_id, "B")], [7], title="title")
    assert items.movies.movie_id.tolist() == [7]
    [reject] = items.rejects
    assert (reject.file, reject.line, reject.raw) == ("titles.csv", 2, f"{bad_id or ''},B")
    assert reason in reject.reason


def test_read_items_bad_text_id_is_rejected(read: Reader) -> None:
    items = read("id, title", [("a", "A"), ("b" * 129, "B")], ["a"], title="title")
    assert "id of 129 characters" in items.rejects[0].reason


def test_read_items_repeated_row_is_folded(read: Reader) -> None:
    rows = [("1", "Heat", "1995"), ("1", " Heat ", "1995"), ("1", "", None)]
    items = read("id, title, year", rows, [1], title="title", year="year")
    assert len(items.movies) == 1 and items.rejects == ()
    assert "rows that repeat an earlier item: 2, folded away" in items.notes


def test_read_items_contradicting_row_is_rejected(read: Reader) -> None:
    rows = [("1", "Heat", "1995"), ("2", "Up", "2009"), ("1", "Cold", "1995")]
    items = read("id, title, year", rows, [1], title="title", year="year")
    assert items.movies.title == ["Heat", "Up"]
    assert [(reject.line, reject.reason) for reject in items.rejects] == [
        (3, "id '1' again with title 'Cold', expected 'Heat' as before; line 1 has it first")
    ]


def test_read_items_long_format_joins_genres(read: Reader) -> None:
    rows = [("1", "Heat", "Drama"), ("1", "Heat", "Crime"), ("2", "", "Drama"), ("1", "", "Drama")]
    items = read("id, title, genre", rows, [1, 2], title="title", genres="genre")
    assert items.movies.genres == [("Drama", "Crime"), ("Drama",)]
    assert items.notes == (
        "genres: rows of the same item are joined, 1 rows beyond one each",
        "rows that repeat an earlier item: 1, folded away",
        "genres: one value in a cell",
    )


@pytest.mark.parametrize(
    ("genres", "cells"),
    [
        pytest.param("genres", ["Drama|War", "War", "nan"], id="bar"),
        pytest.param("genres", ["Drama, War", "War", ""], id="comma"),
        pytest.param("genres", ["Drama/War", "War", "N/A"], id="slash"),
        pytest.param("genres", ['["Drama", "War"]', '["War"]', "[]"], id="json"),
        pytest.param("genres:+", ["Drama+War", "War", "NULL"], id="told"),
        pytest.param("genres::", ["Drama:War", "War", "None"], id="told-colon"),
    ],
)
def test_read_items_genres_of_any_form(read: Reader, genres: str, cells: list[str]) -> None:
    rows = [(str(row), cell) for row, cell in enumerate(cells)]
    items = read("id, genres", rows, [0, 1, 2], genres=genres)
    assert items.movies.genres == [("Drama", "War"), ("War",), ()]


def test_read_items_typed_lists_and_objects(read: Reader) -> None:
    columns = "id BIGINT, genres VARCHAR[]"
    rows = [(1, ["Drama", "War"]), (2, None)]
    items = read(columns, rows, [1, 2], is_text=False, genres="genres")
    assert items.movies.genres == [("Drama", "War"), ()] and items.notes == ()
    columns = "id BIGINT, genres STRUCT(name VARCHAR)[]"
    rows = [(1, [{"name": "Drama"}])]
    items = read(columns, rows, [1], is_text=False, genres="genres")
    assert items.movies.genres == [("Drama",)]


def test_read_items_genre_flags_of_several_columns(read: Reader) -> None:
    rows = [("1", "1", "0", "1"), ("2", "0", "", "0"), ("3", "true", "1.0", "no")]
    items = read("id, Drama, Sci-Fi, War", rows, [1, 2, 3], genres="Drama|Sci-Fi|War")
    assert items.movies.genres == [("Drama", "War"), (), ("Drama", "Sci-Fi")]
    with pytest.raises(InputError, match="--genres: column 'War' holds 'x', expected 0 or 1"):
        read("id, Drama, War", [("1", "1", "x")], [1], genres="Drama|War")


def test_read_items_genres_not_separated_are_warned_of(read: Reader) -> None:
    rows = [(str(row), f"Genre {row} + Drama") for row in range(60)]
    items = read("id, kind", rows, list(range(60)), genres="kind")
    [warning] = items.warnings
    assert warning.startswith("genres: 60 names, 60 of them with one item ('Genre 0 + Drama')")
    assert "--genres 'kind:SEPARATOR'" in warning


def test_read_items_titles_that_are_years_stay(read: Reader) -> None:
    titles = ["(1962-1966)", "1984", "2012", "2012 (2009)", "(500) Days", "Tokyo (2222)"]
    rows = [(str(row), title) for row, title in enumerate(titles)]
    movies = read("id, title", rows, list(range(6)), title="title").movies
    assert movies.title == ["(1962-1966)", "1984", "2012", "2012", "(500) Days", "Tokyo (2222)"]
    assert movies.year == [None, None, None, 2009, None, None]


@pytest.mark.parametrize(
    ("title", "year", "label"),
    [
        pytest.param("Heat (1995)", "1995.0", "Heat (1995)", id="same-year"),
        pytest.param("Heat (1995)", "1996", "Heat (1995) (1996)", id="another-year"),
        pytest.param("Heat (1995)", "", "Heat (1995)", id="title-tells"),
        pytest.param("Matrix, The", "1999", "Matrix, The (1999)", id="as-written"),
        pytest.param("nan", "1999", "7 (1999)", id="no-title"),
    ],
)
def test_read_items_title_beside_a_year(read: Reader, title: str, year: str, label: str) -> None:
    rows = [("7", title, year)]
    assert read("id, title, year", rows, [7], title="title", year="year").movies.label(0) == label


def test_read_items_absurd_years_are_counted(read: Reader) -> None:
    rows = [("1", "1995.0"), ("2", "0"), ("3", "soon"), ("4", "")]
    items = read("id, year", rows, [1, 2, 3, 4], year="year")
    assert items.movies.year == [1995, None, None, None]
    assert items.notes == (
        "year: values taken as unknown: 2 ('0'), expected a year or a date from 1870 to 2100",
    )


def test_read_items_title_that_is_the_id_stays(read: Reader) -> None:
    movies = read("id", [("Heat (1995)",)], ["Heat (1995)", "X, The"], title="id").movies
    assert movies.title == ["Heat (1995)", "X, The"] and movies.year == [None, None]


def test_read_items_same_title_and_year_is_warned_of(read: Reader) -> None:
    rows = [("1", "Heat", "1995"), ("2", "HEAT ", "1995"), ("3", "Heat", "1986"), ("4", "", "1995")]
    items = read("id, title, year", [*rows, ("5", "", "1995")], [1], title="title", year="year")
    [warning] = items.warnings
    assert warning.startswith("titles under several ids: 1 ('Heat (1995)': 1, 2), expected one id")


def test_read_items_broken_titles_are_warned_of(read: Reader) -> None:
    rows = [("1", "Am\ufffdlie"), ("2", "AmÃ©lie"), ("3", "Amélie"), ("4", "Ненависть")]
    [warning] = read("id, title", rows, [1], title="title").warnings
    assert warning.startswith("titles in a wrong encoding: 2 ('Am\ufffdlie')")
    assert "--items-encoding" in warning


def test_read_items_ids_of_another_file_are_warned_of(read: Reader) -> None:
    [warning] = read("id, title", [("tt1", "A")], ["1", "2"], title="title").warnings
    assert "2 of 2 ('1', '2'); the file has 'tt1', expected the same ids" in warning
    assert "--item-id" in warning


def test_read_items_features_of_every_type(read: Reader) -> None:
    rows = [
        ("2", "fr", "Ann, Bob", "86.0", "A robber", "[1, 2]"),
        ("1", "nan", "", "12 cm", "NULL", ""),
    ]
    features = (
        "country=country:category",
        "cast=cast:categories:,",
        "runtime=runtime:number",
        "plot=plot:text",
        "embedding=embedding:vector",
    )
    columns = "id, country, cast, runtime, plot, embedding"
    items = read(columns, rows, [1, 2, 3], features=features)
    country, cast, runtime, plot, embedding = (feature.values for feature in items.features)
    assert [f.type for f in items.features] == [text.split(":")[1] for text in features]
    assert country.tolist() == [None, "fr", None]
    assert cast.tolist() == [(), ("Ann", "Bob"), ()]
    np.testing.assert_array_equal(runtime, np.array([np.nan, 86, np.nan], np.float32))
    assert plot.tolist() == [None, "A robber", None]
    np.testing.assert_array_equal(embedding, [[np.nan] * 2, [1, 2], [np.nan] * 2])
    assert embedding.dtype == runtime.dtype == np.float32
    assert "runtime: values taken as unknown: 1 ('12 cm'), expected a number" in items.notes


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("1 2 3", "titles.csv line 2: v of 3 numbers, expected 2 as in titles.csv line 1"),
        ("1 x", "titles.csv line 2: v '1 x', expected a list of numbers"),
        ("1 nan", "titles.csv line 2: v '1 nan', expected a list of numbers"),
        ("[]", "titles.csv line 2: v '[]', expected a list of numbers"),
    ],
)
def test_read_items_bad_vector_is_refused(read: Reader, cell: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        read("id, v", [("1", "1 2"), ("2", cell)], [1], features=("v=v:vector",))
    assert str(error.value).startswith(message)


def test_read_items_typed_vectors(read: Reader) -> None:
    rows = [(1, [1.0, 2.0]), (2, None)]
    items = read("id BIGINT, v DOUBLE[]", rows, [1, 2], is_text=False, features=("v=v:vector",))
    np.testing.assert_array_equal(items.features[0].values, [[1, 2], [np.nan, np.nan]])
    with pytest.raises(InputError, match="expected a list of numbers"):
        read(
            "id BIGINT, v DOUBLE[]", [(1, [1, None])], [1], is_text=False, features=("v=v:vector",)
        )


def test_read_items_feature_without_a_value_is_warned_of(read: Reader) -> None:
    items = read("id, runtime", [("1", "long")], [1], features=("runtime=runtime:number",))
    assert items.warnings == (
        "runtime: no row has a value, expected some; is the column the right one?",
    )
