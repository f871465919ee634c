"""What the service counts beside BentoML's own latency and requests by endpoint: /metrics.

marquee_lists_total            lists by endpoint and strategy
marquee_empty_lists_total      lists without a movie (a filter that nothing passes)
marquee_top_score              logit of first places: its mean drifts when what people bring changes
marquee_top_expected_stars     expected stars of first places, likewise
marquee_events_total           events by outcome: accepted, duplicate or rejected
marquee_event_lag_seconds      between what happened and its arrival, duplicates included
marquee_event_store_up         0 while the database does not answer
marquee_model_info             1 for the model version that answers
marquee_release_store_up       0 while the store of releases does not answer
marquee_bundle_swaps_total     new bundles by outcome: swapped or refused
marquee_answers_remembered_total   lists of known people that were given again
"""

from collections.abc import Iterable
from datetime import datetime
from functools import cache
from typing import Any

from prometheus_client import Counter, Gauge, Histogram, Summary

from marquee.feedback.events import Event

LISTS = Counter("marquee_lists_total", "Lists answered", ["endpoint", "strategy"])
EMPTY = Counter("marquee_empty_lists_total", "Lists without a movie", ["endpoint"])
TOP_SCORE = Summary("marquee_top_score", "Logit of first places", ["model_version"])
TOP_STARS = Summary(
    "marquee_top_expected_stars", "Expected stars of first places", ["model_version"]
)
EVENTS = Counter("marquee_events_total", "Events that came in", ["outcome"])
LAG = Histogram(
    "marquee_event_lag_seconds",
    "Between what happened and its arrival",
    buckets=(0.1, 1, 10, 60, 600, 3600, 86_400),
)
STORE_UP = Gauge(
    "marquee_event_store_up", "Whether the database answers", multiprocess_mode="mostrecent"
)
RELEASES_UP = Gauge(
    "marquee_release_store_up",
    "Whether the store of releases answers",
    multiprocess_mode="mostrecent",
)
MODEL = Gauge("marquee_model_info", "The model", ["model_version"], multiprocess_mode="mostrecent")
SWAPS = Counter("marquee_bundle_swaps_total", "New bundles", ["outcome"])
REMEMBERED = Counter("marquee_answers_remembered_total", "Lists given again")

LISTS_OF = cache(LISTS.labels)
"""A look-up costs half of what counting does."""
SCORE_OF, STARS_OF = cache(TOP_SCORE.labels), cache(TOP_STARS.labels)


def listed(endpoint: str, answers: Iterable[dict[str, Any]]) -> None:
    """Count lists that are given."""
    for answer in answers:
        LISTS_OF(endpoint, answer["strategy"]).inc()
        if not answer["items"]:
            EMPTY.labels(endpoint).inc()
            continue
        first, version = answer["items"][0], answer["model_version"][:12]
        SCORE_OF(version).observe(first["score"])
        STARS_OF(version).observe(first["stars"]["expected"])


def arrived(events: Iterable[Event], now: datetime, **outcomes: int) -> None:
    """Count events that were stored, or had been; outcomes: how many were accepted, …"""
    for event in events:
        LAG.observe(max(0.0, now.timestamp() - event.at_us / 1e6))
    for outcome, number in outcomes.items():
        EVENTS.labels(outcome).inc(number)


def serves(model_version: str, before: str | None = None) -> None:
    """This model answers from now on."""
    if before is not None:
        MODEL.labels(before[:12]).set(0)
    MODEL.labels(model_version[:12]).set(1)
