"""Test the soak of the API in a short form, and that it sees what it must see."""

import os
from dataclasses import replace as changed
from pathlib import Path

import pytest
from threadpoolctl import threadpool_limits

from marquee.api.process.loaded_model import LoadedModel
from marquee.feedback.event_schema import Event
from marquee.feedback.store import EventStore
from soak.api import Plan, good_bundles, replace, soak, store_errors
from tests.support import pgbouncer, postgres
from tests.support.api_load import ApiCall, Client, Disruptions, LoadReport, state_of

SHORT = Plan(
    duration_s=20, swap_s=3, away_at_s=4, away_s=2, kill_s=5, reload_s=12, clients=2, sample=0.5
)  # swaps at 3 (after a damaged one), 6, …; a worker is killed at 10 and 15, reloaded at 14
RATING = Event(
    event_id="1",
    user_id="ann",
    movie_id=6,
    kind="rating",
    stars=4.0,
    watched=None,
    at_us=1_000_000,
)


@pytest.mark.slow
@pytest.mark.postgres
def test_soak_api_short_run_has_no_errors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if os.environ.get("TEST_POSTGRES_URL") and postgres.programs() is None:
        pytest.skip("the server of TEST_POSTGRES_URL is not ours to restart")
    with (
        postgres.server() as server,
        pgbouncer.running(server) as url,
        threadpool_limits(1),
    ):
        bundles = good_bundles(tmp_path, None)
        errors = soak(tmp_path, bundles, url, server=server, plan=SHORT, seed=0)
    output = capsys.readouterr().out
    assert errors == [], output
    assert "exit 0" in output and "worker killed" in output and "database away" in output
    assert "workers replaced by SIGHUP" in output
    assert "4 bundles swapped, 2 damaged ones refused" in output


@pytest.fixture
def report(tmp_path: Path) -> LoadReport:
    models = [LoadedModel.load(str(folder)) for folder in good_bundles(tmp_path, None)]
    return LoadReport({model.recommender.model_version: model for model in models})


def test_soak_api_sees_lost_and_surplus_events(report: LoadReport, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'events.sqlite'}"
    client = Client(0, "http://nowhere", "key", report, seed=0, sample=1)
    user_id = next(iter(client.logs))
    rating = changed(RATING, event_id=f"{user_id}-1", user_id=user_id)
    EventStore(url).add([rating])
    assert len(store_errors(url, [client])) == 2, "stored, and never acknowledged"
    client.logs[user_id] = [rating]
    assert store_errors(url, [client]) == []
    client.logs[user_id].append(changed(rating, event_id=f"{user_id}-2", kind="click", stars=None))
    assert len(store_errors(url, [client])) == 1, "a lost click changes no list, and is missed"


def test_soak_api_sees_answers_of_another_bundle(report: LoadReport) -> None:
    call = ApiCall("recommend", "POST", "/recommend", {"user_id": "ann", "k": 3})
    answers = {
        report.expected(version, call, state_of(log))
        for version in report.models
        for log in ([], [RATING])
    }
    assert len(answers) == 4


def test_soak_api_expects_search_and_history_of_the_library(report: LoadReport) -> None:
    version = next(iter(report.models))
    search = ApiCall("search", "GET", "/movies/search", params={"q": "heat", "k": 1})
    assert b'"movie_id":6' in report.expected(version, search, state_of([]))
    history = ApiCall("history", "GET", "/users/ann/history", user_id="ann")
    assert b'"stars":4.0' in report.expected(version, history, state_of([RATING]))


def test_soak_api_replace_takes_the_place(tmp_path: Path) -> None:
    first, second = good_bundles(tmp_path, None)
    replace(first, tmp_path / "served")
    replace(second, tmp_path / "served")
    served = LoadedModel.load(str(tmp_path / "served")).recommender.model_version
    assert served == LoadedModel.load(str(second)).recommender.model_version
    assert {path.name for path in tmp_path.iterdir()} >= {"served", "good-0", "good-1"}
    assert not (tmp_path / "old").exists()


def test_disruptions_open_or_recent_ones_count() -> None:
    disruptions = Disruptions()
    assert not disruptions.was("away", 0)
    disruptions.begin("away")
    assert disruptions.was("away", float("inf"))
    disruptions.end("away")
    assert disruptions.was("away", 0) and not disruptions.was("away", float("inf"))
