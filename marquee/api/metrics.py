"""Metrics of the service, beside BentoML's latency and requests by endpoint: /metrics."""

from collections.abc import Iterable
from datetime import datetime
from functools import cache, partial
from typing import Any

from prometheus_client import Counter, Gauge, Histogram, Summary

from marquee.api.responses import EventsReceipt
from marquee.feedback.event_schema import Event

LISTS = Counter("marquee_lists_total", "Lists answered", ["endpoint", "strategy"])
EMPTY = Counter("marquee_empty_lists_total", "Lists without a movie", ["endpoint"])
CACHED_LISTS = Counter("marquee_answers_remembered_total", "Lists from the cache")
VERSION = ["model_version"]
# The means of these two drift when the histories change.
TOP_SCORE = Summary("marquee_top_score", "Logit of first places", VERSION)
TOP_STARS = Summary("marquee_top_expected_stars", "Expected stars of first places", VERSION)
EVENTS = Counter("marquee_events_total", "Events that came in", ["outcome"])
LAG_BUCKETS = (0.1, 1, 10, 60, 600, 3600, 86_400)
LAG = Histogram("marquee_event_lag_seconds", "From an event to its arrival", buckets=LAG_BUCKETS)
LatestGauge = partial(Gauge, multiprocess_mode="mostrecent")
STORE_UP = LatestGauge("marquee_event_store_up", "Whether the database answers")
RELEASES_UP = LatestGauge("marquee_release_store_up", "Whether the store of releases answers")
MODEL = LatestGauge("marquee_model_info", "The model", VERSION)
SWAPS = Counter("marquee_bundle_swaps_total", "New bundles", ["outcome"])

LISTS_LABELS = cache(LISTS.labels)  # a look-up of labels costs half of what counting does
SCORE_LABELS, STARS_LABELS = cache(TOP_SCORE.labels), cache(TOP_STARS.labels)


def count_lists(endpoint: str, responses: Iterable[Any]) -> None:
    for response in responses:
        LISTS_LABELS(endpoint, response["strategy"]).inc()
        if not response["items"]:
            EMPTY.labels(endpoint).inc()
            continue
        top, version = response["items"][0], response["model_version"][:12]
        SCORE_LABELS(version).observe(top["score"])
        if stars := top.get("stars"):  # absent without ratings
            STARS_LABELS(version).observe(stars["expected"])


def count_events(events: Iterable[Event], now: datetime, receipt: EventsReceipt) -> None:
    """Count the outcomes of one request, and the lag of its events that have a time."""
    for event in events:
        if event.at_us is not None:
            LAG.observe(max(0.0, now.timestamp() - event.at_us / 1e6))
    EVENTS.labels("accepted").inc(receipt["accepted"])
    EVENTS.labels("duplicates").inc(receipt["duplicates"])
    EVENTS.labels("rejected").inc(len(receipt["rejected"]))


def set_model(model_version: str, previous: str | None = None) -> None:
    if previous is not None:
        MODEL.labels(previous[:12]).set(0)
    MODEL.labels(model_version[:12]).set(1)
