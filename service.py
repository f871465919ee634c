"""The HTTP service: a thin BentoML layer over serving/answers.py.

    BUNDLE=bundles/demo bentoml serve service:Marquee --port 3000
    curl -s localhost:3000/recommend -H 'Content-Type: application/json' -d '{"k": 3}'

Settings come from the environment (serving/settings.py). It refuses to start without a good bundle.
"""

# BentoML's decorators have no types, and a Response stands where the annotation names its model.
# mypy: disable-error-code="untyped-decorator,no-any-return,attr-defined"

import gc
import logging
import os
import sys
from typing import Any, cast

import bentoml
from pydantic import ValidationError
from starlette.applications import Starlette

from catalogue.errors import UserError
from serving.answers import Answers
from serving.events import EventStore
from serving.guard import Guard
from serving.http import answer, get_routes
from serving.recommender import Recommender
from serving.schemas import (
    Prediction,
    PredictRequest,
    Recommendation,
    RecommendRequest,
    Similar,
    SimilarRequest,
)
from serving.settings import Settings, api_keys

# For the worker, started after this file is read: two threads on a product
# as small as one request's wait for each other (62,000 movies, busy machine: 12 ms instead of 4).
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

log = logging.getLogger("bentoml.marquee")


def load_answers() -> Answers:
    """What the environment asks for; UserError where the bundle or the store is not usable."""
    settings = Settings.read()
    return Answers(Recommender.load(settings.bundle), EventStore(settings.events_url))


def not_the_callers_fault(record: logging.LogRecord) -> bool:
    """Drop BentoML's traceback of each invalid body: the caller has been told."""
    return not (record.exc_info and isinstance(record.exc_info[1], ValidationError))


routes: Starlette = get_routes(lambda: cast(Answers, routes.state.answers))


@bentoml.asgi_app(routes)
@bentoml.service(
    name="marquee",
    workers=1,
    traffic={"timeout": 5},  # a timer per request lives this long; 60 s would hold memory
    logging={"access": {"enabled": False}},  # a line per request costs 0.1 ms
    # Spans are built for every request that is not listed here, at 0.3 ms each.
    tracing={
        "excluded_urls": "recommend,predict,similar,movies,users,model,other,livez,readyz,metrics"
    },
    metrics={
        "duration": {"buckets": [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0]}
    },
)
class Marquee:
    """Endpoints are async and compute in line: a hop to a thread costs half a millisecond.

    Each returns a finished Response, which BentoML passes through; the annotation is what
    /docs.json tells.
    """

    @bentoml.on_deployment
    def refuse_a_bad_bundle() -> None:
        """Once, before any worker: a worker that cannot start would be started again for ever."""
        try:
            load_answers()
        except UserError as error:
            print(f"marquee: {error}", file=sys.stderr)
            sys.exit(2)

    def __init__(self) -> None:
        self.answers = routes.state.answers = load_answers()
        logging.getLogger("bentoml._internal.server.http_app").addFilter(not_the_callers_fault)
        if not api_keys():
            log.warning("API_KEYS is not set: only requests from this machine are answered")

    @bentoml.on_startup
    def settle(self) -> None:
        """What lives as long as the process is not looked at again by the garbage collector."""
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)

    @bentoml.api(route="/recommend")
    async def recommend(self, request: RecommendRequest, /) -> Recommendation:
        """The k best movies for a person, known by user_id or by the history given."""
        return cast(Any, answer(self.answers.recommend, request))

    @bentoml.api(route="/predict")
    async def predict(self, request: PredictRequest, /) -> Prediction:
        """Score, stars and support of the movies asked for, in the order asked."""
        return cast(Any, answer(self.answers.predict, request))

    @bentoml.api(route="/similar")
    async def similar(self, request: SimilarRequest, /) -> Similar:
        """The k movies most like the ones given."""
        return cast(Any, answer(self.answers.similar, request))


Marquee.add_asgi_middleware(Guard)
