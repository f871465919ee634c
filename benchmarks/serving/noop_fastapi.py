"""Serve the same no-op with FastAPI: our schema, prepared bytes, one process of uvicorn.

    NOOP_ANSWER=answer.json .venv-bench/bin/python -m uvicorn benchmarks.serving.noop_fastapi:app

FastAPI lives in the peers' environment, which `make bench-serving` makes.
"""

import gc
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Response

from marquee.api.requests import RecommendRequest

ANSWER = Path(os.environ["NOOP_ANSWER"]).read_bytes()


@asynccontextmanager
async def tuned_collector(_: FastAPI) -> AsyncIterator[None]:
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    yield


app = FastAPI(lifespan=tuned_collector)


@app.get("/readyz")
async def ready() -> Response:
    return Response()


@app.post("/recommend")
async def recommend(request: RecommendRequest) -> Response:
    return Response(ANSWER, media_type="application/json")
