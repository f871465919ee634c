"""Call every method of a client once, with arguments that every service takes."""

from typing import Any

RULE = {"where": {"genres": "Drama"}, "action": "bury"}


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
        client.movies(),
        client.put_movies([{"movie_id": 1, "min_age": 12}]),
        client.delete_movie(1),
        client.rules(),
        client.put_rule("r", RULE),
        client.delete_rule("r"),
        client.preview_rule(RULE),
        client.history(42),
        client.export(42),
        client.personalize(42, False),
        client.forget("unknown"),
        client.model(),
        client.ready(),
        client.rate(1, 1, 4.0),
        client.send_events([{"user_id": 1, "movie_id": 1, "kind": "click"}]),
    ]
