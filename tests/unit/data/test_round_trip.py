"""Any ids, any order of rows, any form of times: what was in the file is in the data set."""

import csv
import io
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.datasets import load_text, rows_of

FIRST = 1_000_000_000
FORMS = {
    "seconds": str,
    "milliseconds": lambda second: f"{second}123",
    "microseconds": lambda second: f"{second}123456",
    "nanoseconds": lambda second: f"{second}123456789",
    "floats": lambda second: f"{second}.25",
    "iso": lambda second: datetime.fromtimestamp(second, UTC).isoformat(),
    "iso-z": lambda second: f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%SZ}",
}
TEXT = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\x00"),
    min_size=1,
    max_size=8,
)
NUMBER = st.integers(-(2**63), 2**63 - 1).map(str)
ODD = st.sampled_from(
    ["007", "7", "-0", "0", 'a"b', "a,b", "ü", "0114508", " 7", "NULL", "nan", "'"]
)
PAIRS = st.one_of(
    *(
        st.lists(st.tuples(ids, ids), min_size=1, max_size=12, unique=True)
        for ids in (NUMBER, st.one_of(TEXT, ODD, NUMBER))
    )
)


def is_plain(text: str) -> bool:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or text == "-0":
        return False
    return (digits == "0" or digits[0] != "0") and -(2**63) <= int(text) < 2**63


def typed(texts: list[str]) -> list[int] | list[str]:
    return [int(text) for text in texts] if all(map(is_plain, texts)) else texts


@pytest.mark.slow
@settings(max_examples=60)
@given(pairs=PAIRS, form=st.sampled_from(sorted(FORMS)), data=st.data())
def test_prepare_rows_come_out_as_they_went_in(
    pairs: list[tuple[str, str]], form: str, data: st.DataObject
) -> None:
    second = [FIRST + 1000 * number for number in range(len(pairs))]
    order = data.draw(st.permutations(range(len(pairs))))
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(["u", "i", "t"])
    writer.writerows([*pairs[row], FORMS[form](second[row])] for row in order)
    with tempfile.TemporaryDirectory() as folder:
        dataset = load_text(Path(folder), stream.getvalue(), time="t", separator=",")
        rows = rows_of(dataset)
    users, items = (typed([pair[side] for pair in pairs]) for side in (0, 1))
    expected = sorted(zip(users, items, second, strict=True), key=lambda row: (row[0], row[2]))
    assert [(user, item, time) for user, item, _, time in rows] == expected
