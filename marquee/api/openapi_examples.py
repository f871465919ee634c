"""One example for each endpoint, as /openapi.json shows them: what is asked, and what comes back.

The films are there in every MovieLens file; the tests ask each of these and check each against its
schema.
"""

from typing import Any

HEAT = {"movie_id": 6, "title": "Heat", "year": 1995, "genres": ["Action", "Crime"], "support": 940}
STARS = {"expected": 3.91, "low": 2.5, "high": 5.0, "p_like": 0.61}
LISTED = HEAT | {"score": 4.21, "stars": STARS}
BECAUSE = {"because": [{"movie_id": 50, "title": "The Usual Suspects", "effect": 0.31}]}
VERSION = "9f2c6f0d3f0b4d0f8f3b8a7f6f1d1c8e5b0a4c3d2e1f0a9b8c7d6e5f4a3b2c1d"
LIST = {"items": [LISTED], "strategy": "history", "model_version": VERSION}
TWO = [{"movie_id": 50, "stars": 5.0}, {"movie_id": 296, "portion": 0.95}]
EVENT = {
    "event_id": "5b0f6c1e-2d57-4d0e-9b8e-3f1d1f3f7a10",
    "user_id": "anna",
    "movie_id": 6,
    "kind": "rating",
    "stars": 4.0,
    "at": "2026-01-31T20:15:00Z",
}

ASKED: dict[str, dict[str, Any]] = {
    "/recommend": {"history": TWO, "k": 3, "filters": {"year_min": 1980}, "explain": True},
    "/recommend_batch": {"requests": [{"user_id": 42, "k": 5}, {"history": TWO}]},
    "/predict": {"history": TWO, "movie_ids": [6, 1]},
    "/similar": {"movie_id": 6, "k": 5},
    "/rerank": {"user_id": "anna", "movie_ids": [1, 6, 50]},
    "/charts": {"kind": "hidden_gems", "k": 5, "filters": {"exclude_genres": ["Action"]}},
    "/rate_next": {"user_id": "anna", "k": 5},
    "/events": {"events": [EVENT]},
    "/movies/search": {"q": "heat 1995", "k": 5},
    "/movies/{movie_id}": {"movie_id": 6},
    "/users/{user_id}/history": {"user_id": "anna"},
    "/users/{user_id}": {"user_id": "anna"},
}
"""Bodies, and parameters by name."""

WHY = {"seen_probability": 0.41, "information": 0.22, "scarcity": 0.13}
ANSWERED: dict[str, dict[str, Any]] = {
    "/recommend": LIST | {"items": [LISTED | BECAUSE], "next_offset": 1},
    "/recommend_batch": {
        "results": [
            LIST | {"next_offset": None},
            {"error": {"code": "unknown_movie", "message": "movie 7 is not in this bundle"}},
        ]
    },
    "/predict": LIST,
    "/similar": {"items": [HEAT | {"score": 0.87}], "model_version": VERSION},
    "/rerank": LIST,
    "/charts": {"items": [LISTED], "kind": "hidden_gems", "model_version": VERSION},
    "/rate_next": LIST | {"items": [HEAT | {"stars": STARS, "why": WHY}]},
    "/events": {
        "accepted": 1,
        "duplicates": 0,
        "rejected": [{"event_id": "e-2", "code": "unknown_movie", "message": "no movie 7"}],
    },
    "/movies/search": {"items": [HEAT], "model_version": VERSION},
    "/movies/{movie_id}": HEAT,
    "/users/{user_id}/history": {
        "user_id": "anna",
        "items": [HEAT | {"stars": 4.0, "at": EVENT["at"]}],
    },
    "/users/{user_id}": {"deleted": 12},
    "/model": {"model_version": VERSION, "name": "ml-1m", "metrics": {}, "data": {"name": "ml-1m"}},
    "/readyz": {"ready": True, "model_version": VERSION, "events": "up"},
}
