"""Exports of other programs: what is silently wrong is refused or warned of, with the option."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from marquee.core.errors import InputError
from marquee.data.source_tables.database import without_password
from marquee.data.source_tables.dialect import dialect_of
from marquee.data.spec_file import read_spec
from tests.support.datasets import load_text, prepare_files, prepare_text, rows_of


def test_watched_share_seen_again_is_no_percent(tmp_path: Path) -> None:
    text = "u,i,w\n" + "".join(f"1,{item},0.5\n" for item in range(19)) + "1,19,1.7\n"
    histories = load_text(tmp_path, text, watched="w").histories
    assert histories.watched is not None
    np.testing.assert_array_equal(histories.watched, [0.5] * 19 + [1])
    shares = load_text(tmp_path, "u,i,w\n1,1,0.5\n1,2,573\n" + text[6:], watched="w").histories
    assert shares.watched is not None and shares.watched.max() == 1
    with pytest.raises(InputError, match=r"--watched: half of the values exceed 1, one in ten 76"):
        prepare_text(tmp_path, "u,i,w\n1,1,0.5\n1,2,95\n1,3,1\n1,4,0\n", watched="w")


def test_rating_with_decimal_comma_is_read(tmp_path: Path) -> None:
    dataset = load_text(tmp_path, "\ufeffu;i;r\r\n1;1;4,5\r\n1;2;0,5\r\n1;3;3\r\n", rating="r")
    assert [row[2] for row in rows_of(dataset)] == [4.5, 0.5, 3]


def test_kind_without_meaning_names_the_option(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"kind 'open', .*or give all kinds a meaning.*=ignore"):
        prepare_text(tmp_path, "u,i,k\n1,1,play\n1,2,open\n", kind="k", kinds={"play": "watch"})


def test_rows_all_bad_offer_no_share(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        prepare_text(tmp_path, "u,i,r\n1,1,good\n1,2,bad\n", rating="r")
    assert str(error.value).endswith("mend them, or give words a meaning with --kind and --kinds")


def test_row_without_item_says_no_item(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"line 3: no item, expected an id of 1 to 128"):
        prepare_text(tmp_path, "u,i\n1,1\n1,\n")


def test_ids_for_no_value_are_warned_of(tmp_path: Path) -> None:
    prepared = prepare_text(tmp_path, "u,i\nana,5\nNULL,6\n\\N,7\n")
    (warning,) = [text for text in prepared.warnings if "no value" in text]
    assert warning.startswith("user ids that programs write for no value: 'NULL', '\\\\N'")


def test_items_ids_written_otherwise_are_named(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("i,t\n10,Heat\n11,Ran\n")
    text = "u,i\nana,10.0\nana,11.0\n"
    prepared = prepare_text(tmp_path, text, items=(str(tmp_path / "items.csv"),), title="t")
    assert any("'10.0' and '10' are two ids" in warning for warning in prepared.warnings)


def test_quote_never_closed_is_named_before_rows_are_counted(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"plays.csv line 2: a quote that opens and is not"):
        prepare_text(tmp_path, 'u,i\n5,"x\n6,y\n7,z\n')


@pytest.mark.parametrize("value", ['{"$oid": "507f1f77bcf86cd799439011"}', "[5]"])
def test_ids_that_are_json_objects_are_refused(tmp_path: Path, value: str) -> None:
    path = tmp_path / "plays.jsonl"
    path.write_text(f'{{"u": {value}, "i": 5}}\n')
    with pytest.raises(InputError, match="--user: a column of type JSON, expected text"):
        prepare_files(tmp_path, interactions=(str(path),))


def test_ids_of_binary_parquet_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "plays.parquet"
    pq.write_table(pa.table({"u": pa.array([b"\xff\xfe"], pa.binary()), "i": ["a"]}), path)
    with pytest.raises(InputError, match="expected text in UTF-8; write binary columns as text"):
        prepare_files(tmp_path, interactions=(str(path),))


def test_header_over_a_header_is_refused() -> None:
    header = ("user", "item")
    with pytest.raises(InputError, match=r"line 1: 'u,i', expected a row .*leave --header out"):
        dialect_of("u,i\n1,2\n3,4\n", separator=None, header=header, subject="plays.csv")
    for rows in ("a,1\n2,3\n4,5\n", "u,i\nv,j\nw,k\n", "ana,x\n1,2\n"):
        assert not dialect_of(rows, separator=None, header=header, subject="a").has_header


def test_tabs_are_found_between_stray_quotes() -> None:
    lines = ["id\ttitle\tyear", '1\t"Rome" at night\t1896', '2\tHe said "no\t1892', '3\t"Un\t1990']
    dialect = dialect_of("\n".join(lines), separator=None, header=(), subject="titles.tsv")
    assert (dialect.separator, dialect.quote) == ("\t", "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("user: u\nuser: v\n", r"no YAML \(key 'user' twice", id="key-twice"),
        pytest.param("interactions: [[a.csv]]\n", "expected one value or a list", id="nested"),
        pytest.param("", r"mine\.yaml: empty, expected `option: value` lines", id="empty"),
    ],
)
def test_read_spec_edited_wrongly_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(InputError, match=message):
        read_spec(tmp_path / "mine.yaml")


def test_address_that_cannot_be_read_repeats_no_password() -> None:
    with pytest.raises(InputError, match="its host cannot be read, expected") as error:
        without_password("postgresql://me:ge@heim@[::1/shop")
    assert "heim" not in str(error.value)


@pytest.mark.parametrize("address", ["https://x/a.csv", "file:///tmp/a.csv", "mysql://x/shop"])
def test_interactions_of_other_scheme_are_refused(tmp_path: Path, address: str) -> None:
    with pytest.raises(InputError, match=f"--interactions {address}: not reachable from here"):
        prepare_files(tmp_path, interactions=(address,))


def test_cache_that_cannot_be_made_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DATA_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(InputError, match=r"file/cache: cannot be written .*point DATA_CACHE"):
        prepare_text(tmp_path, "u,i\n1,2\n")


@pytest.mark.parametrize(
    ("text", "noun", "warning"),
    [
        pytest.param("u,i\n1.2346E+17,5\n", "user", "rounded: '1.2346E+17', exp", id="excel"),
        pytest.param("u,i\n1,N5 N6\n2,N7 N8 N9\n", "item", "like lists: 'N5 N6', ", id="spaces"),
        pytest.param('u,i\n1,"[5, 6]"\n2,[7]\n', "item", "like lists: '[5, 6]', ", id="brackets"),
    ],
)
def test_ids_that_are_several_are_warned_of(
    tmp_path: Path, text: str, noun: str, warning: str
) -> None:
    warnings = prepare_text(tmp_path, text).warnings
    assert any(f"{noun} ids that " in line and warning in line for line in warnings)


@pytest.mark.parametrize("item", ["Dota 2", "12|34", "2024-01-05"])
def test_ids_of_several_words_are_no_lists(tmp_path: Path, item: str) -> None:
    prepared = prepare_text(tmp_path, f"u,i\n1,{item}\n2,The Witcher 3\n3,Portal\n")
    assert not any("lists" in line for line in prepared.warnings)


def test_broken_rows_of_items_are_warned_of(tmp_path: Path) -> None:
    ids = [*map(str, range(10)), "1997-08-20"]
    (tmp_path / "items.csv").write_text("i,t\n" + "".join(f"{item},A {item}\n" for item in ids))
    prepared = prepare_text(tmp_path, "u,i\n1,5\n", items=(str(tmp_path / "items.csv"),), title="t")
    assert any("are no integers, as all with" in line for line in prepared.warnings)


def test_lowest_rating_given_most_may_be_none(tmp_path: Path) -> None:
    text = "u,i,r\n" + "".join(f"1,{item},{max(item - 4, 0)}\n" for item in range(10))
    prepared = prepare_text(tmp_path, text, rating="r")
    (warning,) = [line for line in prepared.warnings if line.startswith("rating: ")]
    assert (
        warning.startswith("rating: 5 are 0, more than are 1") and "'0=watch,*=rating'" in warning
    )
    kinds = {"0": "watch", "*": "rating"}
    dataset = load_text(tmp_path, text, rating="r", kind="r", kinds=kinds)
    assert dataset.scale == (1, 2, 3, 4, 5)
    assert [row[2] for row in rows_of(dataset)[:6]] == [None] * 5 + [1]


def test_kinds_star_is_all_others(tmp_path: Path) -> None:
    text = "u,i,k\n1,10,TRAILER\n1,11,\n1,12,film\n"
    dataset = load_text(tmp_path, text, kind="k", kinds={"TRAILER": "ignore", "*": "watch"})
    assert dataset.movies.movie_id.tolist() == [11, 12]


def test_first_line_of_a_separator_is_read(tmp_path: Path) -> None:
    text = "\ufeffsep=;\r\nu;i;r\r\n1;1;4,5\r\n1;2;0,5\r\n1;3;bad\r\n"
    with pytest.raises(InputError, match=r"plays.csv line 5: rating 'bad'"):
        prepare_text(tmp_path, text, rating="r")
    dataset = load_text(tmp_path, text, rating="r", max_rejected=0.5)
    assert [row[2] for row in rows_of(dataset)] == [4.5, 0.5]


def test_lines_between_rows_are_named(tmp_path: Path) -> None:
    text = "1:\n1,5,2005-09-06\n2,4,2005-09-07\n2:\n3,4,2005-09-07\n"
    with pytest.raises(InputError, match=r"line is '1:'; most others have them: delete lines that"):
        prepare_text(tmp_path, text, header=("u", "i", "t"))


@pytest.mark.parametrize(
    ("header", "options", "hint"),
    [
        pytest.param("Title,Date", {"user": "user"}, "is it the file of one person", id="person"),
        pytest.param("u," + ",".join("abcdefghklmnopqrs"), {}, "a column for each", id="matrix"),
        pytest.param("when,i", {"user": "item"}, "of when, i; is it the file", id="no-guess"),
    ],
)
def test_columns_of_other_files_are_explained(
    tmp_path: Path, header: str, options: dict[str, str], hint: str
) -> None:
    with pytest.raises(InputError, match=hint):
        prepare_text(tmp_path, f"{header}\nx{',5' * header.count(',')}\n", **options)


def test_first_line_of_times_looks_like_a_row(tmp_path: Path) -> None:
    row = "user_1,2009-05-04T23:08:57Z,f1b1cf71-bd35-4e99-8624-24a6e15f133a\n"
    with pytest.raises(InputError, match="the first line looks like a row"):
        prepare_text(tmp_path, row * 2)


def test_text_ids_of_parquet_stay_text_beside_a_csv(tmp_path: Path) -> None:
    pq.write_table(pa.table({"u": ["1", "2"], "i": [5, 6]}), tmp_path / "train.parquet")
    (tmp_path / "test.csv").write_text("u,i\n1,7\n")
    files = {"interactions": (str(tmp_path / "train.parquet"),)}
    prepared = prepare_files(tmp_path, **files, test_interactions=(str(tmp_path / "test.csv"),))
    assert "ids: users text, items int" in prepared.notes
    pq.write_table(pa.table({"u": [1.0, 2.0], "i": [5, 6]}), tmp_path / "train.parquet")
    with pytest.raises(InputError, match="--user: a column of type DOUBLE, expected text"):
        prepare_files(tmp_path, **files, test_interactions=(str(tmp_path / "test.csv"),))


def test_empty_part_file_of_parquet_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "plays").mkdir()
    (tmp_path / "plays" / "a.parquet").touch()
    pq.write_table(pa.table({"u": [1], "i": [5]}), tmp_path / "plays" / "b.parquet")
    prepared = prepare_files(tmp_path, interactions=(str(tmp_path / "plays"),))
    assert prepared.profile["interactions"] == 1


def test_genres_of_a_column_with_a_colon_are_read(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("i,genre:all\n5,War;Drama\n")
    items = (str(tmp_path / "items.csv"),)
    dataset = load_text(tmp_path, "u,i\n1,5\n", items=items, genres="genre:all")
    assert dataset.movies.genres == [("War", "Drama")]


def test_utf16_without_its_mark_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="UTF-16 stream does not start with BOM, expected text"):
        prepare_text(tmp_path, "u,i\n1,2\n", encoding="utf-16")


@pytest.mark.parametrize("name", ["rot13", "base64", "cp9999"])
def test_encoding_that_is_none_of_text_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=f"--encoding: '{name}' is unknown, expected a name"):
        prepare_text(tmp_path, "u,i\n1,2\n", encoding=name)


@pytest.mark.parametrize("quote", ['""', '\\"'])
def test_separator_is_found_in_rows_of_several_lines(quote: str) -> None:
    row = f'1;"A plot, with {quote}quotes{quote};\nin three\nlines, all in one";1995\n'
    dialect = dialect_of("id;plot;year\n" + row * 3, separator=None, header=(), subject="a.csv")
    assert (dialect.separator, dialect.header) == (";", ("id", "plot", "year"))
