"""The HTTP service: a thin BentoML layer over marquee/api/handlers.py.

BUNDLE=bundles/demo bentoml serve service:Marquee --port 3000
curl -s localhost:3000/recommend -H 'Content-Type: application/json' -d '{"k": 3}'
"""

# mypy: disable-error-code="untyped-decorator,attr-defined"

from typing import Any

import bentoml
from starlette.applications import Starlette

from marquee.api import requests
from marquee.api.access.cors import with_cors
from marquee.api.middleware import ApiMiddleware
from marquee.api.process.bento_image import image
from marquee.api.process.supervisor import IS_SUPERVISOR, count_workers, prepare_workers
from marquee.api.routes import get_routes, respond
from marquee.api.settings import Settings

if not IS_SUPERVISOR:  # a second and 65 MB that the parent of the workers does without
    from marquee.api.handlers import Handlers
    from marquee.api.process.draining_server import use_draining_server
    from marquee.api.process.worker import Worker

    use_draining_server()

routes: Starlette = get_routes()


@bentoml.asgi_app(routes)
@bentoml.service(
    name="marquee",
    image=image(),
    workers=count_workers(),
    traffic={"timeout": 5},  # a timer per request lives this long; 60 s would hold memory
    logging={"access": {"enabled": False}},  # a line per request costs 0.1 ms
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
    """The endpoints; in line, since a hop to a thread costs half a millisecond.

    Each returns a finished Response; the types of its body are in marquee/api/openapi.py.
    """

    @bentoml.on_deployment
    def prepare() -> None:
        """Refuse bad settings, a bad bundle or a bad store; once, in the supervisor."""
        prepare_workers()

    def __init__(self) -> None:
        self.worker = Worker(Settings.from_environment())
        routes.state.handlers = self.worker.handlers

    @property
    def handlers(self) -> "Handlers":
        return routes.state.handlers

    @bentoml.on_startup
    async def start(self) -> None:
        for name in Marquee.apis:  # BentoML reads the signature of an endpoint at every request
            setattr(self, name, getattr(self, name))
        await self.worker.start()

    @bentoml.on_shutdown
    async def stop(self) -> None:
        await self.worker.stop()

    @bentoml.api(route="/recommend")
    async def recommend(self, request: requests.RecommendRequest, /) -> Any:
        """Recommend the k best movies for a user, known by user_id or by a history."""
        return await respond(self.handlers.recommend(request))

    @bentoml.api(route="/recommend_batch")
    async def recommend_batch(self, request: requests.BatchRequest, /) -> Any:
        """Recommend for many users, in the order of the requests."""
        return await respond(self.handlers.recommend_batch(request))

    @bentoml.api(route="/predict")
    async def predict(self, request: requests.PredictRequest, /) -> Any:
        """Predict score and stars of movies, in the order of the request."""
        return await respond(self.handlers.predict(request))

    @bentoml.api(route="/similar")
    async def similar(self, request: requests.SimilarRequest, /) -> Any:
        """Return the k movies most like one or several."""
        return await respond(self.handlers.similar(request))

    @bentoml.api(route="/rerank")
    async def rerank(self, request: requests.RerankRequest, /) -> Any:
        """Sort movies for a user, best first."""
        return await respond(self.handlers.rerank(request))

    @bentoml.api(route="/charts")
    async def charts(self, request: requests.ChartsRequest, /) -> Any:
        """Return a list that is the same for all users."""
        return await respond(self.handlers.charts(request))

    @bentoml.api(route="/rate_next")
    async def rate_next(self, request: requests.RateNextRequest, /) -> Any:
        """Return the movies that are most worth asking a user about."""
        return await respond(self.handlers.rate_next(request))

    @bentoml.api(route="/events")
    async def events(self, request: requests.EventsRequest, /) -> Any:
        """Store events; what is acknowledged counts in the next request."""
        return await respond(self.handlers.events(request))

    @bentoml.api(route="/users/history")
    async def user_history(self, request: requests.UserIdRequest, /) -> Any:
        """Return the stored history of a user, oldest first."""
        return await respond(self.handlers.history(request))

    @bentoml.api(route="/users/erase")
    async def erase_user(self, request: requests.UserIdRequest, /) -> Any:
        """Delete every row of a user."""
        return await respond(self.handlers.erase(request))

    @bentoml.api(route="/users/export")
    async def export_user(self, request: requests.UserIdRequest, /) -> Any:
        """Return every row that is stored of a user."""
        return await respond(self.handlers.export(request))

    @bentoml.api(route="/movies/get")
    async def get_movie(self, request: requests.MovieIdRequest, /) -> Any:
        """Return one movie."""
        return await respond(self.handlers.catalog.movie(request))


Marquee.add_asgi_middleware(with_cors)  # the first stands outermost
Marquee.add_asgi_middleware(ApiMiddleware)
