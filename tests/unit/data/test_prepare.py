"""From rows of any form to columns: ids, ratings, watched shares, kinds, duplicates, rejects."""

import json
from pathlib import Path

import duckdb
import numpy as np
import pytest

from marquee.core.errors import InputError
from marquee.data.dataset import read_tables
from marquee.data.engine.times import SAMPLE_ROWS
from tests.support.datasets import load_text, prepare_files, prepare_text, rows_of


@pytest.mark.parametrize(
    ("ids", "id_type"),
    [
        pytest.param(["5", "4294967301", "-7"], "int", id="integers"),
        pytest.param(["9223372036854775807", "-9223372036854775808"], "int", id="64-bit"),
        pytest.param(["9223372036854775808", "5"], "text", id="beyond-64-bit"),
        pytest.param(["0114508", "114508"], "text", id="leading-zero"),
        pytest.param(["10", "10.9"], "text", id="fraction"),
        pytest.param(["3e9", "3000000000"], "text", id="exponent"),
        pytest.param(["-0", "0", "+1", "1", " 1"], "text", id="signs-and-spaces"),
        pytest.param(["NaN", "nan", "None", "0x10", "1_000"], "text", id="words"),
        pytest.param(["a,b", 'x"y', "ü", "日本", "\U0001f3ac"], "text", id="unicode"),
    ],
)
def test_ids_of_text_are_kept_exactly(tmp_path: Path, ids: list[str], id_type: str) -> None:
    quoted = ['"' + text.replace('"', '""') + '"' for text in ids]
    lines = [f"{text},{text}" for text in quoted]
    dataset = load_text(tmp_path, "\n".join(["u,i", *lines, ""]), separator=",")
    expected = sorted(map(int, ids)) if id_type == "int" else sorted(ids)
    assert dataset.histories.user_id.tolist() == expected
    assert dataset.movies.movie_id.tolist() == expected
    assert [row[0] for row in rows_of(dataset)] == [row[1] for row in rows_of(dataset)] == expected


@pytest.mark.parametrize("late", ["0114508", "1e2", "a", "9223372036854775808"])
def test_ids_a_late_text_makes_all_text(tmp_path: Path, late: str) -> None:
    lines = [f"{row},5" for row in range(SAMPLE_ROWS)]
    dataset = load_text(tmp_path, "\n".join(["u,i", *lines, f"{late},5", ""]), separator=",")
    assert dataset.histories.user_id.tolist() == sorted([*map(str, range(SAMPLE_ROWS)), late])
    assert dataset.movies.movie_id.tolist() == [5]


@pytest.mark.parametrize(
    ("sql_type", "values", "expected"),
    [
        pytest.param("BIGINT", "5, 4294967301", [5, 4294967301], id="bigint"),
        pytest.param("UTINYINT", "5, 250", [5, 250], id="utinyint"),
        pytest.param("UBIGINT", "5, 6", [5, 6], id="ubigint-small"),
        pytest.param(
            "UBIGINT", "5, 18446744073709551615", ["18446744073709551615", "5"], id="ubigint-large"
        ),
        pytest.param("DECIMAL(38,0)", "5, 6", ["5", "6"], id="decimal"),
        pytest.param("VARCHAR", "'5', '6'", ["5", "6"], id="varchar"),
        pytest.param(
            "UUID",
            "'00000000-0000-0000-0000-00000000000B', '00000000-0000-0000-0000-00000000000a'",
            ["00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000b"],
            id="uuid",
        ),
    ],
)
def test_ids_of_parquet_follow_the_type(
    tmp_path: Path, sql_type: str, values: str, expected: list[int | str]
) -> None:
    path = write_parquet(tmp_path, f"unnest([{values}]::{sql_type}[]) AS u, 1 AS i")
    prepared = prepare_files(tmp_path, interactions=(path,))
    assert read_tables("mine", prepared.folder).histories.user_id.tolist() == expected


@pytest.mark.parametrize("sql_type", ["DOUBLE", "FLOAT", "DECIMAL(9,2)", "DATE", "BOOLEAN"])
def test_ids_of_inexact_types_are_refused(tmp_path: Path, sql_type: str) -> None:
    value = "'2020-01-01'" if sql_type == "DATE" else "1"
    path = write_parquet(tmp_path, f"{value}::{sql_type} AS u, 1 AS i")
    with pytest.raises(InputError, match=r"--user: a column of type .*, expected text, whole"):
        prepare_files(tmp_path, interactions=(path,))


def write_parquet(folder: Path, columns: str) -> str:
    path = folder / "plays.parquet"
    duckdb.sql(f"COPY (SELECT {columns}) TO '{path}' (FORMAT parquet)")
    return str(path)


def test_item_ids_are_text_where_the_items_file_has_text(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("i,name\n1,One\n02,Two\n")
    options = {"items": (str(tmp_path / "items.csv"),), "title": "name"}
    dataset = load_text(tmp_path, "u,i\n7,1\n", **options)
    assert dataset.histories.user_id.tolist() == [7]
    assert dataset.movies.movie_id.tolist() == ["1", "02"]
    assert dataset.num_items == 1


@pytest.mark.parametrize("bad", ['""', "x" * 129])
def test_ids_that_are_empty_or_long_are_rejected(tmp_path: Path, bad: str) -> None:
    text = f"u,i\n5,1\n{bad},2\n6,1\n"
    with pytest.raises(
        InputError, match=r"mine: 1 of 3 rows .*plays.csv line 3: (no )?user.*an id of"
    ):
        prepare_text(tmp_path, text)
    prepared = prepare_text(tmp_path, text, max_rejected=0.4)
    assert prepared.profile["rejected"]["rows"] == 1
    assert prepared.profile["items"] == 1  # item 2 is in the bad row only


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        pytest.param(["0", "10", "7"], (0, 7, 10), id="few-of-ten"),
        pytest.param(["1", "2", "3", "5"], (1, 2, 3, 4, 5), id="gap-filled"),
        pytest.param(["1", "2", "10"], (1, 2, 10), id="sparse"),
        pytest.param(["0.5", "1", "2", "2.5", "3"], (0.5, 1, 1.5, 2, 2.5, 3), id="half-stars"),
        pytest.param(["0", "1"], (0, 1), id="thumbs"),
        pytest.param(["-1", "1"], (-1, 1), id="minus"),
        pytest.param(["4.1", "4.2"], (4.1, 4.2), id="tenths"),
        pytest.param(["5", "5"], (), id="one-value"),
    ],
)
def test_rating_scale_is_found(tmp_path: Path, values: list[str], scale: tuple[float, ...]) -> None:
    lines = [f"1,{item},{value}" for item, value in enumerate(values)]
    dataset = load_text(tmp_path, "\n".join(["u,i,r", *lines]), rating="r")
    assert dataset.scale == scale
    expected = [float(value) if scale else None for value in values]
    assert [row[2] and round(row[2], 3) for row in rows_of(dataset)] == expected


def test_rating_scale_of_many_values_is_rounded(tmp_path: Path) -> None:
    lines = [f"1,{item},{item / 37:.4f}" for item in range(371)]
    prepared = prepare_text(tmp_path, "\n".join(["u,i,r", *lines]), rating="r")
    dataset = read_tables("mine", prepared.folder)
    assert dataset.scale == tuple(number / 10 for number in range(101))
    assert np.isin(dataset.histories.rating, np.array(dataset.scale, np.float32)).all()
    assert "rating: more than 101 values, rounded to steps of 0.1" in prepared.notes


@pytest.mark.parametrize("bad", ["inf", "-inf", "NaN", "good", "4,500", "1e999"])
def test_rating_that_is_no_number_is_rejected(tmp_path: Path, bad: str) -> None:
    text = f'u,i,r\n1,1,4\n1,2,"{bad}"\n2,2,5\n'
    with pytest.raises(InputError, match=f"line 3: rating '{bad}', expected a finite number"):
        prepare_text(tmp_path, text, rating="r")


def test_rating_that_is_empty_is_a_play(tmp_path: Path) -> None:
    dataset = load_text(tmp_path, "u,i,r\n1,1,4\n1,2,\n2,2,5\n", rating="r")
    assert [row[2] for row in rows_of(dataset)] == [4, None, 5]


def test_duplicates_latest_time_counts(tmp_path: Path) -> None:
    text = "u,i,r,t\n1,10,5,1500000000\n1,10,0.5,1000000000\n1,11,2,1200000000\n"
    prepared = prepare_text(tmp_path, text, rating="r", time="t")
    assert rows_of(read_tables("mine", prepared.folder)) == [
        (1, 11, 2, 1200000000),
        (1, 10, 5, 1500000000),
    ]
    assert prepared.profile["duplicates"] == 1
    assert prepared.profile["interactions"] == 2


def test_duplicates_of_equal_time_later_row_counts(tmp_path: Path) -> None:
    dataset = load_text(tmp_path, "u,i,r\n1,10,5\n1,11,3\n1,10,1\n", rating="r")
    assert rows_of(dataset) == [(1, 11, 3, 0), (1, 10, 1, 0)]


def test_duplicates_of_plays_are_added_up(tmp_path: Path) -> None:
    text = "u,i,s,d\n1,10,30,60\n1,11,9,60\n1,10,15,60\n1,10,60,60\n1,12,,60\n"
    dataset = load_text(tmp_path, text, watched_seconds="s", duration="d")
    histories = dataset.histories
    assert histories.watched is not None
    assert histories.strength is not None
    assert [dataset.movies.movie_id[item] for item in histories.item] == [11, 10, 12]
    np.testing.assert_allclose(histories.watched, [0.15, 1, np.nan])
    assert histories.strength.tolist() == [1, 3, 1]


def test_repeats_keep_leaves_all_rows(tmp_path: Path) -> None:
    dataset = load_text(tmp_path, "u,i\n1,10\n1,11\n1,10\n", repeats="keep")
    assert [row[1] for row in rows_of(dataset)] == [10, 11, 10]


def test_watched_percent_is_recognised(tmp_path: Path) -> None:
    prepared = prepare_text(tmp_path, "u,i,w\n1,10,50\n1,11,100\n", watched="w")
    assert read_tables("mine", prepared.folder).histories.watched.tolist() == [0.5, 1]
    assert "watched: percent up to 100" in prepared.notes
    with pytest.raises(InputError, match=r"half of the values exceed 3\.62e\+03, .*--watched-s"):
        prepare_text(tmp_path, "u,i,w\n1,10,50\n1,11,7200\n", watched="w")


def test_kinds_become_plays_and_ratings(tmp_path: Path) -> None:
    text = "u,i,k\n1,10,play\n1,11,like\n1,12,dislike\n1,13,view\n2,10,like\n"
    kinds = {"play": "watch", "like": "like", "dislike": "dislike", "view": "ignore"}
    dataset = load_text(tmp_path, text, kind="k", kinds=kinds)
    assert dataset.scale == (0, 1)
    assert [row[:3] for row in rows_of(dataset)] == [
        (1, 10, None), (1, 11, 1), (1, 12, 0), (2, 10, 1),
    ]  # fmt: skip
    with pytest.raises(InputError, match=r"line 5: kind 'view', expected one that --kinds names"):
        prepare_text(tmp_path, text, kind="k", kinds=dict(list(kinds.items())[:3]))


def test_parts_are_numbered_jointly(tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text("u,i\n2,10\n3,12\n1,10\n")
    (tmp_path / "valid.csv").write_text("u,i\n1,13\n")
    files = {f"{part}_interactions": (str(tmp_path / f"{part}.csv"),) for part in ("valid", "test")}
    dataset = load_text(tmp_path, "u,i\n1,10\n2,11\n", **files)
    histories = dataset.histories
    assert histories.part is not None
    rows = zip(rows_of(dataset), histories.part, strict=True)
    assert [(*row[:2], part) for row, part in rows] == [
        (1, 10, 0), (1, 13, 1), (1, 10, 2), (2, 11, 0), (2, 10, 2), (3, 12, 2),
    ]  # fmt: skip


def test_rejects_are_written_with_file_line_and_reason(tmp_path: Path) -> None:
    text = "u,i,r\n1,1,4\n1,2,x\n2,2,5\n,2,5\n3,1\n2,3,1\n"
    prepared = prepare_text(tmp_path, text, rating="r", max_rejected=0.9)
    rows = duckdb.sql(f"FROM '{prepared.folder / 'rejected.parquet'}'").fetchall()
    assert [(Path(row[0]).name, row[1]) for row in rows] == [
        ("plays.csv", 3), ("plays.csv", 5), ("plays.csv", 6),
    ]  # fmt: skip
    assert rows[0][2] == "rating 'x', expected a finite number"
    assert json.loads(rows[0][3]) == {"user": "1", "item": "2", "rating": "x"}
    assert prepared.profile["rejected"]["rows"] == 3
    assert sum(prepared.profile["rejected"]["reasons"].values()) == 3


def test_profile_says_what_was_found(tmp_path: Path) -> None:
    profile = prepare_text(
        tmp_path, "u,i,r,t\n1,10,4,1500000000\na,11,2,1500000001\n", rating="r", time="t"
    ).profile
    assert len(profile.pop("sha256")) == 64
    assert profile == {
        "name": "mine", "interactions": 2, "users": 2, "items": 2, "items_without_interactions": 0,
        "rated": True, "watched": False,
        "time": {"first": "2017-07-14T02:40:00Z", "last": "2017-07-14T02:40:01Z",
                 "unit": "seconds since 1970"},
        "scale": [2.0, 4.0], "id_type": {"user": "text", "item": "int"}, "duplicates": 0,
        "rejected": {"rows": 0, "reasons": {}},
    }  # fmt: skip


def test_prepare_without_a_good_row_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        prepare_text(tmp_path, "u,i,r\n1,1,x\n", rating="r", max_rejected=0.9)
    with pytest.raises(InputError):
        prepare_text(tmp_path, "u,i,k\n1,1,x\n", kind="k", kinds={"x": "ignore"})
