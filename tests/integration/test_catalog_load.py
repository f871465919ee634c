"""`marquee catalog load` into a running service."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from marquee import cli
from marquee.core.command import INPUT_ERROR, INTERRUPTED
from marquee.online.catalog_load import loader
from marquee.online.catalog_load.service import Service
from tests.support import processes
from tests.support.tiny_bundle import MOVIES

KEYS = {"loader": "read+catalog", "reader": "read"}


@pytest.fixture(scope="module")
def url(bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service whose catalog is that of the tiny bundle."""
    keys = ",".join(f"{key}:{scopes}" for key, scopes in KEYS.items())
    home = tmp_path_factory.mktemp("catalog-load")
    with processes.running(bundle_folder, home, API_KEYS=keys) as (address, _):
        yield address


@pytest.fixture(autouse=True)
def _folder_and_key(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Commands run in a folder of their own; afterwards the catalog is the bundle's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MARQUEE_URL", url)
    monkeypatch.setenv("MARQUEE_KEY", "loader")
    yield
    with client(url) as http:
        bundle_ids = [movie[0] for movie in MOVIES]
        http.put("/movies", json={"movies": [{"movie_id": each} for each in bundle_ids]})
        for movie_id in set(catalog(url)) - set(bundle_ids):
            http.post("/movies/delete", json={"movie_id": movie_id}).raise_for_status()


def client(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, headers={"Authorization": "Bearer loader"})


def catalog(url: str) -> dict[int, dict[str, Any]]:
    """The titles of the service by id."""
    with client(url) as http:
        items = http.get("/movies", params={"limit": 1000}).raise_for_status().json()["items"]
    return {item["movie_id"]: item for item in items}


def load(content: str, *options: str) -> int:
    Path("titles.csv").write_text(content)
    return cli.main(["catalog", "load", "titles.csv", *options])


def test_catalog_load_twice_is_the_same_catalog(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        f"{n},Title {n} 🎬,{1950 + n % 70}.0,Crime|Nordic,Studio {n % 5},DE"
        for n in range(2000, 2050)
    ]
    content = "\n".join(["movie_id,title,year,genres,studio,countries", *rows, ""])
    assert load(content) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == f"50 of 50 titles of titles.csv are in {url}"
    with client(url) as http:
        movie = http.get("/movies/2007").json()
        assert movie == {
            "movie_id": 2007, "title": "Title 2007 🎬", "year": 1957 + 2000 % 70,
            "genres": ["Crime", "Nordic"], "num_ratings": 0, "countries": ["DE"],
            "attributes": {"studio": "Studio 2"},
        }  # fmt: skip
        assert load(content) == 0
        assert http.get("/movies/2007").json() == movie


def test_rejected_titles_are_written_and_the_others_are_in(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    content = 'movie_id,title,year\n901,One,1995\n902,Two,soon\n0903,Three,1995\n904,"Fo\nur",1\n'
    assert load(content) == INPUT_ERROR
    error = capsys.readouterr().err
    assert "2 of 4 rows are rejected (titles.csv line 3: year" in error and error.count("\n") == 1
    with Path("rejected-titles.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["line"], row["movie_id"]) for row in rows] == [("3", "902"), ("4", "0903")]
    assert {901, 904} <= set(catalog(url)) and 902 not in catalog(url)
    assert load(content, "--max-rejected", "0.5") == 0
    assert load("movie_id,title\n902,Two\n") == 0
    assert not Path("rejected-titles.csv").exists()


def test_delete_missing_deletes_what_the_file_lacks(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert load("movie_id,title\n901,One\n902,Two\n") == 0
    ids = [movie[0] for movie in MOVIES]
    content = "\n".join(["movie_id", *map(str, [*ids[2:], 902, 903])]) + "\n"
    assert load(content, "--delete-missing") == 0
    assert "3 of 12 titles of the catalog are not in titles.csv\n" in capsys.readouterr().out
    assert set(catalog(url)) == {*ids[2:], 902, 903}


def test_delete_missing_refuses_less_than_half_without_force(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    content = "movie_id\n1\n6\n"
    assert load(content, "--delete-missing") == INPUT_ERROR
    assert "2 of 10 titles of the catalog, expected at least half" in capsys.readouterr().err
    assert len(catalog(url)) == len(MOVIES)
    assert load(content, "--delete-missing", "--force") == 0
    assert set(catalog(url)) == {1, 6}


def test_delete_missing_refuses_lines_without_an_id(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"{movie[0]},x" for movie in MOVIES[:-1]]
    for line in ("541", ",x"):
        content = "\n".join(["movie_id,title", *rows, line, ""])
        assert load(content, "--delete-missing", "--force") == INPUT_ERROR
        assert "lines whose id cannot be read" in capsys.readouterr().err
    assert len(catalog(url)) == len(MOVIES)


def test_nothing_is_deleted_after_too_many_rejections(url: str) -> None:
    rows = [f"{movie[0]},1995" for movie in MOVIES[:-1]]
    content = "\n".join(["movie_id,year", *rows, "905,soon", ""])
    assert load(content, "--delete-missing") == INPUT_ERROR
    assert len(catalog(url)) == len(MOVIES)


@pytest.mark.parametrize(
    ("key", "message"),
    [("reader", "expected one with catalog"), ("", "401"), ("wrong", "401")],
)
def test_key_without_the_scope_is_refused(
    capsys: pytest.CaptureFixture[str], key: str, message: str
) -> None:
    options = []
    if key:
        Path("key").write_text(f"{key}\n")
        options = ["--key-file", "key"]
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("MARQUEE_KEY")
        assert load("movie_id,title\n901,One\n", *options) == INPUT_ERROR
    assert message in capsys.readouterr().err


def test_stopped_load_says_how_many_titles_are_in(
    url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    call, calls = Service.call, list[str]()

    def interrupted(self: Service, method: str, *args: Any, **options: Any) -> Any:
        calls.append(method)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return call(self, method, *args, **options)

    monkeypatch.setattr(Service, "call", interrupted)
    monkeypatch.setattr(loader, "MAX_TITLES", 20)
    content = "\n".join(["movie_id", *map(str, range(2000, 2030)), ""])
    assert load(content) == INTERRUPTED
    assert "stopped; 20 titles are in; the same command loads the rest" in capsys.readouterr().err
    assert load(content) == 0
    assert len(catalog(url)) == len(MOVIES) + 30


def test_rejected_titles_never_replace_the_file() -> None:
    content = "movie_id,title\n901,One\n"
    assert load(content, "--rejected", "./titles.csv") == INPUT_ERROR
    assert Path("titles.csv").read_text() == content


def test_unknown_column_of_an_option_is_an_input_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert load("movie_id,title\n901,One\n", "--column", "movie_id") == INPUT_ERROR
    assert "expected FIELD=COLUMN" in capsys.readouterr().err
    assert cli.main(["catalog", "load", "none.csv"]) == INPUT_ERROR
    assert "no such file" in capsys.readouterr().err
