"""Refuse a file of ratings that was cut off inside its last time: half a time is a time, too."""

from pathlib import Path

from marquee.core.errors import InputError

TAIL_BYTES = 4096


def check_last_line(path: Path, separator: str) -> None:
    """Raise InputError for a last line without its end and with a shorter time."""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - TAIL_BYTES))
        tail = stream.read()
    if tail.endswith((b"\n", b"\r")):
        return
    *_, before, last = ["", "", *tail.decode("latin-1").splitlines()]
    time, last_time = (line.rpartition(separator)[2] for line in (before, last))
    if time.isdigit() and len(last_time) < len(time):
        raise InputError(
            f"{path}: the last line is cut off, {last[:80]!r} after {before[:80]!r}, expected a "
            "whole time; download the data set again, or delete that line"
        )
