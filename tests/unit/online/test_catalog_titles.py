"""`marquee catalog load`: from files of any form to documents of `PUT /movies`."""

import datetime
import gzip
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from marquee.api.catalog.catalog_requests import MAX_MOVIES, MovieIn
from marquee.api.request_body import MAX_BODY_BYTES
from marquee.core.errors import InputError
from marquee.online.catalog_load import loader
from marquee.online.catalog_load.fields import CONVERTERS, MOVIE_ID, field_value
from marquee.online.catalog_load.title_file import FileTitle, TitleFile

Documents = list[dict[str, Any]]


def read(path: Path, **options: Any) -> list[FileTitle]:
    """The titles of a file."""
    options = {"renamed": {}} | options
    with duckdb.connect(config={"threads": 2}) as connection:
        return list(TitleFile(connection, [str(path)], path.parent / "scratch", **options))


def documents(folder: Path, content: str, name: str = "titles.csv", **options: Any) -> Documents:
    (folder / name).write_text(content)
    return [title.document for title in read(folder / name, **options)]


def test_fields_and_limits_are_those_of_the_service() -> None:
    assert {*CONVERTERS, MOVIE_ID} == set(MovieIn.model_fields)
    assert (loader.MAX_TITLES, loader.MAX_BODY_BYTES) == (MAX_MOVIES, MAX_BODY_BYTES)


@pytest.mark.parametrize(
    ("name", "cell", "expected"),
    [
        ("title", " Fast &amp; Furious ", "Fast & Furious"),
        ("title", "None", "None"),
        ("title", "", None),
        ("year", "1995.0", 1995),
        ("year", 1995.0, 1995),
        ("year", "1995-03-01", 1995),
        ("year", "soon", "soon"),
        ("year", float("nan"), None),
        ("genres", "Crime| Drama||Crime", ["Crime", "Drama"]),
        ("genres", ["Crime", None], ["Crime"]),
        ("genres", '["Crime", "Drama"]', ["Crime", "Drama"]),
        ("genres", [], []),
        ("countries", "NA", ["NA"]),
        ("parent_id", 7.0, 7),
        ("parent_id", "007", "007"),
        ("runtime_min", "95.5", 95.5),
        ("min_age", "16", 16),
        ("available_from", "2026-12-01", "2026-12-01T00:00:00+00:00"),
        ("available_from", "2026-12-01 10:00+02:00", "2026-12-01T10:00:00+02:00"),
        ("available_from", "next week", "next week"),
        ("vector", "0.5|1 2", [0.5, 1.0, 2.0]),
        ("titles", '{"de": "Hitze"}', {"de": "Hitze"}),
    ],
)
def test_cell_becomes_the_value_of_its_field(name: str, cell: Any, expected: Any) -> None:
    assert field_value(name, cell) == expected


def test_columns_of_a_csv_are_fields_and_attributes(tmp_path: Path) -> None:
    content = (
        "item,title,titles.de,genres,minutes,colour,cast,code,is_new\n"
        '0114508,"Heat, again",Hitze,Crime|Drama,95,,A,007,true\n'
        "a/b 🎬,Up,,,1.5,red,B|C,1,False\n"
    )
    assert documents(tmp_path, content, renamed={"movie_id": "item", "length": "minutes"}) == [
        {
            "movie_id": "0114508",
            "title": "Heat, again",
            "titles": {"de": "Hitze"},
            "genres": ["Crime", "Drama"],
            "attributes": {"length": 95, "cast": ["A"], "code": "007", "is_new": True},
        },
        {
            "movie_id": "a/b 🎬",
            "title": "Up",
            "attributes": {
                "length": 1.5, "colour": "red", "cast": ["B", "C"], "code": "1", "is_new": False,
            },
        },
    ]  # fmt: skip


def test_clear_empty_makes_empty_cells_null(tmp_path: Path) -> None:
    content = (
        "movie_id\ttitle\tyear\ttitles.de\ttitles.fr\tcolour\n1\tHeat\t\t\tFeu\t\n2\t\t\t\t\t\n"
    )
    assert documents(tmp_path, content, "titles.tsv", clears_empty=True) == [
        {
            "movie_id": "1",
            "title": "Heat",
            "year": None,
            "titles": {"fr": "Feu"},
            "attributes": {"colour": None},
        },
        {
            "movie_id": "2",
            "title": None,
            "year": None,
            "titles": None,
            "attributes": {"colour": None},
        },
    ]


def test_skipped_and_text_columns_are_as_told(tmp_path: Path) -> None:
    content = "movie_id,num_ratings,plot,code,mood\n1,40,long,7,a|b\n"
    assert documents(tmp_path, content, skipped=["plot"], texts=["code", "mood"]) == [
        {"movie_id": "1", "attributes": {"code": "7", "mood": "a|b"}}
    ]


def test_last_row_of_an_id_counts_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "titles.csv"
    rows = (f"{row % 50_000},row {row} {'x' * 30}" for row in range(60_000))
    path.write_text("\n".join(["movie_id,title", *rows, ""]))
    titles = read(path)
    assert [title.row for title in titles] == list(range(10_000, 60_000))
    assert titles[-1].document == {"movie_id": "9999", "title": f"row 59999 {'x' * 30}"}


def test_json_lines_are_documents_and_null_clears(tmp_path: Path) -> None:
    content = (
        '{"movie_id": 7, "year": null, "titles": {"de": "Hitze"}, "attributes": {"n": 1.5, "x": '
        '["a|b"]}, "crew": {"director": "Mann"}, "mood": "a|b", "available_until": null}\n'
        '{"movie_id": "007", "year": "1995", "genres": ["Crime"], "runtime_min": 95}\n'
    )
    assert documents(tmp_path, content, "titles.jsonl") == [
        {
            "movie_id": "7",
            "year": None,
            "titles": {"de": "Hitze"},
            "attributes": {"n": 1.5, "x": ["a|b"], "crew.director": "Mann", "mood": "a|b"},
            "available_until": None,
        },
        {"movie_id": "007", "year": 1995, "genres": ["Crime"], "runtime_min": 95},
    ]


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    times = [datetime.datetime(2026, 12, 1, 10), None]
    table = pa.table(
        {
            "movie_id": pa.array([7, 8], pa.int64()),
            "year": pa.array([1995.0, None], pa.float64()),
            "genres": [["Crime", "Drama"], None],
            "available_from": pa.array(times, pa.timestamp("us")),
            "crew": pa.array([{"director": "Mann"}, None]),
            "score": pa.array([3.3, float("nan")], pa.float32()),
            "code": ["5", "6"],
        }
    )
    pq.write_table(table, tmp_path / "titles.parquet")
    first, second = read(tmp_path / "titles.parquet")
    assert first.document == {
        "movie_id": "7",
        "year": 1995,
        "genres": ["Crime", "Drama"],
        "available_from": "2026-12-01T10:00:00+00:00",
        "attributes": {"crew.director": "Mann", "score": 3.3, "code": "5"},
    }
    assert second.document == {"movie_id": "8", "attributes": {"code": "6"}}


def test_packed_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "titles.csv.gz"
    path.write_bytes(gzip.compress(b"movie_id,title\n7,Heat\n"))
    assert [title.document for title in read(path)] == [{"movie_id": "7", "title": "Heat"}]


def test_row_without_an_id_has_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "titles.csv"
    path.write_text(f"movie_id,title\n,none\n{'x' * 129},long\n7,Heat\n")
    faults = [title.fault for title in read(path)]
    assert faults[0] == "no movie_id, expected one" and "129 characters" in str(faults[1])
    assert faults[2] is None


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("id,title\n1,x\n", {}, "name it with --column movie_id=COLUMN"),
        ("movie_id,title\n", {}, "no row, expected a title"),
        ("", {}, "empty, expected a header"),
        ('movie_id,title\n1,"x\n2,y\n', {}, "a quote that opens and is not closed"),
        ("movie_id,title\n1,x\n", {"skipped": ["plot"]}, "column 'plot': not there"),
        ("movie_id,title\n1,x\n", {"renamed": {"year": "y"}}, "column 'y': not there"),
    ],
)
def test_file_without_titles_is_refused(
    tmp_path: Path, content: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        documents(tmp_path, content, **options)


def test_ids_that_are_fractions_are_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"movie_id": [1.0, 2.0]}), tmp_path / "titles.parquet")
    with pytest.raises(InputError, match="a column of type DOUBLE"):
        read(tmp_path / "titles.parquet")
