"""Items from files as people have them: encodings, quotes, JSON lines, Parquet, several files."""

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marquee.core.ids import as_ids
from marquee.data.attributes.item_tables import ItemTables, read_items
from marquee.data.attributes.rows import open_table
from marquee.data.spec import DatasetSpec


def read(folder: Path, *files: Path, ids: list[Any], **options: Any) -> ItemTables:
    spec = DatasetSpec(
        interactions=("plays.csv",),
        user="user",
        item="id",
        items=tuple(map(str, files)),
        title="title",
        **options,
    )
    with duckdb.connect() as connection:
        source = open_table(connection, spec, "items", folder / "scratch")
        return read_items(connection, spec, source, as_ids(ids))


def test_read_items_backslash_quotes(tmp_path: Path) -> None:
    path = tmp_path / "titles.csv"
    path.write_text(
        'id,title,genres\n1,"The \\"Great\\" Escape","Drama, War"\n2,"Up, \\"Up\\"",Comedy\n'
        '3,"Two\nlines",Drama\n'
    )
    items = read(tmp_path, path, ids=[1], genres="genres")
    assert items.movies.title == ['The "Great" Escape', 'Up, "Up"', "Two\nlines"]
    assert items.movies.genres[0] == ("Drama", "War")


def test_read_items_backslashes_in_titles_stay(tmp_path: Path) -> None:
    path = tmp_path / "titles.csv"
    path.write_text("id,title\n1,Face\\Off\n2,\\N\n")
    items = read(tmp_path, path, ids=[1])
    assert items.movies.title == ["Face\\Off", "2"]


@pytest.mark.parametrize("encoding", ["cp1252", "gb18030", "koi8-r", "utf-16", "utf-8-sig"])
def test_read_items_told_encoding(tmp_path: Path, encoding: str) -> None:
    title = {"gb18030": "霸王别姬", "koi8-r": "Солярис"}.get(encoding, "Amélie")
    path = tmp_path / "titles.csv"
    path.write_bytes(f"id,title\n1,{title}\n".encode(encoding))
    items = read(tmp_path, path, ids=[1], items_encoding=encoding)
    assert items.movies.title == [title]
    assert items.warnings == ()


def test_read_items_wrong_encoding_is_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "titles.csv"
    path.write_bytes("id,title\n1,Amélie\n".encode())
    items = read(tmp_path, path, ids=[1], items_encoding="latin-1")
    assert "titles in a wrong encoding: 1 ('AmÃ©lie')" in items.warnings[0]


def test_read_items_json_lines_keep_types(tmp_path: Path) -> None:
    path = tmp_path / "titles.jsonl"
    rows = [
        {"id": "007", "title": "Dr. No", "year": 1962, "genres": [{"id": 1, "name": "Action"}]},
        {"id": "8", "title": None, "year": None, "genres": []},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    items = read(tmp_path, path, ids=["007"], year="year", genres="genres")
    assert items.movies.movie_id.tolist() == ["007", "8"]
    assert items.movies.label(0) == "Dr. No (1962)" and items.movies.title[1] == "8"
    assert items.movies.genres == [("Action",), ()]


def test_read_items_parquet_of_pandas(tmp_path: Path) -> None:
    """A column of years or categories with a gap is floats there."""
    path = tmp_path / "titles.parquet"
    duckdb.sql(
        "SELECT * FROM (VALUES (1, 'Heat', 1995.0::DOUBLE, ['Drama', 'Crime'], 5.0::DOUBLE), "
        "(2, NULL, 'nan'::DOUBLE, NULL, NULL)) AS t(id, title, year, genres, shelf)"
    ).write_parquet(str(path))
    items = read(
        tmp_path, path, ids=[2], year="year", genres="genres", features=("shelf=shelf:category",)
    )
    assert items.movies.movie_id.tolist() == [2, 1]
    assert items.movies.title == ["2", "Heat"] and items.movies.year == [None, 1995]
    assert items.movies.genres == [(), ("Drama", "Crime")]
    assert items.features[0].values.tolist() == [None, "5"]


def test_read_items_bad_rows_name_file_and_line(tmp_path: Path) -> None:
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    first.write_text('id,title\n1,"Two\nlines"\n,None\n')
    second.write_text("id,title\n2,Up\n1,Down\n")
    items = read(tmp_path, first, second, ids=[1])
    assert [(reject.file, reject.line) for reject in items.rejects] == [
        (str(first), 4),
        (str(second), 3),
    ]
    assert "line 2 has it first" in items.rejects[1].reason


TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20)


@settings(max_examples=30, deadline=None)
@given(titles=st.dictionaries(TEXTS, TEXTS, min_size=1, max_size=8))
def test_read_items_any_text_is_kept(
    tmp_path_factory: pytest.TempPathFactory, titles: dict[str, str]
) -> None:
    folder = tmp_path_factory.mktemp("items")
    path = folder / "titles.jsonl"
    rows = [{"id": f"x{key}", "title": f"T {title}."} for key, title in titles.items()]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    items = read(folder, path, ids=[rows[0]["id"]])
    movies = dict(zip(items.movies.movie_id.tolist(), items.movies.title, strict=True))
    assert movies == {row["id"]: row["title"] for row in rows}
