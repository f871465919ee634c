"""The HTTP service: a thin BentoML layer over marquee/api/handlers.py.

    BUNDLE=bundles/demo bentoml serve service:Marquee --port 3000
    curl -s localhost:3000/recommend -H 'Content-Type: application/json' -d '{"k": 3}'

Settings come from the environment (marquee/api/settings.py). It refuses to start without a good bundle,
and goes on with the old one where a new one is not good.
"""

# BentoML's decorators have no types, and a Response stands where the annotation names its model.
# mypy: disable-error-code="untyped-decorator,no-any-return,attr-defined"

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import bentoml
import psutil
from pydantic import ValidationError
from starlette.applications import Starlette

from marquee.api.bento_image import image
from marquee.api.middleware import ApiMiddleware
from marquee.api.request_log import without_quotes
from marquee.api.requests import (
    BatchRequest,
    ChartsRequest,
    EventsRequest,
    PredictRequest,
    RateNextRequest,
    RecommendRequest,
    RerankRequest,
    SimilarRequest,
)
from marquee.api.responses import (
    Chart,
    Prediction,
    Questions,
    Recommendation,
    Recommendations,
    Similar,
    Stored,
)
from marquee.api.routes import answer, get_routes
from marquee.api.settings import Settings, cors_origins, whole_paths
from marquee.core.errors import InputError

if TYPE_CHECKING:
    from marquee.api.handlers import Answers
    from marquee.api.model_reloader import Source

# For the worker, started after this file is read: two threads on a product
# as small as one request's wait for each other (62,000 movies, busy machine: 12 ms instead of 4).
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# In an image BentoML sets this and then replaces no dead worker: one of two stays away while
# /readyz is content. The parent reads this file before it decides.
os.environ.pop("BENTOML_CONTAINERIZED", None)

log = logging.getLogger("bentoml.marquee")

RETRY_S = 1.0


def open_source(settings: Settings) -> "Source":
    """Where bundles come from: a folder that holds one, or a store of releases."""
    if settings.bundle.startswith("s3://") or Path(settings.bundle, "versions").is_dir():
        from marquee.releases.follower import ReleaseFollower

        return ReleaseFollower(settings.bundle, settings.bundle_cache)
    from marquee.api.model_reloader import Folder

    return Folder(settings.bundle)


def load_answers(settings: Settings, source: "Source") -> "Answers":
    """What the environment asks for; InputError where the bundle or the store is not usable."""
    from marquee.api.handlers import Answers  # half a second that the parent does without
    from marquee.api.model_reloader import first_model
    from marquee.feedback.store import EventStore

    answers = Answers(first_model(source), EventStore(settings.events_url))
    answers.releases_away = lambda: source.away
    return answers


def wait_for_answers(settings: Settings, source: "Source") -> "Answers":
    """The same, as soon as that is possible: a worker that took a dead one's place may find that a
    bad bundle has been put where it reads."""
    said = ""
    while True:
        try:
            return load_answers(settings, source)
        except InputError as error:
            if said != str(error):
                said = str(error)
                log.error("not ready: %s", said)
            time.sleep(RETRY_S)


@contextmanager
def stopped_at_once() -> Iterator[None]:
    """SIGTERM ends this process: uvicorn would only take note of it, and look when it serves."""
    if threading.current_thread() is not threading.main_thread():  # a test's client
        yield
        return
    kept = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, kept)


def refuse_to_start(settings: Settings) -> None:
    """End the service where nothing of what it is to serve is good."""
    from marquee.api.model_reloader import first_model
    from marquee.feedback.store import EventStore

    try:
        first_model(open_source(settings))
        EventStore(settings.events_url).close()
    except InputError as error:
        print(f"marquee: {error}", file=sys.stderr, flush=True)
        for child in psutil.Process().children(recursive=True):
            child.kill()
        os._exit(2)


def not_the_callers_fault(record: logging.LogRecord) -> bool:
    """Drop BentoML's traceback of each invalid body: the caller has been told."""
    return not (record.exc_info and isinstance(record.exc_info[1], ValidationError))


routes: Starlette = get_routes(lambda: routes.state.answers)


@bentoml.asgi_app(routes)
@bentoml.service(
    name="marquee",
    image=image(),
    workers=1,
    traffic={"timeout": 5},  # a timer per request lives this long; 60 s would hold memory
    logging={"access": {"enabled": False}},  # a line per request costs 0.1 ms
    http={
        "cors": {
            "enabled": bool(cors_origins()),
            "access_control_allow_origins": list(cors_origins()),
            "access_control_allow_methods": ["GET", "POST", "DELETE"],
            "access_control_allow_headers": ["Authorization", "Content-Type", "X-Request-ID"],
            "access_control_expose_headers": ["X-Request-ID", "Retry-After"],
        }
    },
    # Spans are built for every request that is not listed here, at 0.3 ms each.
    tracing={
        "excluded_urls": "recommend,predict,similar,rerank,charts,rate_next,events,movies,users,"
        "model,other,livez,readyz,metrics,openapi"
    },
    metrics={
        "duration": {"buckets": [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0]}
    },
)
class Marquee:
    """Endpoints are async and compute in line: a hop to a thread costs half a millisecond.

    Each returns a finished Response, which BentoML passes through; /openapi.json is ours.
    """

    @bentoml.on_deployment
    def refuse_a_bad_bundle() -> None:
        """Once, in the parent, while its worker starts: a worker that cannot start would try for
        ever."""
        try:
            settings = Settings.read()
        except InputError as error:
            print(f"marquee: {error}", file=sys.stderr)
            sys.exit(2)
        os.environ.update(whole_paths())
        threading.Thread(target=refuse_to_start, args=[settings], daemon=True).start()

    def __init__(self) -> None:
        self.settings = Settings.read()
        self.source = open_source(self.settings)
        with stopped_at_once():
            self.answers = routes.state.answers = wait_for_answers(self.settings, self.source)
        logging.getLogger("bentoml._internal.server.http_app").addFilter(not_the_callers_fault)
        for logger in ("", "bentoml"):
            for handler in logging.getLogger(logger).handlers:
                handler.addFilter(without_quotes)
        if not self.settings.api_keys:
            log.warning("API_KEYS is not set: only requests from this machine are answered")

    @bentoml.on_startup
    async def settle(self) -> None:
        """Look for new bundles from now on; what lives as long as the process is not looked at
        again by the garbage collector."""
        for name in Marquee.apis:  # BentoML reads the signature of an endpoint at every request
            setattr(self, name, getattr(self, name))
        from marquee.api.model_reloader import Watch

        watch = Watch(self.source, self.answers.swap, self.settings.bundle_poll_s)
        self.watching = asyncio.create_task(watch.run())
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)

    @bentoml.on_shutdown
    async def stop(self) -> None:
        self.watching.cancel()
        with suppress(asyncio.CancelledError):
            await self.watching

    @bentoml.api(route="/recommend")
    async def recommend(self, request: RecommendRequest, /) -> Recommendation:
        """The k best movies for a person, known by user_id or by the history given."""
        return cast(Any, await answer(self.answers.recommend(request)))

    @bentoml.api(route="/recommend_batch")
    async def recommend_batch(self, request: BatchRequest, /) -> Recommendations:
        """As many lists, in the order of the requests."""
        return cast(Any, await answer(self.answers.recommend_batch(request)))

    @bentoml.api(route="/predict")
    async def predict(self, request: PredictRequest, /) -> Prediction:
        """Score, stars and support of the movies asked for, in the order asked."""
        return cast(Any, await answer(self.answers.predict(request)))

    @bentoml.api(route="/similar")
    async def similar(self, request: SimilarRequest, /) -> Similar:
        """The k movies most like the ones given."""
        return cast(Any, await answer(self.answers.similar(request)))

    @bentoml.api(route="/rerank")
    async def rerank(self, request: RerankRequest, /) -> Prediction:
        """The movies asked for, best first."""
        return cast(Any, await answer(self.answers.rerank(request)))

    @bentoml.api(route="/charts")
    async def charts(self, request: ChartsRequest, /) -> Chart:
        """A list that is the same for everybody."""
        return cast(Any, await answer(self.answers.charts(request)))

    @bentoml.api(route="/rate_next")
    async def rate_next(self, request: RateNextRequest, /) -> Questions:
        """The movies that are most worth asking this person about."""
        return cast(Any, await answer(self.answers.rate_next(request)))

    @bentoml.api(route="/events")
    async def events(self, request: EventsRequest, /) -> Stored:
        """Keep what people did; what is acknowledged counts in the next request."""
        return cast(Any, await answer(self.answers.events(request)))


Marquee.add_asgi_middleware(ApiMiddleware)
