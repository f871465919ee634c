"""CSV files as programs write them: encodings, separators, line ends, quotes."""

import codecs
from collections.abc import Sequence

import pytest

from app_pages.csv_table import MAX_LINES, read_table

TEXT = "name,rating\nAmélie,4\nŁódź,3\n"


def is_known(columns: Sequence[str]) -> bool:
    return {"name", "rating"} <= set(columns)


def names(file: bytes) -> list[str]:
    return [line.cells["name"] for line in read_table(file, is_known)]


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        pytest.param("utf-8", b"", id="utf-8"),
        pytest.param("utf-8", codecs.BOM_UTF8, id="utf-8-mark"),
        pytest.param("utf-16-le", codecs.BOM_UTF16_LE, id="utf-16-le-mark"),
        pytest.param("utf-16-be", codecs.BOM_UTF16_BE, id="utf-16-be-mark"),
        pytest.param("utf-16-le", b"", id="utf-16-le"),
        pytest.param("utf-16-be", b"", id="utf-16-be"),
        pytest.param("utf-32-le", codecs.BOM_UTF32_LE, id="utf-32-le-mark"),
    ],
)
def test_table_of_any_unicode_is_read(encoding: str, mark: bytes) -> None:
    assert names(mark + TEXT.encode(encoding)) == ["Amélie", "Łódź"]


def test_table_of_windows_letters_is_read_by_line() -> None:
    file = "name,rating\nAmélie,4\n".encode("cp1252") + "Łódź,3\nUp,4\n".encode()
    assert names(file) == ["Amélie", "Łódź", "Up"]
    assert names(b"name,rating\n\x81,4\nUp,4\n") == ["\ufffd", "Up"]  # no letter of Windows'


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_table_separator_and_line_end_are_found(separator: str, end: str) -> None:
    rows = ["", " Name , RATING", "", "Heat,4", '"Up, again",3', '"Two""s', 'lines",2', "Go,1"]
    file = end.join(row.replace(",", separator, 1) for row in rows)
    file = file.replace(f'"Up{separator} again",', f'"Up, again"{separator}')
    lines = read_table(file.encode(), is_known)
    cells = [(line.number, line.cells["name"], line.cells["rating"]) for line in lines]
    assert cells == [
        (4, "Heat", "4"),
        (5, "Up, again", "3"),
        (6, 'Two"s\nlines', "2"),
        (8, "Go", "1"),
    ]


@pytest.mark.parametrize(
    "row",
    [
        pytest.param('"Heat,4', id="never-closed"),
        pytest.param('Heat,"4', id="never-closed-last-cell"),
        pytest.param('"He"at",4', id="in-a-cell"),
        pytest.param("Heat,4,5", id="more-cells"),
        pytest.param("x" * 140_000 + ",4", id="long-cell"),
        pytest.param('"' + "x\n" * 150_000 + '",4', id="long-quoted-cell"),
    ],
)
@pytest.mark.parametrize("after", ['"Up, again",3', "Up,3", '"",3', '"Up"'])
def test_table_unreadable_row_spoils_no_later_one(row: str, after: str) -> None:
    if row.count("\n") > 1:
        row = row[:150_000].replace("\n", "")
    first, bad, last = read_table(f"name,rating\nGo,1\n{row}\n{after}\n".encode(), is_known)
    assert (first.cells["name"], first.fault, bad.number, bad.cells) == ("Go", "", 3, {})
    assert bad.fault and last.number == 4 and last.fault == "" and last.cells["name"] in after


def test_table_cells_that_are_absent_are_empty() -> None:
    (line,) = read_table(b"name,year,rating\nHeat\n", is_known)
    assert line.cells == {"name": "Heat", "year": "", "rating": ""}
    (line,) = read_table(b"name,rating\nHeat,4,,\n", is_known)
    assert line.cells == {"name": "Heat", "rating": "4"}


def test_table_nul_stays_in_its_cell() -> None:
    assert names(b"name,rating\nHe\0at,4\nUp,3\n") == ["He\0at", "Up"]


@pytest.mark.parametrize(
    ("file", "message"),
    [
        pytest.param(b"", "the file is empty", id="empty"),
        pytest.param(b" \n\r\n", "the file is empty", id="blank"),
        pytest.param(b"a,b\n", "the first line is a, b$", id="other-columns"),
        pytest.param(b"\x89PNG\r\n\x1a\n\0", "the first line is .PNG$", id="picture"),
        pytest.param(b"x" * 200_000, f"the first line is {'x' * 80}$", id="one-long-line"),
        pytest.param(b"name,rating\n" * (MAX_LINES + 1), "100,001 lines, expected at", id="long"),
    ],
)
def test_table_without_known_columns_is_refused(file: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_table(file, is_known)
