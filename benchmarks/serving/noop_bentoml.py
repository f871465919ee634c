"""Serve a no-op that the service is compared with: BentoML, our settings, schema and answer.

    NOOP_ANSWER=answer.json bentoml serve benchmarks.serving.noop_bentoml:NoOp

It reads the same bodies with the same model (every entry of a history validated) and gives prepared
bytes back. It leaves out the recommendations, and the middleware: keys, limits, request ids, one
error shape. The settings are service.py's own, and so is the tuned collector.

With NOOP_PARTS=bundles/… it also runs the four parts of a list (list_parts.py) at each request,
for prepared users, and throws their results away; with NOOP_PART=stars only that one. So the parts
are measured where they are used: in a server that waits for its callers between two of them, and
finds less of what it needs in the processor's caches than a loop does.
"""

import gc
import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import bentoml
from starlette.responses import Response

from marquee.api.requests import RecommendRequest
from marquee.recommender.responses import RecommendResponse


@bentoml.service(
    name="noop",
    workers=1,
    traffic={"timeout": 5},
    logging={"access": {"enabled": False}},
    tracing={"excluded_urls": "recommend,livez,readyz,metrics"},
    metrics={
        "duration": {"buckets": [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0]}
    },
)
class NoOp:
    def __init__(self) -> None:
        self.answer = Path(os.environ["NOOP_ANSWER"]).read_bytes()
        self.work: Callable[[int], object] = lambda n: None
        self.users = itertools.cycle(range(1))
        if "NOOP_PARTS" in os.environ:
            # Not at the top: the memory of the no-op without parts is measured, too.
            from benchmarks.serving.list_parts import NUM_USERS, part_runner

            self.users = itertools.cycle(range(NUM_USERS))
            self.work = part_runner(
                os.environ["NOOP_PARTS"], os.environ.get("NOOP_PART", "in_turn")
            )

    @bentoml.on_startup
    async def tune_collector(self) -> None:
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)

    @bentoml.api(route="/recommend")
    async def recommend(self, request: RecommendRequest, /) -> RecommendResponse:
        self.work(next(self.users))
        return cast(Any, Response(self.answer, media_type="application/json"))
