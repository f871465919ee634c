"""Test the state of a user: the rule of each kind of event, and the order of entries."""

from typing import Any

import pytest

from marquee.feedback.user_state import StoredEvent, UserState, reduce_events

RATED = (1, 4.0, None, 0)
"""Movie 1 with 4 stars at time 0, as an entry."""


def reduce(*events: tuple[Any, ...]) -> UserState:
    """Reduce events (kind, stars or watched) of movie 1, one a microsecond."""
    rows: list[StoredEvent] = []
    for at, (kind, *value) in enumerate(events):
        number = value[0] if value else None
        stars, watched = (number, None) if kind == "rating" else (None, number)
        rows.append(StoredEvent("ann", 1, kind, stars, watched, at, at))
    return reduce_events(rows)


@pytest.mark.parametrize(
    ("events", "state"),
    [
        pytest.param([], UserState(), id="nothing"),
        pytest.param([("rating", 4.0)], UserState((RATED,)), id="rated"),
        pytest.param(
            [("rating", 4.0), ("rating", 2.0)], UserState(((1, 2.0, None, 1),)), id="again"
        ),
        pytest.param([("watch", 0.5)], UserState(((1, None, 0.5, 0),)), id="watched"),
        pytest.param([("watch",)], UserState(((1, None, None, 0),)), id="watched-somehow"),
        pytest.param(
            [("watch", 0.5), ("watch",)], UserState(((1, None, None, 1),)), id="rewatched"
        ),
        pytest.param([("rating", 4.0), ("watch", 0.5)], UserState(((1, 4.0, 0.5, 1),)), id="both"),
        pytest.param([("rating", 4.0), ("unrate",)], UserState(), id="taken-back"),
        pytest.param(
            [("watch", 0.5), ("rating", 4.0), ("unrate",)],
            UserState(((1, None, 0.5, 0),)),
            id="unrated-stays-watched",
        ),
        pytest.param([("rating", 4.0), ("not_interested",)], UserState((), (1,)), id="unwanted"),
        pytest.param(
            [("not_interested",), ("rating", 4.0)], UserState(((1, 4.0, None, 1),)), id="wanted"
        ),
        pytest.param(
            [("not_interested",), ("watch", 0.5)], UserState((), (1,)), id="watched-unwanted"
        ),
        pytest.param([("not_interested",), ("unrate",)], UserState(), id="unwanted-taken-back"),
        pytest.param([("rating", 4.0), ("not_seen",)], UserState((), (), (1,)), id="not-seen"),
        pytest.param(
            [("not_seen",), ("rating", 4.0)], UserState(((1, 4.0, None, 1),)), id="then-rated"
        ),
        pytest.param(
            [("not_seen",), ("watch", 0.5)], UserState(((1, None, 0.5, 1),)), id="then-seen"
        ),
        pytest.param([("not_seen",), ("unrate",)], UserState(), id="not-seen-taken-back"),
        pytest.param(
            [("not_interested",), ("not_seen",)], UserState((), (1,), (1,)), id="both-marks"
        ),
        pytest.param(
            [("watch", 0.5), ("not_seen",), ("unrate",)],
            UserState(((1, None, 0.5, 0),)),
            id="mark-removed-shows-the-watch",
        ),
        pytest.param(
            [("rating", 4.0), ("click",), ("impression",)], UserState((RATED,)), id="stateless"
        ),
    ],
)
def test_reduce_events_of_one_movie(events: list[tuple[Any, ...]], state: UserState) -> None:
    assert reduce(*events) == state


def test_reduce_events_orders_by_last_rating_or_watch() -> None:
    rows: list[StoredEvent] = [
        StoredEvent("ann", 1, "rating", 4.0, None, 10, 0),
        StoredEvent("ann", 2, "rating", 3.0, None, 20, 1),
        StoredEvent("ann", 3, "watch", None, 0.9, 20, 2),
        StoredEvent("ann", 1, "watch", None, 0.2, 30, 3),
        StoredEvent("ann", 2, "click", None, None, 40, 4),
    ]
    assert reduce_events(rows).history == (
        (2, 3.0, None, 20),
        (3, None, 0.9, 20),
        (1, 4.0, 0.2, 30),
    )


def test_reduce_events_keeps_marks_in_the_order_of_setting() -> None:
    rows: list[StoredEvent] = [
        StoredEvent("ann", 2, "not_interested", None, None, 10, 0),
        StoredEvent("ann", 9, "not_seen", None, None, 10, 1),
        StoredEvent("ann", 1, "not_interested", None, None, 20, 2),
        StoredEvent("ann", 5, "not_seen", None, None, 30, 3),
        StoredEvent("ann", 2, "not_interested", None, None, 40, 4),
    ]
    assert reduce_events(rows) == UserState((), (1, 2), (9, 5))
