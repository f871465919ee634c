"""Dates beyond ISO 8601: the formats of exports, and days and months that look alike."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from marquee.core.errors import InputError
from tests.support.datasets import load_text, prepare_text


def _text(times: list[str]) -> str:
    return "u,i,t\n" + "".join(f'{row},1,"{time}"\n' for row, time in enumerate(times))


def _time(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp())  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        pytest.param(["12/31/24", "1/5/24"], [(2024, 12, 31), (2024, 1, 5)], id="netflix"),
        pytest.param(["31/12/2024", "1/5/2024"], [(2024, 12, 31), (2024, 5, 1)], id="day-first"),
        pytest.param(["1/5/2024 2:40 PM", "1/15/2024 12:05 AM"],
                     [(2024, 1, 5, 14, 40), (2024, 1, 15, 0, 5)], id="am-pm"),
        pytest.param(["31.12.2024", "1.2.24", "01.02.2024 09:30"],
                     [(2024, 12, 31), (2024, 2, 1), (2024, 2, 1, 9, 30)], id="dots"),
        pytest.param(["14 Jul 2017 02:40", "Jul 15, 2017"],
                     [(2017, 7, 14, 2, 40), (2017, 7, 15)], id="month-names"),
        pytest.param(["Fri, 14 Jul 2017 02:40:00 GMT", "Fri, 14 Jul 2017 04:40:00 +0200"],
                     [(2017, 7, 14, 2, 40)] * 2, id="mail"),
        pytest.param(["Fri Jul 14 04:40:00 +0200 2017", "Fri Jul 14 02:40:00 2017"],
                     [(2017, 7, 14, 2, 40)] * 2, id="programs"),
        pytest.param(["14/Jul/2017:04:40:00 +0200"], [(2017, 7, 14, 2, 40)], id="logs"),
        pytest.param(["2017-07-14 04:40:00.5 +0200", "2017-07-14 02:40:00,5", "2017.07.14"],
                     [(2017, 7, 14, 2, 40)] * 2 + [(2017, 7, 14)], id="like-iso"),
        pytest.param(["Jul 14, 2017, 2:40:00\u202fPM UTC", "14 Jul 2017, 16:40:00 GMT+02:00",
                      "14-JUL-17 02.40.00.000000 PM", "7 14, 2017"],
                     [(2017, 7, 14, 14, 40)] * 3 + [(2017, 7, 14)], id="web-pages"),
        pytest.param(["14/07/2017 02:40:00.5", "2017年7月14日"],
                     [(2017, 7, 14, 2, 40), (2017, 7, 14)], id="fractions"),
        pytest.param(["2024-01-05", "13-02-2024 10:00"],
                     [(2024, 1, 5), (2024, 2, 13, 10)], id="beside-iso"),
    ],
)  # fmt: skip
def test_dates_of_exports_are_read(
    tmp_path: Path, times: list[str], expected: list[tuple[int, ...]]
) -> None:
    dataset = load_text(tmp_path, _text(times), time="t")
    assert dataset.histories.timestamp.tolist() == [_time(*parts) for parts in expected]


@pytest.mark.parametrize(
    ("times", "message"),
    [
        pytest.param(["1/5/2024", "2/3/2024"], "that can be in both orders", id="neither"),
        pytest.param(["31/1/2024", "1/31/2024"], "in both orders, such as", id="both"),
    ],
)
def test_dates_without_one_order_are_refused(
    tmp_path: Path, times: list[str], message: str
) -> None:
    with pytest.raises(InputError, match=f"--time: days and months {message}.*as 2015-01-31"):
        prepare_text(tmp_path, _text(times), time="t")


def test_times_without_any_readable_name_what_is_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"column 't' holds 'yesterday', expected seconds"):
        prepare_text(tmp_path, _text(["yesterday", "", "today"]), time="t", max_rejected=0.9)
