"""Times in any common form: recognised, kept to their full precision, or refused."""

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from marquee.core.errors import InputError
from marquee.data.dataset import read_tables
from tests.support.datasets import prepare_files, prepare_text

SECOND = 1_500_000_000  # 2017-07-14T02:40:00Z
DAY = SECOND // 86_400 * 86_400


def text_of(times: list[str]) -> str:
    return "\n".join(["u,i,t", *(f'1,{item},"{time}"' for item, time in enumerate(times)), ""])


@pytest.mark.parametrize(
    ("times", "unit", "expected"),
    [
        pytest.param(["1500000000", "1500000001"], "seconds", [SECOND, SECOND + 1], id="seconds"),
        pytest.param(["1500000000.75", "1500000001"], "seconds", [SECOND, SECOND + 1], id="floats"),
        pytest.param(["1.5e9", "1500000001.0"], "seconds", [SECOND, SECOND + 1], id="exponents"),
        pytest.param([f"{SECOND}999", f"{SECOND + 1}000"], "milliseconds", [SECOND, SECOND + 1],
                     id="milliseconds"),
        pytest.param([f"{SECOND}999999"], "microseconds", [SECOND], id="microseconds"),
        pytest.param([f"{SECOND}999999999"], "nanoseconds", [SECOND], id="nanoseconds"),
        pytest.param(["17361", "17362"], "days", [DAY, DAY + 86_400], id="days"),
        pytest.param(["20170714", "20170715"], "dates such as", [DAY, DAY + 86_400], id="yyyymmdd"),
        pytest.param(["20170714024000", "20170714024001"], "dates such as", [SECOND, SECOND + 1],
                     id="yyyymmddhhmmss"),
        pytest.param(["42930.0", "42931.5"], "days since 1900", [DAY, DAY + 129_600],
                     id="spreadsheet"),
        pytest.param(["2017", "1999"], "years", [1483228800, 915148800], id="years"),
        pytest.param(["2017-07-14"], "dates", [DAY], id="date"),
        pytest.param(["2017/7/14"], "dates", [DAY], id="slashes"),
        pytest.param(["2017-07-14T02:40:00Z"], "dates", [SECOND], id="iso-z"),
        pytest.param(["2017-07-14T04:40:00+02:00"], "dates", [SECOND], id="iso-zone"),
        pytest.param(["2017-07-14 02:40"], "dates", [SECOND], id="minutes"),
        pytest.param(["20170714T024000Z"], "dates", [SECOND], id="iso-basic"),
        pytest.param(["1931-01-01"], "dates", [-1230768000], id="before-1970"),
    ],
)  # fmt: skip
def test_time_form_is_recognised(
    tmp_path: Path, times: list[str], unit: str, expected: list[int]
) -> None:
    prepared = prepare_text(tmp_path, text_of(times), time="t")
    assert prepared.profile["time"]["unit"].startswith(unit)
    assert any(note.startswith(f"time: {unit}") for note in prepared.notes)
    histories = read_tables("mine", prepared.folder).histories
    assert histories.timestamp.tolist() == sorted(expected)


@pytest.mark.parametrize(
    "times",
    [
        pytest.param(["1500000000.7", "1500000000.3"], id="floats"),
        pytest.param(["1500000000700", "1500000000300"], id="milliseconds"),
        pytest.param(["1500000000000000002", "1500000000000000001"], id="nanoseconds"),
        pytest.param(["2017-07-14T02:40:00.7Z", "2017-07-14T02:40:00.3Z"], id="iso"),
        pytest.param(
            ["2017-07-14T02:40:00.123456789Z", "2017-07-14T02:40:00.123456788Z"], id="iso-ns"
        ),
    ],
)
def test_time_below_a_second_decides_the_order(tmp_path: Path, times: list[str]) -> None:
    prepared = prepare_text(tmp_path, text_of(times), time="t")
    histories = read_tables("mine", prepared.folder).histories
    assert histories.item.tolist() == [1, 0]
    assert histories.timestamp.tolist() == [SECOND, SECOND]


@pytest.mark.parametrize(
    "sql",
    [
        pytest.param("TIMESTAMP '2017-07-14 02:40:00'", id="timestamp"),
        pytest.param("TIMESTAMPTZ '2017-07-14 04:40:00+02'", id="timestamptz"),
        pytest.param("TIMESTAMP_NS '2017-07-14 02:40:00.123456789'", id="timestamp-ns"),
        pytest.param("TIMESTAMP_MS '2017-07-14 02:40:00.5'", id="timestamp-ms"),
        pytest.param(f"{SECOND}.5::DOUBLE", id="double"),
        pytest.param(f"{SECOND}.5::DECIMAL(18,2)", id="decimal"),
        pytest.param(f"{SECOND}::UBIGINT", id="ubigint"),
    ],
)
def test_time_types_of_parquet_are_read(tmp_path: Path, sql: str) -> None:
    path = tmp_path / "plays.parquet"
    duckdb.sql(f"COPY (SELECT 1 AS u, 2 AS i, {sql} AS t) TO '{path}' (FORMAT parquet)")
    prepared = prepare_files(tmp_path, interactions=(str(path),), time="t")
    assert prepared.profile["time"]["first"] == "2017-07-14T02:40:00Z"


@pytest.mark.parametrize(
    "times",
    [
        pytest.param(["1", "900"], id="within-1970"),
        pytest.param(["25000000", "25000100"], id="minutes"),
        pytest.param(["1850-01-01", "1851-01-01"], id="before-1900"),
        pytest.param(["9000000000", "9000000001"], id="far-future"),
        pytest.param(["1500000000", "1500000000000"], id="mixed-units"),
        pytest.param(["20171399", "20170230"], id="no-dates"),
    ],
)
def test_time_that_is_absurd_is_refused(tmp_path: Path, times: list[str]) -> None:
    with pytest.raises(InputError, match=r"--time: column 't' holds .*expected seconds.*--ordered"):
        prepare_text(tmp_path, text_of(times), time="t")


@pytest.mark.parametrize("bad", ["", "yesterday", "1500000000000", "nan", "01/02/2015"])
def test_time_of_one_bad_row_is_rejected(tmp_path: Path, bad: str) -> None:
    with pytest.raises(InputError, match=r"plays.csv line 4: (no )?time.*unit of the others"):
        prepare_text(tmp_path, text_of(["1500000000", "1500000001", bad, "1500000002"]), time="t")


def test_time_is_left_out_where_there_is_none(tmp_path: Path) -> None:
    prepared = prepare_text(tmp_path, "u,i\n2,7\n1,9\n1,8\n", ordered=True)
    dataset = read_tables("mine", prepared.folder)
    assert prepared.profile["time"] is None
    assert (dataset.has_times, dataset.is_ordered) == (False, True)
    assert dataset.movies.movie_id[dataset.histories.item].tolist() == [9, 8, 7]


def test_time_of_soon_is_not_refused(tmp_path: Path) -> None:
    now = int(datetime.now(UTC).timestamp())
    prepared = prepare_text(tmp_path, text_of([str(now), str(now + 86_400 * 300)]), time="t")
    assert prepared.profile["time"]["unit"] == "seconds since 1970"
