"""The benchmark of the service: its arithmetic, its short form, and what is committed."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import serving_catalogues
import serving_programs
import serving_table

from marquee.core.errors import InputError
from marquee.recommender.bundle import read_bundle
from marquee.recommender.recommender import Recommender
from tests.support.paths import ROOT

BARS = {
    *(
        "ours-served-parts-ratio",
        "large-served-parts-ratio",
        "ours-parts-ratio",
        "ours-in-turn-ratio",
        "large-parts-ratio",
        "large-in-turn-ratio",
    ),
    *("known-cpu-ratio", "known-p99-ratio", "history-p99-ratio", "batch-ratio"),
    *("ours-ready-start-ratio", "ours-memory-over", "ours-after-10000", "ours-after-100000"),
    *("growth-movies-1000000-whole", "growth-history-1000-whole"),
}


def runs_of(ours: float, noop: float, part: float) -> dict[str, list[dict[str, Any]]]:
    """One round, with the CPU microseconds of a request."""

    def asked(cpu_us: float) -> list[dict[str, Any]]:
        return [{"cpu_us": cpu_us, "rate": 100.0, "p50_ms": 1.0, "p99_ms": cpu_us / 100}]

    four = dict.fromkeys(serving_table.PARTS, part)
    parts = [four | {"in_turn": 5 * part, "whole": 6 * part}]
    runs = {f"{one}-parts": parts for one in ("ours", "large")}
    for kind in ("history", "known", "large"):
        runs[f"noop-{kind}-8"] = asked(noop)
    runs |= {"ours-history-8": asked(ours), "ours-known-8": asked(ours), "large-large-8": asked(1)}
    runs |= {"parts-history-8": asked(2 * noop), "largeparts-large-8": asked(1)}
    for part_of in serving_table.PARTS:
        runs |= {f"{part_of}-history-8": asked(noop + 2 * part)}
        runs |= {f"large{part_of}-large-8": asked(noop + part)}
    runs["ours-batch"] = [{"cpu_us": 256 * ours / 4, "people": 256}]
    for one in ("ours", "large", "noop", "fastapi"):
        runs[f"{one}-start"] = [{"ready_s": 2.0 if one == "noop" else 3.0, "cpu_s": 1.0}]
        runs[f"{one}-memory"] = [{"memory_mb": 100.0 if one == "noop" else 290.0}]
        runs[f"{one}-arrays"] = [{"memory_mb": 50.0}]
    return runs | {"growth-movies-100": [four | {"whole": 9.0}]}


def test_ratios_are_those_of_the_bars() -> None:
    rows = {row["name"]: row for row in serving_table.table(runs_of(ours=1000, noop=200, part=150))}
    assert rows["ours-parts-ratio"]["value"] == 1000 / (200 + 4 * 150)
    assert rows["ours-in-turn-ratio"]["value"] == round(1000 / (200 + 750), 3)
    assert rows["ours-served-parts-ratio"]["value"] == round(1000 / (200 + 4 * 300), 3)
    assert rows["ours-together-ratio"]["value"] == 1000 / 400
    assert rows["known-cpu-ratio"]["value"] == rows["history-p99-ratio"]["value"] == 5
    assert rows["batch-ratio"]["value"] == 4
    assert rows["ours-ready-start-ratio"]["value"] == 1.5
    assert rows["ours-memory-over"]["value"] == 290 - (100 + 100 + 2 * 50)
    assert rows["growth-movies-100-whole"]["value"] == 9


def test_a_generated_catalogue_answers_as_the_trained_sizes_do(bundle_folder: Path) -> None:
    trained = read_bundle(bundle_folder)
    movies = serving_catalogues.generated_catalogue(trained.movies, 25)
    made, again = (serving_catalogues.scaled(trained, movies, seed=0) for _ in range(2))
    assert {name: array.shape[1:] for name, array in made.arrays.items() if len(array) == 25}.keys()
    for name, array in made.arrays.items():
        assert np.array_equal(array, again.arrays[name]), name
        assert array.shape[1:] == trained.arrays[name].shape[1:], name
    history = serving_catalogues.histories(made, num_users=1, length=5, seed=0)[0]
    answer = Recommender(made).recommend(history=history)
    assert len(answer["items"]) == 10
    assert len({movie_id for movie_id, _ in history}) == 5


def test_without_wrk_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match="apt-get install wrk"):
        serving_programs.wrk()


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_a_server_is_asked_and_its_answers_counted(bundle_folder: Path, tmp_path: Path) -> None:
    home, store = tmp_path / "home", f"sqlite:///{tmp_path / 'events.sqlite'}"
    home.mkdir()
    settings = {"BUNDLE": str(bundle_folder), "EVENTS_URL": store}
    with serving_programs.Server(serving_programs.MARQUEE, home, settings) as server:
        bodies = [b'{"history": [{"movie_id": 6}]}', b'{"history": [{"movie_id": 50}]}']
        run = serving_programs.load(server, "/recommend", bodies, clients=2, seconds=1)
        assert run["requests"] > 0 and run["cpu_us"] > 0 and run["p50_ms"] <= run["p99_ms"]
        assert server.worker.pid != server._process.pid
        with pytest.raises(InputError, match="requests failed"):
            serving_programs.load(server, "/recommend", [b'{"k": 0}'], clients=1, seconds=1)


def test_the_committed_figures_have_the_shape_of_the_contract() -> None:
    result = json.loads((ROOT / "results" / "bench-serving.json").read_text())
    assert set(result) == {"rows", "commit", "machine"}
    rows = {row["name"]: row for row in result["rows"]}
    assert len(rows) == len(result["rows"])
    assert all(set(row) == {"name", "what", "value", "unit", "spread"} for row in rows.values())
    assert set(rows) >= BARS
