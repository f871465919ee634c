"""MovieLens sets: what each is read from, and folders of the same form under any name."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pytest

from marquee.core.ids import as_ids
from marquee.data.attributes.item_tables import read_items
from marquee.data.attributes.rows import open_table
from marquee.data.attributes.user_tables import read_users
from marquee.data.movielens.presets import PRESETS, Preset, preset_of, preset_scale

CSV = {
    "ratings.csv": "userId,movieId,rating,timestamp\n1,10,4.0,964982703\n",
    "movies.csv": 'movieId,title,genres\n10,"Matrix, The (1999)",Action|Sci-Fi\n'
    '20,"He said ""hi""",(no genres listed)\n',
}
DAT = {
    "ratings.dat": "1::10::4::964982703\n",
    "movies.dat": '10::Amélie (2001)::Comedy|Romance\n20::"Great" Day, A (1945)::Documentary\n',
    "users.dat": "1::F::1::10::48067\n2::M::56::16::70072\n",
}
FLAGS = {"10": "0|0|0|0|0|0|1|0|0|0|0|0|0|0|1|0|0|0|0", "20": "1" + "|0" * 18}
ML_100K = {
    "u.data": "1\t10\t4\t964982703\n",
    "u.item": f"10|Amélie (2001)|01-Jan-2001||http://a?b=c|{FLAGS['10']}\n"
    f"20|unknown||||{FLAGS['20']}\n",
    "u.user": "1|24|M|technician|85711\n2|53|F|other|94043\n",
}


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def make(root: Path, name: str, files: dict[str, str], encoding: str = "utf-8") -> Preset:
    (root / name).mkdir()
    for file, text in files.items():
        (root / name / file).write_bytes(text.encode(encoding))
    preset = preset_of(name, root / name)
    assert preset is not None
    return preset


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
@pytest.mark.parametrize(
    ("name", "files", "movies"),
    [
        pytest.param(
            *("ml-latest-small", CSV),
            [("The Matrix", 1999, ("Action", "Sci-Fi")), ('He said "hi"', None, ())],
            id="csv",
        ),
        pytest.param(
            *("ml-1m", DAT),
            [
                ("Amélie", 2001, ("Comedy", "Romance")),
                ('A "Great" Day', 1945, ("Documentary",)),
            ],
            id="dat",
        ),
        pytest.param(
            *("ml-100k", ML_100K),
            [("Amélie", 2001, ("Crime", "Romance")), ("unknown", None, ())],
            id="ml-100k",
        ),
    ],
)
def test_preset_of_each_form_reads_its_movies(
    connection: duckdb.DuckDBPyConnection,
    tmp_path: Path,
    encoding: str,
    name: str,
    files: dict[str, str],
    movies: list[tuple[str, int | None, tuple[str, ...]]],
) -> None:
    spec = make(tmp_path, name, files, encoding).spec
    source = open_table(connection, spec, "items", tmp_path / "scratch")
    items = read_items(connection, spec, source, as_ids([10]))
    read = items.movies
    assert read.movie_id.tolist() == [10, 20] and items.num_items == 1
    assert list(zip(read.title, read.year, read.genres, strict=True)) == movies
    assert items.rejects == ()


@pytest.mark.parametrize(
    ("name", "files", "features"),
    [
        ("ml-1m", DAT, {"gender": ["M"], "age": ["56"], "occupation": ["16"]}),
        ("ml-100k", ML_100K, {"age": [53.0], "gender": ["F"], "occupation": ["other"]}),
        ("ml-latest-small", CSV, {}),
    ],
)
def test_preset_of_each_form_reads_its_users(
    connection: duckdb.DuckDBPyConnection,
    tmp_path: Path,
    name: str,
    files: dict[str, str],
    features: dict[str, list[object]],
) -> None:
    spec = make(tmp_path, name, files).spec
    source = open_table(connection, spec, "users", tmp_path / "scratch")
    users = read_users(connection, spec, source, as_ids([2]))
    assert {feature.name: feature.values.tolist() for feature in users.features} == features


def test_preset_of_folder_without_users_has_no_user_features(tmp_path: Path) -> None:
    files = {file: text for file, text in DAT.items() if file != "users.dat"}
    spec = make(tmp_path, "ml-1m", files).spec
    assert spec.users == spec.user_features == ()


def test_preset_files_are_those_of_the_fingerprint(tmp_path: Path) -> None:
    preset = make(tmp_path, "ml-25m", CSV | {"tags.csv": "", "links.csv": ""})
    assert [path.name for path in preset.files] == ["ratings.csv", "movies.csv", "tags.csv"]
    assert preset.tags == tmp_path / "ml-25m" / "tags.csv"
    preset = make(tmp_path, "ml-10m", DAT | {"tags.dat": ""})
    assert [path.name for path in preset.files] == ["ratings.dat", "movies.dat", "tags.dat"]
    assert [path.name for path in make(tmp_path, "ml-1m", DAT).files] == [
        "ratings.dat",
        "movies.dat",
    ]


@pytest.mark.parametrize("files", [CSV, DAT, ML_100K], ids=["csv", "dat", "ml-100k"])
def test_preset_of_other_name_knows_the_form(tmp_path: Path, files: dict[str, str]) -> None:
    preset = make(tmp_path, "my-movielens", files)
    assert {path.name for path in preset.files} <= set(files)
    assert preset_scale("my-movielens") is None


def test_preset_of_other_files_is_none(tmp_path: Path) -> None:
    assert preset_of("mine", tmp_path) is None
    (tmp_path / "ratings.csv").write_text("user,item,stars\n")
    (tmp_path / "movies.csv").write_text("movieId,title,genres\n")
    assert preset_of("mine", tmp_path) is None


def test_preset_scale_is_that_of_the_data_set() -> None:
    assert preset_scale("ml-1m") == (1, 2, 3, 4, 5)
    assert preset_scale("ml-10m") == tuple(np.arange(1, 11) / 2)
    assert all(preset_scale(name) for name in PRESETS)
