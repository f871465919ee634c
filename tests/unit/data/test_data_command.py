"""`marquee data`: what is printed, what is refused, and what is left behind."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from marquee.cli import main
from marquee.core.errors import InputError
from marquee.data import data_command
from marquee.data.data_command import add

ROWS = "".join(
    f"{user},{item},{1 + (user + item) % 10}\n" for user in range(6) for item in range(5)
)
COLUMNS = ["--user", "user", "--item", "item", "--rating", "rating"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder with a file of ratings; the data root is in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA_ROOT", "data")
    monkeypatch.setenv("DATA_CACHE", str(tmp_path / "cache"))
    Path("plays.csv").write_text("user,item,rating\n" + ROWS)
    return tmp_path


def _run(*args: str) -> int:
    return main(["data", *args])


def test_add_prints_profile_warnings_and_next(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("add", "mine", "--interactions", "plays.csv", *COLUMNS) == 0
    out = capsys.readouterr().out
    assert 'plays.csv: encoding utf-8, separator ","' in out
    assert "users         6, integer ids" in out
    assert "ratings       1, 2, 3, 4, 5, 6, 7, 8, 9, 10" in out
    assert "warning: 6 users are few" in out
    assert "warning: no times" in out
    assert out.endswith("next: make train DATA=mine\n")
    assert [path.name for path in Path("data/mine").iterdir()] == ["dataset.yaml"]


def test_add_files_of_a_split_shows_their_sizes(capsys: pytest.CaptureFixture[str]) -> None:
    Path("test.csv").write_text("user,item,rating\n0,7,3\n1,7,4\n")
    files = ["--interactions", "plays.csv", "--test-interactions", "test.csv"]
    assert _run("add", "mine", *files, *COLUMNS) == 0
    assert "split         30 to train, 2 to test\n" in capsys.readouterr().out


def test_show_json_is_the_profile(capsys: pytest.CaptureFixture[str]) -> None:
    _run("add", "mine", "--interactions", "plays.csv", *COLUMNS)
    capsys.readouterr()
    assert _run("show", "mine", "--json") == 0
    shown = capsys.readouterr().out
    (profile,) = Path("cache").glob("mine-*/profile.json")
    assert shown == profile.read_text()
    assert json.loads(shown)["interactions"] == 30


def test_list_shows_every_data_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("list") == 0
    assert "data: no data sets" in capsys.readouterr().out
    _run("add", "mine", "--interactions", "plays.csv", *COLUMNS)
    Path("data/broken").mkdir()
    Path("data/broken/dataset.yaml").write_text("usr: a\n")
    capsys.readouterr()
    assert _run("list") == 0
    header, broken, mine = capsys.readouterr().out.splitlines()
    assert header.split() == ["name", "interactions", "users", "items", "rated", "times", "source"]
    assert "unknown option 'usr'" in broken
    assert mine.split() == ["mine", "30", "6", "5", "1", "to", "10", "no", "plays.csv"]


def test_add_existing_name_needs_replace(capsys: pytest.CaptureFixture[str]) -> None:
    _run("add", "mine", "--interactions", "plays.csv", *COLUMNS)
    again = ["add", "mine", "--from", "data/mine/dataset.yaml"]
    assert _run(*again) == 2
    assert "add --replace to make it anew" in capsys.readouterr().err
    assert _run(*again, "--replace", "--time", "rating", "--max-rejected", "0.5") == 2
    assert "rating: 1\n" not in Path("data/mine/dataset.yaml").read_text()
    assert _run(*again, "--replace") == 0


def test_add_from_file_takes_options_beside_it() -> None:
    Path("mine.yaml").write_text("interactions: plays.csv\nuser: user\nitem: item\n")
    assert _run("add", "mine", "--from", "mine.yaml", "--rating", "rating") == 0
    assert "rating: rating" in Path("data/mine/dataset.yaml").read_text()
    assert "../../plays.csv" in Path("data/mine/dataset.yaml").read_text()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        pytest.param(["a b"], "not a name", id="name"),
        pytest.param(["../up"], "not a name", id="path"),
        pytest.param(["ml-1m"], "the name of a MovieLens data set", id="movielens"),
        pytest.param(["mine", "--user", "usr"],
                     "--user usr: no such column in plays.csv, expected one of user, item, rating; "
                     "is it user?", id="column"),
        pytest.param(["mine", "--separator", ";"], "is the separator another?", id="separator"),
        pytest.param(["mine", "--time", "user"], "--user and --time", id="contradiction"),
    ],
)  # fmt: skip
def test_add_mistake_is_one_line_and_status_2(
    args: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run("add", args[0], "--interactions", "plays.csv", *COLUMNS, *args[1:]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert not Path("data").exists()


def test_add_bad_rows_leave_nothing_behind(capsys: pytest.CaptureFixture[str]) -> None:
    with Path("plays.csv").open("a") as file:
        file.write("7,8\n")
    assert _run("add", "mine", "--interactions", "plays.csv", *COLUMNS) == 2
    assert "plays.csv" in capsys.readouterr().err
    assert not Path("data").exists()
    assert not list(Path("cache").glob("mine-*"))
    accepted = ["--max-rejected", "0.1"]
    assert _run("add", "mine", "--interactions", "plays.csv", *COLUMNS, *accepted) == 0
    out = capsys.readouterr().out
    assert "rejected      1 row (a line that is no row: 1)" in out


def test_add_interrupted_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(data_command, "write_spec", stop)
    assert _run("add", "mine", "--interactions", "plays.csv", *COLUMNS) == 130
    assert capsys.readouterr().err == "data: error: stopped; nothing was written\n"
    assert not Path("data").exists()


def test_add_first_line_is_a_row_says_so() -> None:
    Path("plays.csv").write_text(ROWS)
    settings = {"interactions": "plays.csv", "user": "user", "item": "item"}
    with pytest.raises(InputError, match="looks like a row: name the columns with --header"):
        add("mine", None, None, settings)


def test_add_name_taken_meanwhile_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @contextmanager
    def wait_for_the_other(name: str) -> Iterator[None]:
        with cache_locked(name):
            Path("data", name).mkdir(parents=True)
            Path("data", name, "dataset.yaml").write_text("of the other process")
            yield

    cache_locked = data_command.cache.locked
    monkeypatch.setattr(data_command.cache, "locked", wait_for_the_other)
    assert _run("add", "mine", "--interactions", "plays.csv", *COLUMNS) == 2
    assert "exists, expected a new name" in capsys.readouterr().err
    assert Path("data/mine/dataset.yaml").read_text() == "of the other process"
