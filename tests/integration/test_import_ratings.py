"""A data set's ratings in an event store: `marquee import-ratings`."""

from pathlib import Path

import pytest

from marquee.core.command import INPUT_ERROR
from marquee.feedback.store import EventStore
from marquee.online import import_ratings


@pytest.fixture
def data_root(tmp_path: Path) -> Path:
    """A data set of ml-latest's layout with one tie: user 1 rates 20 and 10 in one second."""
    folder = tmp_path / "data" / "ml-latest-small"
    folder.mkdir(parents=True)
    (folder / "movies.csv").write_text(
        "movieId,title,genres\n10,Heat (1995),Crime\n20,Speed (1994),Action\n30,Up (2009),Comedy\n"
    )
    (folder / "ratings.csv").write_text(
        "userId,movieId,rating,timestamp\n"
        "1,20,4.0,900000000\n1,10,3.0,900000000\n1,30,5.0,900000007\n2,10,1.0,900000005\n"
    )
    return tmp_path / "data"


def test_import_ratings_twice_stores_each_rating_once(
    data_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path / 'events.sqlite'}"
    args = ["--data=ml-latest-small", f"--data.root={data_root}", f"--events={url}"]
    assert [import_ratings.main(args) for _ in range(2)] == [0, 0]
    last = capsys.readouterr().out.strip().splitlines()[-1]
    assert last == f"4 ratings of ml-latest-small are in {url}"
    store = EventStore(url)
    assert [entry[:2] for entry in store.user_state(1).history] == [(20, 4.0), (10, 3.0), (30, 5.0)]


def test_import_ratings_without_arguments_is_an_input_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert import_ratings.main([]) == INPUT_ERROR
    error = capsys.readouterr().err
    assert error.startswith("marquee import-ratings: error: ") and error.count("\n") == 1
    assert "required: --data, --events" in error
