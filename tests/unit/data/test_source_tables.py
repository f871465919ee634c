"""Sources as views: what the file says comes out, and what cannot be read is named."""

import bz2
import gzip
import hashlib
import json
import lzma
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from marquee.core.errors import InputError
from marquee.data.source_tables import SourceTable, open_source

Rows = list[tuple[Any, ...]]


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 2}) as connection:
        yield connection


class Reader:
    """Writes a file and reads it as a source."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
        self.connection, self.folder = connection, folder

    def open(self, content: bytes, name: str = "plays.csv", **options: Any) -> SourceTable:
        (self.folder / name).write_bytes(content)
        return self.open_path(self.folder / name, **options)

    def open_path(self, *paths: object, **options: Any) -> SourceTable:
        options = {"folder": self.folder / "scratch", **options}
        return open_source(self.connection, tuple(map(str, paths)), **options)

    def rows(self, source: SourceTable) -> Rows:
        return self.connection.sql(f"SELECT * FROM {source.view}").fetchall()

    def rejects(self, source: SourceTable) -> Rows:
        rows = self.connection.sql(source.rejects_sql()).fetchall()
        return [(line, reason) for _, line, reason, _ in rows]


@pytest.fixture
def reader(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> Reader:
    return Reader(connection, tmp_path)


@pytest.mark.parametrize(
    ("content", "separator"),
    [
        pytest.param(b"u,i,r\n1,02,5.0\n2,03,4\n", '","', id="comma"),
        pytest.param(b"u\ti\tr\n1\t02\t5.0\n2\t03\t4\n", "tab", id="tab"),
        pytest.param(b"u;i;r\r\n1;02;5.0\r\n2;03;4\r\n", '";"', id="semicolon-crlf"),
        pytest.param(b"u|i|r\n1|02|5.0\n2|03|4", '"|"', id="bar-without-last-end"),
        pytest.param(b"u::i::r\n1::02::5.0\n2::03::4\n", '"::"', id="colons"),
        pytest.param(b"u, i, r\n1, 02, 5.0\n2, 03, 4\n", '", "', id="comma-space"),
        pytest.param(b"u i r\n1 02 5.0\n2 03 4\n", "space", id="space"),
        pytest.param(b"u,i,r\n1,02,5.0\r\n2,03,4\n", '","', id="mixed-line-ends"),
        pytest.param(b"u,i,r\r1,02,5.0\r2,03,4\r", '","', id="old-mac"),
        pytest.param(b'"u","i","r"\n"1","02","5.0"\n"2","03","4"\n', '","', id="all-quoted"),
        pytest.param(b"u,i,r\n\n1,02,5.0\n\n2,03,4\n\n", '","', id="blank-lines"),
        pytest.param(b"\xef\xbb\xbfu,i,r\n1,02,5.0\n2,03,4\n", '","', id="mark"),
    ],
)
def test_open_source_separator_is_recognised(
    reader: Reader, content: bytes, separator: str
) -> None:
    source = reader.open(content)
    assert reader.rows(source) == [("1", "02", "5.0"), ("2", "03", "4")]
    assert list(source.columns) == ["u", "i", "r"]
    assert f"encoding utf-8, separator {separator}" in source.notes[0]


def test_open_source_text_stays_as_written(reader: Reader) -> None:
    source = reader.open(b"a,b,c,d\n007,1.0,2020-01-01,TRUE\n 5 ,NULL,\\N,\n")
    assert reader.rows(source) == [
        ("007", "1.0", "2020-01-01", "TRUE"),
        (" 5 ", "NULL", "\\N", None),
    ]
    assert set(source.columns.values()) == {"VARCHAR"}


@pytest.mark.parametrize(
    ("content", "titles"),
    [
        pytest.param(b'id,t\n1,"Heat, ""the"" film"\n2,"a\nb"\n', ['Heat, "the" film', "a\nb"],
                     id="doubled"),
        pytest.param(b'id,t\n1,"Heat, \\"the\\" film"\n2,"b, c"\n', ['Heat, "the" film', "b, c"],
                     id="backslash"),
        pytest.param(b'id\tt\n1\t"Rome" of old\n2\t12" vinyl\n', ['"Rome" of old', '12" vinyl'],
                     id="quotes-are-text"),
        pytest.param(b'id::t\n1::"Rome"\n2::12" vinyl\n', ['"Rome"', '12" vinyl'], id="colons"),
    ],
)  # fmt: skip
def test_open_source_quotes_are_recognised(
    reader: Reader, content: bytes, titles: list[str]
) -> None:
    assert [title for _, title in reader.rows(reader.open(content))] == titles


def test_open_source_bad_lines_are_rejects(reader: Reader) -> None:
    content = b'u,i,t\n1,2,x\n3,4\n5,6,"a"b\n7,8,y,z\n9,10,caf\xe9\n11,12,caf\xc3\xa9\n'
    source = reader.open(content)
    assert reader.rows(source) == [("1", "2", "x"), ("11", "12", "café")]
    assert reader.rows(source) == [
        ("1", "2", "x"),
        ("11", "12", "café"),
    ]  # read twice, counted once
    assert reader.rejects(source) == [
        (3, "too few fields"),
        (4, "text behind a closing quote"),
        (5, "too many fields"),
        (6, "bytes that are not UTF-8"),
    ]
    assert source.locate([0, 1]) == [(source.name, 2), (source.name, 7)]


def test_open_source_quote_never_closed_is_refused(reader: Reader) -> None:
    lines = [f"{number},x{number}" for number in range(1000)]
    lines[500] = '500,"open'
    lines[800] = '800,"closed"'
    source = reader.open("\n".join(["u,i", *lines]).encode())
    reader.rows(source)
    with pytest.raises(InputError, match=r"plays.csv line 502: a quote that opens"):
        source.finish()


def test_locate_counts_lines_as_an_editor(reader: Reader) -> None:
    source = reader.open(b'u,i\n1,"a\nb"\n\n2,c\n3\n4,"d\n\ne"\n5,f\n')
    assert [user for user, _ in reader.rows(source)] == ["1", "2", "4", "5"]
    assert [line for _, line in source.locate([0, 1, 2, 3])] == [2, 5, 7, 10]


def test_open_source_header_may_be_told(reader: Reader) -> None:
    header = ("u", "i", "r")
    source = reader.open(b"1::02::5\n2::03::4\n", header=header)
    assert reader.rows(source) == [("1", "02", "5"), ("2", "03", "4")]
    twice = reader.open(b"U,I,R\n1,02,5\n", "named.csv", header=header)
    assert reader.rows(twice) == [("1", "02", "5")]
    with pytest.raises(InputError, match=r"line 1: 2 fields, expected 3 \(--header u,i,r\)"):
        reader.open(b"1,2\n3,4\n", separator=",", header=header)


def test_open_source_repeated_columns_are_left_out(reader: Reader) -> None:
    source = reader.open(b"u,i,u,\n1,2,3,4\n")
    assert source.columns == {"i": "VARCHAR", "column3": "VARCHAR"}
    assert source.repeated == ("u",)
    assert reader.rows(source) == [("2", "4")]


def test_open_source_long_field_is_read(reader: Reader) -> None:
    text = "x" * 200_000
    assert reader.rows(reader.open(f"u,i\n1,{text}\n".encode())) == [("1", text)]


def test_open_source_header_alone_has_no_rows(reader: Reader) -> None:
    assert reader.rows(reader.open(b"u,i\n")) == []
    with pytest.raises(InputError, match="empty, expected a header and rows"):
        reader.open(b"")


FRENCH = ["Les Misérables", "Señor à l'été", "Das fünfte Element", "À bout de souffle", "Åsa Ærø",
          "Amélie", "L'âge d'or", "Como água", "Das weiße Band", "Le Procès", "Cría"]  # fmt: skip
RUSSIAN = ["Москва слезам не верит", "Ирония судьбы", "Солярис", "Зеркало", "Андрей Рублёв"]
CHINESE = ["霸王别姬", "活着", "大红灯笼高高挂", "卧虎藏龙", "让子弹飞", "无间道"]


@pytest.mark.parametrize(
    ("encoding", "titles"),
    [
        pytest.param("cp1252", FRENCH * 5, id="cp1252"),
        pytest.param("latin-1", FRENCH * 5, id="latin-1"),
        pytest.param("koi8-r", RUSSIAN, id="koi8-r"),
        pytest.param("cp1251", RUSSIAN, id="cp1251"),
        pytest.param("gb18030", CHINESE, id="gb18030"),
        pytest.param("utf-8", RUSSIAN + CHINESE, id="utf-8"),
        pytest.param("utf-8-sig", RUSSIAN, id="utf-8-mark"),
        pytest.param("utf-16", RUSSIAN + FRENCH, id="utf-16"),
        pytest.param("utf-16-le", FRENCH, id="utf-16-without-mark"),
    ],
)
def test_open_source_encoding_is_recognised_and_said(
    reader: Reader, encoding: str, titles: list[str]
) -> None:
    text = "id;title\n" + "".join(f"{row};{title}\n" for row, title in enumerate(titles))
    source = reader.open(text.encode(encoding))
    assert [title for _, title in reader.rows(source)] == titles
    name = {"latin-1": "cp1252", "utf-8-sig": "utf-8"}.get(encoding, encoding)
    assert f"encoding {name}," in source.notes[0]


def test_open_source_one_bad_byte_changes_no_other_line(reader: Reader) -> None:
    text = "id,title\n" + "".join(f"{row},{title}\n" for row, title in enumerate(RUSSIAN))
    source = reader.open(text.encode() + b"5,caf\xe9\n")
    assert [title for _, title in reader.rows(source)] == RUSSIAN
    assert reader.rejects(source) == [(7, "bytes that are not UTF-8")]
    replaced = reader.open(text.encode() + b"5,caf\xe9\n", encoding="utf-8:replace")
    assert reader.rows(replaced)[-1] == ("5", "caf\ufffd")


def test_open_source_ambiguous_letter_is_asked_for(reader: Reader) -> None:
    content = "id,title\n1,Heat\n2,Niño\n".encode("cp1252")
    with pytest.raises(InputError, match=r"byte 0xF1 is not UTF-8.*cp1252 reads.*--encoding NAME"):
        reader.open(content)
    source = reader.open(content, encoding="cp1252")
    assert reader.rows(source)[-1] == ("2", "Niño")
    assert "encoding cp1252 (told)" in source.notes[0]


def test_open_source_told_encoding_that_fails_names_the_line(reader: Reader) -> None:
    with pytest.raises(InputError, match=r"plays.csv line 3: byte 0x81 is not cp1252"):
        reader.open(b"id,title\n1,a\n2,\x81\n", encoding="cp1252")


@pytest.mark.parametrize("packed", ["gz", "zst", "bz2", "zip"])
def test_open_source_packed_file_is_read(reader: Reader, packed: str) -> None:
    content, path = b"u,i\n1,02\n", reader.folder / f"plays.csv.{packed}"
    if packed == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("plays.csv", content)
    elif packed == "zst":
        with pa.output_stream(str(path), compression="zstd") as stream:
            stream.write(content)
    else:
        path.write_bytes({"gz": gzip, "bz2": bz2}[packed].compress(content))  # type: ignore[attr-defined]
    assert reader.rows(reader.open_path(path)) == [("1", "02")]


def test_open_source_truncated_gzip_is_refused(reader: Reader) -> None:
    content = gzip.compress(b"u,i\n" + b"1,2\n" * 10_000)
    with pytest.raises(InputError, match=r"plays\.csv: cannot be unpacked"):
        reader.open(content[: len(content) // 2])


@pytest.mark.parametrize(
    ("start", "what"),
    [
        pytest.param(b"SQLite format 3\x00", "an SQLite database", id="sqlite"),
        pytest.param(b"ARROW1\x00\x00", "an Arrow file", id="arrow"),
        pytest.param(b"PAR1\x15\x04", "half a Parquet file", id="half-parquet"),
        pytest.param(b"<!DOCTYPE html>", "a web page", id="html"),
    ],
)
def test_open_source_other_form_is_refused(reader: Reader, start: bytes, what: str) -> None:
    with pytest.raises(InputError, match=f"{what}, expected CSV, JSON lines or Parquet"):
        reader.open(start)


def test_open_source_folder_and_glob_are_in_order(reader: Reader) -> None:
    folder = reader.folder / "plays"
    folder.mkdir()
    for number in (2, 0, 1):
        (folder / f"part-{number}.csv").write_text(f"u,i\n{number},x\n")
    (folder / "part-3.csv").write_bytes(b"")
    (folder / "_SUCCESS").write_bytes(b"")
    source = reader.open_path(folder)
    assert [user for user, _ in reader.rows(source)] == ["0", "1", "2"]
    assert source.locate([1]) == [(str(folder / "part-1.csv"), 2)]
    globbed = reader.open_path(folder / "part-[01].csv")
    assert [user for user, _ in reader.rows(globbed)] == ["0", "1"]
    with pytest.raises(InputError, match=r"part-0\.csv twice"):
        reader.open_path(folder / "part-0.csv", folder / "part-*.csv")


def test_open_source_files_need_the_same_columns(reader: Reader) -> None:
    (reader.folder / "b.csv").write_text("i,u\n2,1\n")
    reader.open(b"u,i\n1,2\n", "a.csv")
    source = reader.open_path(reader.folder / "a.csv", reader.folder / "b.csv")
    assert reader.rows(source) == [("1", "2"), ("1", "2")]
    (reader.folder / "c.csv").write_text("7,8\n9,10\n")
    with pytest.raises(InputError, match=r"c.csv: columns 7, 8, expected u, i as in"):
        reader.open_path(reader.folder / "a.csv", reader.folder / "c.csv")


def test_open_source_missing_file_names_the_closest(reader: Reader) -> None:
    (reader.folder / "plays.csv").write_text("u,i\n")
    with pytest.raises(InputError, match=r"no such file, expected one; is it .*plays\.csv\?"):
        reader.open_path(reader.folder / "play.csv")


def test_open_source_json_lines_keep_their_types(reader: Reader) -> None:
    lines = [
        '{"id": 9007199254740993, "s": "007", "f": 5, "n": {"a": "x"}, "g": ["D"], "d": "2020-01"}',
        '{"id": -5, "s": "8", "f": 2.5, "big": 12345678901234567890123, "mix": 1}',
        "{broken",
        '{"id": 7, "mix": "05", "u": "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"}',
        "5",
    ]
    source = reader.open("\n".join(lines).encode(), "plays.jsonl")
    assert source.columns == {
        "id": "BIGINT", "s": "VARCHAR", "f": "DOUBLE", "n": "JSON", "n.a": "VARCHAR",
        "g": "JSON", "d": "VARCHAR", "big": "VARCHAR", "mix": "VARCHAR", "u": "VARCHAR",
    }  # fmt: skip
    first, second, third = reader.rows(source)
    assert first[:7] == (9007199254740993, "007", 5.0, '{"a":"x"}', "x", '["D"]', "2020-01")
    assert second[7:9] == ("12345678901234567890123", "1")
    assert third[8:] == ("05", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11")
    assert reader.rejects(source) == [(3, "not a JSON object"), (5, "not a JSON object")]
    assert source.locate([2]) == [(source.name, 4)]


OBJECTS: list[dict[str, Any]] = [{"u": 1, "i": "02"}, {"u": 2, "i": "03"}]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(json.dumps(OBJECTS, indent=1), id="array"),
        pytest.param("\n".join(json.dumps(value, indent=1) for value in OBJECTS), id="indented"),
        pytest.param(json.dumps({"page": {"next": 2}, "data": OBJECTS}), id="wrapped"),
        pytest.param(json.dumps({"data": {"a/b": OBJECTS}}, indent=1), id="wrapped-twice"),
        pytest.param(json.dumps({"x": "y" * 3_000_000, "data": OBJECTS}), id="one-long-line"),
    ],
)
def test_open_source_whole_json_is_read(reader: Reader, content: str) -> None:
    source = reader.open(content.encode(), "plays.json")
    assert reader.rows(source) == [(1, "02"), (2, "03")]


def test_open_source_python_dicts_are_refused(reader: Reader) -> None:
    with pytest.raises(InputError, match=r"no JSON object, expected .*ast\.literal_eval"):
        reader.open(b"{'u': 1, 'i': '02'}\n", "plays.json")


@pytest.mark.parametrize("form", ["csv", "cp1252", "xz", "jsonl", "parquet"])
def test_open_source_folders_are_columns(reader: Reader, form: str) -> None:
    for number, folder in enumerate(("day=2026-01-01/i=9", "day=a%20b/i=9", ".")):
        path = reader.folder / "plays" / folder / f"part.{form}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if form == "parquet":
            pq.write_table(pa.table({"u": [number], "i": ["é"]}), path)
        elif form == "jsonl":
            path.write_text(json.dumps({"u": number, "i": "é"}))
        else:
            text = f"u,i\n{number},é\n".encode("cp1252" if form == "cp1252" else "utf-8")
            path.write_bytes(lzma.compress(text) if form == "xz" else text)
    encoding = "cp1252" if form == "cp1252" else None
    source = reader.open_path(reader.folder / "plays", encoding=encoding)
    assert source.columns["day"] == "VARCHAR"
    rows = reader.connection.sql(f"SELECT u::INTEGER, i, day FROM {source.view} ORDER BY u")
    assert rows.fetchall() == [(0, "é", "2026-01-01"), (1, "é", "a b"), (2, "é", None)]


def test_open_source_parquet_keeps_its_types(reader: Reader) -> None:
    table = pa.table({"u": pa.array([2**63], pa.uint64()), "i": ["02"], "s": [{"x": 1}],
                      "b": [b"text"], "t": pa.array([0], pa.timestamp("us", "UTC"))})  # fmt: skip
    pq.write_table(table, reader.folder / "plays.parquet")
    source = reader.open_path(reader.folder / "plays.parquet")
    assert source.columns == {
        "u": "UBIGINT", "i": "VARCHAR", "s": "STRUCT(x BIGINT)", "s.x": "BIGINT", "b": "VARCHAR",
        "t": "TIMESTAMP WITH TIME ZONE",
    }  # fmt: skip
    assert reader.rows(source)[0][:5] == (2**63, "02", {"x": 1}, 1, "text")
    assert not source.is_text


def test_finish_file_that_changed_is_refused(reader: Reader) -> None:
    source = reader.open(b"u,i\n1,2\n")
    (reader.folder / "plays.csv").write_bytes(b"u,i\n1,2\n3,4\n")
    with pytest.raises(InputError, match=re.escape("plays.csv: changed while it was read")):
        source.finish()


def test_finish_gives_size_and_sha256(reader: Reader) -> None:
    (file,) = reader.open(b"u,i\n1,2\n").finish()
    assert file.size == 8
    assert file.sha256 == hashlib.sha256(b"u,i\n1,2\n").hexdigest()
