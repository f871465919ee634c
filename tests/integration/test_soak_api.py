"""The soak of the api in its short form: a good quarter of a minute instead of ten."""

import os
from pathlib import Path

import pytest
from threadpoolctl import threadpool_limits

from marquee.api.handlers import LoadedModel
from marquee.feedback.event_schema import Event
from marquee.feedback.store import EventStore
from soak.api import Plan, good_bundles, lost, put, soak
from tests.support import postgres
from tests.support.api_load import Asked, Client, Told, known_of

SHORT = Plan(
    lasts_s=13, swap_s=3, away_at_s=4, away_s=2, kill_s=5, clients=2, sample=0.5
)  # swaps at 3 (after a damaged one) and 6, killed at 10


def test_under_load_nothing_is_lost_and_no_answer_is_another_bundles(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if os.environ.get("TEST_POSTGRES_URL") and postgres.programs() is None:
        pytest.skip("the server of TEST_POSTGRES_URL is not ours to restart")
    with postgres.server() as server, threadpool_limits(1):
        bundles = good_bundles(tmp_path, None)
        faults = soak(tmp_path, bundles, server.url, server, SHORT, seed=0)
    said = capsys.readouterr().out
    assert faults == [], said
    assert "exit 0" in said and "worker killed" in said and "database away" in said
    assert "2 bundles swapped, 1 damaged ones refused" in said


@pytest.fixture
def told(tmp_path: Path) -> Told:
    models = [LoadedModel.load(str(folder)) for folder in good_bundles(tmp_path, None)]
    return Told({model.recommender.model_version: model for model in models})


def test_the_instrument_sees_a_lost_event_and_one_too_many(told: Told, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'events.sqlite'}"
    client = Client(0, "http://nowhere", "key", told, seed=0, sample=1)
    person = next(iter(client.books))
    event = Event(
        event_id=f"{person}-1",
        user_id=person,
        movie_id=6,
        kind="rating",
        stars=4.0,
        watched=None,
        at_us=1_000_000,
    )
    EventStore(url).add([event])
    assert len(lost(url, [client])) == 2, "stored, and never acknowledged"
    client.books[person] = [event]
    assert lost(url, [client]) == []
    client.books[person].append(
        Event(
            event_id=f"{person}-2",
            user_id=person,
            movie_id=50,
            kind="click",
            stars=None,
            watched=None,
            at_us=2,
        )
    )
    assert len(lost(url, [client])) == 1, "a click that is gone changes no list, and is missed"


def test_the_instrument_sees_the_answer_of_another_bundle(told: Told) -> None:
    first, second = told.models
    asked = Asked("recommend", "POST", "/recommend", {"user_id": "ann", "k": 3})
    book = [
        Event(
            event_id="1",
            user_id="ann",
            movie_id=6,
            kind="rating",
            stars=4.0,
            watched=None,
            at_us=1_000_000,
        )
    ]
    answers = {
        told.answer_of(version, asked, known_of(history))
        for version in (first, second)
        for history in ([], book)
    }
    assert len(answers) == 4


def test_what_is_put_takes_the_place(tmp_path: Path) -> None:
    first, second = good_bundles(tmp_path, None)
    put(first, tmp_path / "served")
    put(second, tmp_path / "served")
    served = LoadedModel.load(str(tmp_path / "served")).recommender.model_version
    assert served == LoadedModel.load(str(second)).recommender.model_version
    assert {path.name for path in tmp_path.iterdir()} >= {"served", "good-0", "good-1"}
    assert not (tmp_path / "old").exists()
