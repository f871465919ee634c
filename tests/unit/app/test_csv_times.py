"""Times in files: understood, or refused with a reason; never now, never 1970."""

from datetime import UTC, datetime, timedelta

import pytest

from app_pages.csv_times import time_reader

DAY = datetime(2024, 2, 11, tzinfo=UTC)
TEN = DAY + timedelta(hours=10)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2024-02-11", DAY),
        ("2024/2/11", DAY),
        ("2024.02.11", DAY),
        ("20240211", DAY),
        ("2024-02-11 10:00:00", TEN),
        ("2024-02-11T10:00", TEN),
        ("2024-02-11 10:00:00.5", TEN + timedelta(seconds=0.5)),
        ("2024-02-11T10:00:00,123456789Z", TEN + timedelta(microseconds=123456)),
        ("2024-02-11 10:00:00 UTC", TEN),
        ("2024-02-11T12:00:00+02:00", TEN),
        ("2024-02-11T04:30:00-0530", TEN),
        ("2024-02-11 10:00 AM", TEN),
        ("2024-02-11 12:00 am", DAY),
        ("2024-02-11 12:30:00pm", DAY + timedelta(hours=12.5)),
        ("13/02/2024", DAY + timedelta(days=2)),
        ("2/13/2024, 10:00", TEN + timedelta(days=2)),
        ("13.2.2024", DAY + timedelta(days=2)),
        ("02-02-2024", DAY - timedelta(days=9)),
        ("1707645600", TEN),
        ("1707645600.5", TEN + timedelta(seconds=0.5)),
        ("1707645600000", TEN),
        ("1707645600000000", TEN),
        ("1707645600000000000", TEN),
        ("789652009", datetime(1995, 1, 9, 11, 46, 49, tzinfo=UTC)),
    ],
)
def test_time_that_is_clear_is_read(text: str, at: datetime) -> None:
    assert time_reader([text])(text) == at


@pytest.mark.parametrize(
    "text",
    [
        "soon",
        "11 Feb",
        "11/02/24",
        "24-02-11",
        "2024-02",
        "2024",
        "2024-W06-7",
        "2024-042",
        "2024-02-30",
        "30/02/2024",
        "2024-13-01",
        "0000-01-01",
        "20241301",
        "2024-02-11 24:00:00",
        "2024-02-11 23:59:60",
        "2024-02-11 13:00 PM",
        "2024-02-11 0:00 AM",
        "2024-02-11T10:00:00+25:00",
        "2024-02/11",
        "43586",
        "43586.41",
        "100",
        "0",
        "-1",
        "17076456000",
        "1.7076456e9",
        "1e400",
        "inf",
        "nan",
        "٢٠٢٤-٠٢-١١",
        "9" * 5000,
    ],
)
def test_time_that_is_unclear_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^'.*', expected a date such as 2024-02-11"):
        time_reader([text, "13/02/2024"])(text)


@pytest.mark.parametrize(
    ("others", "at"),
    [
        pytest.param(["13/02/2024"], datetime(2024, 2, 11, tzinfo=UTC), id="day-first"),
        pytest.param(["02/13/2024"], datetime(2024, 11, 2, tzinfo=UTC), id="month-first"),
        pytest.param(["13.02.2024", "soon", ""], datetime(2024, 2, 11, tzinfo=UTC), id="marks"),
    ],
)
def test_time_order_is_that_of_the_column(others: list[str], at: datetime) -> None:
    assert time_reader([*others, "11/02/2024"])("11/02/2024") == at


@pytest.mark.parametrize(
    "others",
    [
        pytest.param([], id="alone"),
        pytest.param(["12/01/2024", "05/05/2024"], id="all-alike"),
        pytest.param(["45/02/2024", "0/13/2024", "13/02/24"], id="no-dates"),
        pytest.param(["13/02/2024", "02/13/2024"], id="both-orders"),
    ],
)
def test_time_without_order_in_the_column_is_refused(others: list[str]) -> None:
    with pytest.raises(ValueError, match="'11/02/2024', which is day/month or month/day; expected"):
        time_reader([*others, "11/02/2024"])("11/02/2024")
