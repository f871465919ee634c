"""Call every method of a client once, with arguments that every service takes."""

from typing import Any


def call_every_method(client: Any) -> list[Any]:
    """Return the results, or the awaitables of an AsyncMarquee."""
    return [
        client.recommend(),
        client.recommend_batch([{"k": 1}]),
        client.predict([1]),
        client.rerank([1]),
        client.similar(1),
        client.charts(),
        client.rate_next(),
        client.search("heat"),
        client.movie(1),
        client.history(42),
        client.export(42),
        client.forget("unknown"),
        client.model(),
        client.ready(),
        client.rate(1, 1, 4.0),
        client.send_events([{"user_id": 1, "movie_id": 1, "kind": "click"}]),
    ]
