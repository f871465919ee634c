"""One example for each endpoint, as /openapi.json shows them: a request and its response.

The movies are in every MovieLens file.
"""

from typing import Any

from marquee.api.errors import request_error_body
from marquee.api.responses import ERASE_RECEIPT
from marquee.recommender.errors import RequestError

HEAT = {"movie_id": 6, "title": "Heat", "year": 1995, "genres": ["Action", "Crime"]}
HEAT |= {"num_ratings": 940}
STARS = {"expected": 3.91, "low": 2.5, "high": 5.0, "p_like": 0.61}
SCORED_HEAT = HEAT | {"score": 4.21, "stars": STARS}
BECAUSE = {"because": [{"movie_id": 50, "title": "The Usual Suspects", "effect": 0.31}]}
VERSION = "9f2c6f0d3f0b4d0f8f3b8a7f6f1d1c8e5b0a4c3d2e1f0a9b8c7d6e5f4a3b2c1d"
PREDICTIONS = {"items": [SCORED_HEAT], "strategy": "history", "model_version": VERSION}
HISTORY = [{"movie_id": 50, "stars": 5.0}, {"movie_id": 296, "watched": 0.95}]
EVENT = {"event_id": "5b0f6c1e-2d57-4d0e-9b8e-3f1d1f3f7a10", "user_id": "anna", "movie_id": 6}
EVENT |= {"kind": "rating", "stars": 4.0, "at": "2026-01-31T20:15:00Z"}
NEW_MOVIE: dict[str, Any] = {
    "movie_id": 300001,
    "title": "The Harbor",
    "year": 2026,
    "genres": ["Crime"],
}
NEW_MOVIE |= {"countries": ["DE", "FR"], "available_from": "2026-12-01T00:00:00Z"}
RULE: dict[str, Any] = {"where": {"genres": "Crime"}, "action": {"boost": {"by": 1.5}}}
RULE |= {"when": {"surface": "recommend"}, "until": "2026-12-31T00:00:00Z"}
STORED_RULE = {"name": "crime-week", "rule": RULE, "changed_at": "2026-12-01T09:30:00Z"}
ANY_USER = {"user_id": "anna/b@example.org"}
EXPORTED = {name: value for name, value in EVENT.items() if name != "user_id"}

REQUEST_EXAMPLES: dict[str, dict[str, Any]] = {  # a body, or parameters by name
    "/recommend": {"history": HISTORY, "k": 3, "filters": {"year_min": 1980}, "explain": True},
    "/recommend_batch": {"requests": [{"user_id": 42, "k": 5}, {"history": HISTORY}]},
    "/predict": {"history": HISTORY, "movie_ids": [6, 1]},
    "/similar": {"movie_id": 6, "user_id": "anna", "k": 5},
    "/rerank": {"user_id": "anna", "movie_ids": [1, 6, 50]},
    "/charts": {"kind": "hidden_gems", "k": 5, "filters": {"exclude_genres": ["Action"]}},
    "/rate_next": {"user_id": "anna", "k": 5},
    "/events": {"events": [EVENT]},
    "/users/history": ANY_USER,
    "/users/erase": ANY_USER,
    "/users/export": ANY_USER,
    "/users/settings": ANY_USER | {"personalized": False},
    "/rules/preview": RULE | {"name": "crime-week", "num_lists": 20},
    "PUT /rules/{name}": RULE,
    "DELETE /rules/{name}": {"name": "crime-week"},
    "/movies/get": {"movie_id": 6},
    "/movies/delete": {"movie_id": 6},
    "GET /movies/search": {
        "q": "heat 1995",
        "k": 5,
        "offset": 0,
        "surface": "search",
        "country": "DE",
        "max_age": 12,
    },
    "GET /movies": {"cursor": "296", "limit": 100},
    "PUT /movies": {"movies": [NEW_MOVIE]},
    "GET /movies/{movie_id}": {"movie_id": "6"},
    "DELETE /movies/{movie_id}": {"movie_id": "6"},
    "GET /users/{user_id}/history": {"user_id": "anna"},
    "DELETE /users/{user_id}": {"user_id": "anna"},
}

WHY = {"seen_probability": 0.41, "information": 0.22, "scarcity": 0.13}
NOT_RATED = "a watch with stars, expected none; send kind rating with stars"
NO_YEAR = RequestError("year_min: 2000, expected at most year_max 1990", field="filters.year_min")
REJECTED_EVENT = {"index": 0, "event_id": "e-2", "code": "invalid", "message": NOT_RATED}
RESPONSE_EXAMPLES: dict[str, dict[str, Any]] = {
    "/recommend": PREDICTIONS | {"items": [SCORED_HEAT | BECAUSE], "next_offset": 1},
    "/recommend_batch": {
        "results": [PREDICTIONS | {"next_offset": None}, request_error_body(NO_YEAR)]
    },
    "/predict": PREDICTIONS,
    "/similar": {"items": [HEAT | {"score": 0.87}], "model_version": VERSION, "next_offset": 5},
    "/rerank": PREDICTIONS,
    "/charts": {"items": [SCORED_HEAT], "kind": "hidden_gems", "model_version": VERSION}
    | {"next_offset": None},
    "/rate_next": PREDICTIONS | {"items": [HEAT | {"stars": STARS, "why": WHY}]},
    "/events": {"accepted": 1, "duplicates": 0, "rejected": [REJECTED_EVENT]},
    "/users/history": ANY_USER | {"items": [HEAT | {"stars": 4.0, "at": EVENT["at"]}]},
    "/users/erase": {"deleted": 12, "receipt": ERASE_RECEIPT},
    "/users/export": ANY_USER | {"user_key": None, "events": [EXPORTED], "settings": {}},
    "/users/settings": ANY_USER | {"personalized": False},
    "/rules/preview": {"lists": 20, "changed": 12, "warnings": []}
    | {"examples": [{"before": [50, 6], "after": [6, 50]}]},
    "GET /rules": {"version": 7, "warnings": [], "items": [STORED_RULE]},
    "PUT /rules/{name}": {"name": "crime-week", "warnings": []},
    "DELETE /rules/{name}": {"deleted": 1},
    "/movies/get": HEAT | {"countries": ["DE", "FR"]},
    "/movies/delete": {"deleted": 1},
    "GET /movies": {"items": [HEAT], "next_cursor": None},
    "PUT /movies": {"accepted": 1, "rejected": []},
    "GET /movies/search": {"items": [HEAT], "model_version": VERSION, "next_offset": None},
    "GET /movies/{movie_id}": HEAT | {"countries": ["DE", "FR"]},
    "DELETE /movies/{movie_id}": {"deleted": 1},
    "GET /users/{user_id}/history": {
        "user_id": "anna",
        "items": [HEAT | {"stars": 4.0, "at": EVENT["at"]}],
    },
    "DELETE /users/{user_id}": {"deleted": 12},
    "GET /model": {
        "model_version": VERSION,
        "name": "ml-1m",
        "metrics": {},
        "data": {"name": "ml-1m"},
    },
    "GET /readyz": {"ready": True, "model_version": VERSION, "events": "up"},
}
