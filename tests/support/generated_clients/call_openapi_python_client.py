"""Call every endpoint with the client that openapi-python-client has generated.

SERVICE_URL and SERVICE_KEY name the service; marquee_generated is on the path.
"""

import os
from datetime import UTC, datetime
from typing import Any

from marquee_generated import AuthenticatedClient, models
from marquee_generated.api.default import (
    charts,
    delete_movie,
    delete_rule,
    delete_user,
    events,
    get_history,
    get_model,
    get_movie,
    list_movies,
    list_rules,
    livez,
    metrics,
    movies_delete,
    movies_get,
    openapi_json,
    predict,
    put_movies,
    put_rule,
    rate_next,
    readyz,
    recommend,
    recommend_batch,
    rerank,
    rules_preview,
    search_movies,
    similar,
    users_erase,
    users_export,
    users_history,
    users_settings,
)

client = AuthenticatedClient(base_url=os.environ["SERVICE_URL"], token=os.environ["SERVICE_KEY"])
HISTORY = [models.HistoryEntry(movie_id=50, stars=5.0), models.HistoryEntry(movie_id=296)]
FILTERS = models.Filters(year_min=1990)


def call(operation: Any, **arguments: Any) -> Any:
    """Return the typed answer, that of an error too."""
    return operation.sync(client=client, **arguments)


def call_lists() -> None:
    body = models.RecommendRequest(history=HISTORY, k=3, filters=FILTERS, explain=True)
    page = call(recommend, body=body)
    assert len(page.items) == 3 and page.next_offset == 3 and page.items[0].stars.p_like <= 1
    body = models.RecommendRequest(filters=models.Filters(genres=["No such genre"]))
    batch = models.BatchRequest(requests=[models.RecommendRequest(user_id=42, k=2), body])
    first, second = call(recommend_batch, body=batch).results
    assert len(first.items) == 2 and isinstance(second, models.ErrorResponse)
    body = models.PredictRequest(user_id="anna", history=HISTORY, movie_ids=[6, 1])
    assert [item.movie_id for item in call(predict, body=body).items] == [6, 1]
    body = models.RerankRequest(history=HISTORY, movie_ids=[6, 1])
    assert {item.movie_id for item in call(rerank, body=body).items} == {6, 1}
    body = models.SimilarRequest(movie_id=6, k=2, filters=FILTERS)
    assert all(item.year >= 1990 for item in call(similar, body=body).items)
    body = models.SimilarRequest(movie_ids=[6, 50], k=4)
    assert len(call(similar, body=body).items) == 4
    body = models.ChartsRequest(kind=models.ChartsRequestKind.HIDDEN_GEMS, k=2)
    assert len(call(charts, body=body).items) == 2
    body = models.RateNextRequest(user_id="anna", k=2)
    assert call(rate_next, body=body).items[0].why.seen_probability <= 1


def call_events_and_users() -> None:
    event = models.EventIn(
        event_id="e-1",
        user_id="anna",
        movie_id=6,
        kind=models.EventInKind.RATING,
        stars=4.0,
        at=datetime.now(UTC),
    )
    receipt = call(events, body=models.EventsRequest(events=[event]))
    assert receipt.accepted == 1 and receipt.rejected == []
    user = models.UserIdRequest(user_id="anna")
    (entry,) = call(get_history, user_id="anna").items
    assert (entry.movie_id, entry.stars, entry.at.tzinfo) == (6, 4.0, UTC)
    assert call(users_history, body=user).items == [entry]
    assert call(users_export, body=user).events[0].event_id == "e-1"
    assert call(users_erase, body=user).deleted == 1
    assert call(delete_user, user_id="anna").deleted == 0


def call_movies_and_service() -> None:
    assert call(search_movies, q="blade runner", k=1).items[0].title == "Blade Runner"
    assert call(get_movie, movie_id="6").title == "Heat"
    assert call(movies_get, body=models.MovieIdRequest(movie_id=6)).year == 1995
    assert call(get_model).name == "tiny"
    assert call(readyz).ready is True
    assert call(livez) == "\n"
    assert "marquee_event_store_up" in call(metrics)
    assert call(openapi_json)["openapi"].startswith("3.1")


def call_catalog_and_rules() -> None:
    """Leave the catalog as it was."""
    new = {"movie_id": 900, "title": "The Harbor", "countries": ["DE"]}
    body = models.MoviesRequest.from_dict({"movies": [new]})
    assert call(put_movies, body=body).accepted == 1
    page = call(list_movies, limit=100)
    assert page.items[-1].countries == ["DE"] and page.next_cursor is None
    assert call(delete_movie, movie_id="900").deleted == 1
    assert call(movies_delete, body=models.MovieIdRequest(movie_id=900)).deleted == 0
    rule = models.RuleIn.from_dict({"where": {"genres": "Crime"}, "action": {"pin": {"place": 2}}})
    assert call(put_rule, name="pin", body=rule).name == "pin"
    assert call(list_rules).items[0].name == "pin"
    assert call(delete_rule, name="pin").deleted == 1
    trial = {"where": {"genres": "Crime"}, "action": "exclude", "num_lists": 5}
    assert call(rules_preview, body=models.RulePreviewRequest.from_dict(trial)).lists > 0
    body = models.UserSettingsRequest(user_id="bert", personalized=True)
    assert call(users_settings, body=body).personalized is True


def call_with_errors() -> None:
    """Get the error as a typed answer, with its status."""
    answer = get_movie.sync_detailed(client=client, movie_id="7")
    assert answer.status_code == 404 and answer.parsed.error.code == "unknown_movie"
    answer = similar.sync_detailed(client=client, body=models.SimilarRequest(k=2))
    assert answer.status_code == 422 and answer.parsed.error.fields[0].field == "movie_id"


call_lists()
call_events_and_users()
call_movies_and_service()
call_catalog_and_rules()
call_with_errors()
