"""Metrics of the service, beside BentoML's latency and requests by endpoint: /metrics.

marquee_lists_total                lists by endpoint and strategy
marquee_empty_lists_total          lists without a movie (filters that no movie passes)
marquee_top_score                  logit of first places: its mean drifts when the histories change
marquee_top_expected_stars         expected stars of first places, likewise
marquee_events_total               events by outcome: accepted, duplicates or rejected
marquee_event_lag_seconds          from an event to its arrival, duplicates included
marquee_event_store_up             0 while the database does not answer
marquee_model_info                 1 for the model version that answers
marquee_release_store_up           0 while the store of releases does not answer
marquee_bundle_swaps_total         new bundles by outcome: swapped or refused
marquee_answers_remembered_total   lists of stored users that came from the cache
"""

from collections.abc import Iterable
from datetime import datetime
from functools import cache
from typing import Any

from prometheus_client import Counter, Gauge, Histogram, Summary

from marquee.feedback.event_schema import Event

LISTS = Counter("marquee_lists_total", "Lists answered", ["endpoint", "strategy"])
EMPTY = Counter("marquee_empty_lists_total", "Lists without a movie", ["endpoint"])
TOP_SCORE = Summary("marquee_top_score", "Logit of first places", ["model_version"])
TOP_STARS = Summary(
    "marquee_top_expected_stars", "Expected stars of first places", ["model_version"]
)
EVENTS = Counter("marquee_events_total", "Events that came in", ["outcome"])
LAG = Histogram(
    "marquee_event_lag_seconds",
    "From an event to its arrival",
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
CACHED_LISTS = Counter("marquee_answers_remembered_total", "Lists from the cache")

LISTS_LABELS = cache(LISTS.labels)
"""A look-up of labels costs half of what counting does."""
SCORE_LABELS, STARS_LABELS = cache(TOP_SCORE.labels), cache(TOP_STARS.labels)


def count_lists(endpoint: str, responses: Iterable[Any]) -> None:
    """Count the lists of one request: RecommendResponse each."""
    for response in responses:
        LISTS_LABELS(endpoint, response["strategy"]).inc()
        if not response["items"]:
            EMPTY.labels(endpoint).inc()
            continue
        top, version = response["items"][0], response["model_version"][:12]
        SCORE_LABELS(version).observe(top["score"])
        STARS_LABELS(version).observe(top["stars"]["expected"])


def count_events(
    events: Iterable[Event], now: datetime, *, accepted: int, duplicates: int, rejected: int
) -> None:
    """Count the outcomes of one request, and the lag of the events that are stored."""
    for event in events:
        LAG.observe(max(0.0, now.timestamp() - event.at_us / 1e6))
    for outcome, count in (
        ("accepted", accepted),
        ("duplicates", duplicates),
        ("rejected", rejected),
    ):
        EVENTS.labels(outcome).inc(count)


def set_model(model_version: str, previous: str | None = None) -> None:
    """Record the model version that answers from now on."""
    if previous is not None:
        MODEL.labels(previous[:12]).set(0)
    MODEL.labels(model_version[:12]).set(1)
