"""Numbers as spreadsheets, people and programs write them: read right, or no number."""

import math
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from marquee.data.dataset import read_tables
from marquee.data.source_tables.number_text import number_sql
from tests.support.datasets import load_text, prepare_files


def _number(text: str) -> float | None:
    sql = f"SELECT {number_sql('x', 'VARCHAR')} FROM (SELECT $text AS x)"
    [(number,)] = duckdb.execute(sql, {"text": text}).fetchall()
    return None if number is None else float(number)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        pytest.param(" 4.5 ", 4.5, id="point"),
        pytest.param("4,5", 4.5, id="comma"),
        pytest.param("0,125", 0.125, id="comma-after-zero"),
        pytest.param("1.234,5", 1234.5, id="german"),
        pytest.param("1 234,5", 1234.5, id="french"),
        pytest.param("1,234.5", 1234.5, id="american"),
        pytest.param("1,500,000", 1.5e6, id="millions"),
        pytest.param("$1,500,000", 1.5e6, id="dollars"),
        pytest.param("-€5.50", -5.5, id="euros"),
        pytest.param("50%", 0.5, id="percent"),
        pytest.param("12,5 %", 0.125, id="percent-comma"),
        pytest.param("01:02:03", 3723, id="clock"),
        pytest.param("62:03", 3723, id="minutes-and-seconds"),
        pytest.param("59:30.5", 3570.5, id="fraction-of-a-second"),
        pytest.param("PT1H2M3.5S", 3723.5, id="iso"),
        pytest.param("P1DT2M", 86_520, id="iso-days"),
        pytest.param("1h 2m 3s", 3723, id="letters"),
        pytest.param("95 min", 5700, id="minutes"),
        pytest.param("1 hour 30 minutes", 5400, id="words"),
        pytest.param("1 day, 2:00:00", 93_600, id="python"),
        pytest.param("0 days 00:10:00", 600, id="pandas"),
    ],
)
def test_number_sql_every_form_is_the_number(text: str, number: float) -> None:
    assert _number(text) == pytest.approx(number, rel=1e-6)


@pytest.mark.parametrize("text", ["NA", "\\N", "NULL", "None", "N/A", "-", "", " "])
def test_number_sql_word_for_none_is_null(text: str) -> None:
    assert _number(text) is None


@pytest.mark.parametrize(
    "text", ["good", "1,234", "4/5", "1.5M", "12 cm", "2 Seasons", "5 stars", "2024-01-02", "%"]
)
def test_number_sql_other_text_is_nan(text: str) -> None:
    assert math.isnan(_number(text) or 0)


def test_watched_of_clocks_and_percent_are_shares(tmp_path: Path) -> None:
    text = "u,i,w,d\n1,10,00:45:00,PT1H30M\n1,11,30,1 min\n"
    watched = load_text(tmp_path, text, watched_seconds="w", duration="d").histories.watched
    assert watched is not None and watched.tolist() == [0.5, 0.5]
    watched = load_text(tmp_path, "u,i,w\n1,10,0.5%\n1,11,95%\n", watched="w").histories.watched
    assert watched is not None and watched.tolist() == pytest.approx([0.005, 0.95])


def test_watched_of_typed_times_is_a_share(tmp_path: Path) -> None:
    path = tmp_path / "plays.parquet"
    times = {name: pa.array([ms], pa.time32("ms")) for name, ms in (("w", 90_000), ("d", 120_000))}
    pq.write_table(pa.table({"u": [1], "i": [5], **times}), path)
    prepared = prepare_files(tmp_path, interactions=(str(path),), watched_seconds="w", duration="d")
    watched = read_tables("mine", prepared.folder).histories.watched
    assert watched is not None and watched.tolist() == [0.75]


def test_feature_of_numbers_in_any_form_is_read(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("i;price;length\n5;$1,500.50;95 min\n6;NA;soon\n")
    dataset = load_text(
        tmp_path, "u,i\n1,5\n1,6\n", items=(str(tmp_path / "items.csv"),),
        features=("price=price:number", "length=length:number"),
    )  # fmt: skip
    price, length = (feature.values.tolist() for feature in dataset.item_features)
    assert price[0] == 1500.5 and length[0] == 5700
    assert math.isnan(price[1]) and math.isnan(length[1])
