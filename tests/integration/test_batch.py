"""Test `marquee batch`: each list is that of the recommender, with Ray and without."""

import asyncio
import errno
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from marquee.api.handlers import Handlers
from marquee.api.process.loaded_model import LoadedModel
from marquee.api.requests import RecommendRequest
from marquee.batch import ray_job
from marquee.batch.ray_job import main
from marquee.catalog.catalog_store import CatalogStore
from marquee.feedback.event_schema import Event
from marquee.feedback.store import EventStore
from marquee.feedback.user_settings import UserSettings
from marquee.recommender import pipeline
from marquee.recommender.query import RecommendQuery
from marquee.recommender.recommender import Recommender
from marquee.recommender.search.title_search import TitleSearch
from tests.support import postgres
from tests.support.paths import ROOT
from tests.support.tiny_bundle import text_id, write_tiny

SCHEMA = pa.schema(
    {
        "user_id": pa.string(),
        "place": pa.int32(),
        "movie_id": pa.int64(),
        "score": pa.float32(),
        "expected": pa.float32(),
        "low": pa.float32(),
        "high": pa.float32(),
        "p_like": pa.float32(),
        "strategy": pa.string(),
        "model_version": pa.string(),
    }
)
ALL = [1, 6, 10, 32, 50, 110, 260, 296, 480, 541]
HISTORIES: dict[str, list[tuple[int, float]]] = {  # oldest first
    "ann": [(1, 4.0), (50, 5.0)],
    "bob": [(10, 3.0)],
    "42": [(999, 5.0)],  # a movie that the bundle does not hold, and no other
    "7": [(6, 4.0), (999, 1.0), (480, 3.3)],  # and stars off its scale
    "eve": [(movie_id, 2.5) for movie_id in ALL[:7]],  # longer than the encoder reads
    "zoe": [(movie_id, 4.0) for movie_id in ALL],  # has seen everything: no list
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> EventStore:
    return store_of_histories(tmp_path_factory.mktemp("store"))


def store_of_histories(folder: Path) -> EventStore:
    url = f"sqlite:///{folder / 'events.sqlite'}"
    rows = [
        (user, *rating, at)
        for user, ratings in HISTORIES.items()
        for at, rating in enumerate(ratings)
    ]
    store = EventStore(url)
    store.import_ratings(*map(list, zip(*rows, strict=True)))
    return store


@pytest.fixture
def command(bundle_folder: Path, store: EventStore, tmp_path: Path) -> list[str]:
    """The arguments: blocks of two users, without Ray."""
    sources = ["--bundle", str(bundle_folder), "--events", store.address]
    return [*sources, "--out", str(tmp_path / "lists"), "--block", "2", "--single-process"]


def changed(command: list[str], name: str, value: str) -> list[str]:
    at = command.index(name)
    return [*command[: at + 1], value, *command[at + 2 :]]


def read(folder: Path) -> pa.Table:
    return ds.dataset(folder).to_table().sort_by([("user_id", "ascending"), ("place", "ascending")])


def expected(recommender: Recommender, store: EventStore, **controls: Any) -> pa.Table:
    """Return the same lists, requested one by one from the service."""
    search = TitleSearch(recommender.movies, recommender.num_ratings)
    answers, rows = Handlers(LoadedModel(recommender, search), store), []
    for user_id in sorted(HISTORIES):
        answer = asyncio.run(answers.recommend(RecommendRequest(user_id=user_id, **controls)))
        for place, item in enumerate(answer["items"], 1):
            row = {"user_id": user_id, "place": place} | item | item["stars"] | answer
            rows.append({name: row[name] for name in SCHEMA.names})
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def assert_same(table: pa.Table, expected_table: pa.Table) -> None:
    assert table.schema.equals(expected_table.schema)
    for name in SCHEMA.names:
        if name in ("score", "expected", "low", "high", "p_like"):
            np.testing.assert_allclose(table[name], expected_table[name], rtol=0, atol=1e-5)
        else:
            assert table[name].to_pylist() == expected_table[name].to_pylist(), name


def test_batch_lists_equal_those_of_the_service(
    command: list[str], recommender: Recommender, store: EventStore, tmp_path: Path
) -> None:
    assert main(command) == 0
    table = read(tmp_path / "lists")
    assert_same(table, expected(recommender, store))
    strategies = dict(
        zip(*(table[name].to_pylist() for name in ("user_id", "strategy")), strict=True)
    )
    assert strategies == {"ann": "history", "bob": "history", "42": "popular"} | dict.fromkeys(
        ("7", "eve"), "history"
    )


def test_batch_keeps_catalog_rules_and_choices(command: list[str], tmp_path: Path) -> None:
    store, (rated, hidden, other) = store_of_histories(tmp_path), (50, 480, 10)
    catalog = CatalogStore(store.database)
    catalog.put_movies([{"movie_id": 900, "title": "New", "genres": ["Crime"]}], "ann")
    catalog.delete_movies([hidden], "ann")
    catalog.put_rule("r", {"where": {"genres": "Animation"}, "action": "exclude"}, "ann")
    catalog.put_rule("pin", {"where": {"title": "New"}, "action": {"pin": {"place": 1}}}, "ann")
    UserSettings(store.database).set_personalized("ann", False)
    store.close()
    assert main(changed(command, "--events", store.address)) == 0
    rows = read(tmp_path / "lists").to_pylist()
    assert not {hidden, 1} & {row["movie_id"] for row in rows}
    assert {row["movie_id"] for row in rows if row["place"] == 1} == {900}
    ann = [row for row in rows if row["user_id"] == "ann"]
    assert {row["strategy"] for row in ann} == {"popular"}
    assert {rated, other} <= {row["movie_id"] for row in ann}, "nothing of the history counts"


def test_batch_k_and_controls_equal_those_of_the_service(
    command: list[str], recommender: Recommender, store: EventStore, tmp_path: Path
) -> None:
    assert main([*command, "--k", "3", "--calibration", "0.8", "--novelty", "0.5"]) == 0
    wanted = expected(recommender, store, k=3, calibration=0.8, novelty=0.5)
    assert_same(read(tmp_path / "lists"), wanted)
    assert wanted["place"].to_pylist() != expected(recommender, store)["place"].to_pylist()


def test_recommend_batch_larger_than_a_scoring_batch(
    recommender: Recommender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "QUERIES_PER_BATCH", 2)
    histories: list[list[Any]] = [[1], [], [6, 10], [480], [1]]
    together = list(
        recommender.recommend_batch([RecommendQuery(history=h, k=2) for h in histories])
    )
    for history, answer in zip(histories, together, strict=True):
        wanted = recommender.recommend(history=history, k=2)
        assert [item["movie_id"] for item in answer["items"]] == [
            item["movie_id"] for item in wanted["items"]
        ]


def test_batch_manifest_names_counts_and_sources(
    command: list[str], recommender: Recommender, store: EventStore, tmp_path: Path
) -> None:
    main(command)
    assert json.loads((tmp_path / "lists" / "_lists.json").read_text()) == {
        "model_version": recommender.model_version,
        "bundle": "tiny",
        "events": store.address,
        "k": 10,
        "lists": 5,  # zoe has seen everything
        "rows": 8 + 9 + 10 + 8 + 3,
    }
    parts = sorted(path.name for path in (tmp_path / "lists").glob("part-*"))
    assert parts == ["part-000000.parquet", "part-000001.parquet", "part-000002.parquet"]


def test_event_store_read_only_serves_the_batch(store: EventStore) -> None:
    reader = EventStore(store.address, read_only=True)
    with pytest.raises(ValueError, match="readonly"):
        reader.import_ratings(["ann"], [6], [1.0], [9])
    assert [user_id for user_id, _ in reader.user_states("7", "bob")] == ["7", "ann", "bob"]
    assert list(reader.user_id_ranges(4)) == [("42", "bob"), ("eve", "zoe")]
    assert dict(reader.user_states("42", "zoe")) == {
        user: store.user_state(user) for user in HISTORIES
    }


def test_batch_leaves_out_not_interested_and_watched(
    command: list[str], recommender: Recommender, store_url: str, tmp_path: Path
) -> None:
    """And what they did since the import counts; from either database."""
    store = EventStore(store_url)
    store.import_ratings(["ann"], [1], [4.0], [5])
    store.add(
        [
            Event(
                event_id="e1",
                user_id="ann",
                movie_id=50,
                kind="watch",
                watched=0.95,
                at_us=6_000_000,
            ),
            Event(
                event_id="e2",
                user_id="ann",
                movie_id=480,
                kind="not_interested",
                at_us=7_000_000,
            ),
            Event(
                event_id="e3",
                user_id="ann",
                movie_id=998,
                kind="not_interested",
                at_us=8_000_000,
            ),  # not in the bundle
        ]
    )
    assert main(changed(command, "--events", store_url)) == 0
    shown = read(tmp_path / "lists")["movie_id"].to_pylist()
    wanted = recommender.recommend(history=[(1, 4.0), (50, None, 0.95)], not_interested=[480])
    assert shown == [item["movie_id"] for item in wanted["items"]] and 480 not in shown
    card = (tmp_path / "lists" / "_lists.json").read_text()
    assert store.address in card and postgres.PASSWORD not in card
    store.close()


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        pytest.param("--k", "0", "--k 0: expected 1 to 100", id="k-0"),
        pytest.param("--k", "101", "--k 101: expected 1 to 100", id="k-101"),
        pytest.param("--k", "ten", "invalid int value", id="k-text"),
        pytest.param("--block", "0", "--block 0: expected 1 or more", id="block"),
        pytest.param("--novelty", "2", "expected 0 to 1", id="control"),
        pytest.param("--cpus", "2", "contradict", id="cpus-without-ray"),
        pytest.param("--address", "head:6379", "contradict", id="address-without-ray"),
        pytest.param("--bundle", "no/such", "no such bundle folder", id="no-bundle"),
        pytest.param("--events", "sqlite:///no/such.sqlite", "no such file", id="no-store"),
        pytest.param("--events", "nonsense", "not a database address", id="no-url"),
        pytest.param("--out", "README.md", "not empty", id="out-is-a-file"),
        pytest.param("--out", "/proc/lists", "cannot be written", id="out-unwritable"),
    ],
)
def test_batch_bad_arguments_are_one_error_line(
    command: list[str],
    name: str,
    value: str,
    sentence: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    wrong = changed(command, name, value) if name in command else [*command, name, value]
    assert main(wrong) == 2
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_batch_damaged_bundle_is_named(
    command: list[str], bundle_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(bundle_folder, damaged)
    (damaged / "encoder.onnx").write_bytes(b"")
    assert main(changed(command, "--bundle", str(damaged))) == 2
    assert "encoder.onnx: 0 bytes" in capsys.readouterr().err


def test_batch_empty_store_is_an_input_error(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = f"sqlite:///{tmp_path / 'empty.sqlite'}"
    EventStore(empty)
    assert main(changed(command, "--events", empty)) == 2
    assert "has no users" in capsys.readouterr().err
    assert not (tmp_path / "lists").exists()


def test_batch_does_not_replace_a_folder_of_files(command: list[str], tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    assert main(command) == 0  # an empty folder is filled
    before = read(tmp_path / "lists")
    assert main(command) == 2
    assert read(tmp_path / "lists").equals(before)


def test_batch_full_disk_leaves_nothing(
    command: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def second_fails(table: pa.Table, path: Path) -> None:
        if path.name != "part-000000.parquet":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        path.touch()

    monkeypatch.setattr(pq, "write_table", second_fails)
    assert main(command) == 2
    assert "lists cannot be written (No space left on device)" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_batch_without_ray_names_the_extra(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main([word for word in command if word != "--single-process"]) == 2
    assert "pip install -e '.[ray]', or use --single-process" in capsys.readouterr().err


def test_batch_absent_cluster_is_an_input_error() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound, and not listening
        port = bound.getsockname()[1]
        with pytest.raises(ValueError, match=f"127.0.0.1:{port}: no answer"):
            ray_job.check_reachable(f"127.0.0.1:{port}")
    with pytest.raises(ValueError, match="expected HOST:PORT"):
        ray_job.check_reachable("head")


@pytest.mark.slow
def test_batch_with_ray_equals_single_process(
    command: list[str], recommender: Recommender, store: EventStore, tmp_path: Path
) -> None:
    """In a process of its own, as on the command line: none that Ray starts is left behind."""
    pytest.importorskip("ray.data", reason="the extra `ray` is not installed")
    with_ray = [word for word in command if word != "--single-process"]
    run = subprocess.run(
        [sys.executable, "-m", "marquee.cli", "batch", *with_ray, "--cpus", "2"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    assert_same(read(tmp_path / "lists"), expected(recommender, store))
    card = json.loads((tmp_path / "lists" / "_lists.json").read_text())
    assert (card["lists"], card["rows"]) == (5, 38)


@pytest.mark.parametrize(("has_ratings", "num_columns"), [(True, 10), (False, 6)])
def test_batch_of_text_ids_writes_strings(
    tmp_path: Path, has_ratings: bool, num_columns: int
) -> None:
    bundle = write_tiny(tmp_path / "text", text_ids=True, has_ratings=has_ratings)
    url = f"sqlite:///{tmp_path / 'text.sqlite'}"
    store = EventStore(url)
    event = Event(event_id="e", user_id="ana", movie_id=text_id(6), kind="watch", at_us=1)
    store.add([event])
    out = tmp_path / "lists"
    arguments = ["--bundle", str(bundle), "--events", url, "--out", str(out), "--single-process"]
    assert main(arguments) == 0
    table = read(out)
    assert table.schema.field("movie_id").type == pa.string()
    assert len(table.schema.names) == num_columns
    answer = Recommender.load(bundle).recommend([text_id(6)])
    assert table["movie_id"].to_pylist() == [item["movie_id"] for item in answer["items"]]
