"""Call every endpoint with the Python client that openapi-generator has generated.

SERVICE_URL and SERVICE_KEY name the service; marquee_generated is on the path.
"""

import os
from datetime import UTC, datetime

import marquee_generated as api
from marquee_generated.exceptions import NotFoundException, UnprocessableEntityException

settings = api.Configuration(host=os.environ["SERVICE_URL"], access_token=os.environ["SERVICE_KEY"])
client = api.DefaultApi(api.ApiClient(settings))
HEAT, TOY_STORY = api.MovieId(6), api.MovieId(1)
HISTORY = [
    api.HistoryEntry(movie_id=api.MovieId(50), stars=5.0),
    api.HistoryEntry(movie_id=api.MovieId(296)),
]
FILTERS = api.Filters(year_min=1990)
ANNA = api.UserId("anna")


def call_lists() -> None:
    body = api.RecommendRequest(history=HISTORY, k=3, filters=FILTERS, explain=True)
    page = client.recommend(body)
    assert len(page.items) == 3 and page.next_offset == 3 and page.items[0].stars.p_like <= 1
    body = api.RecommendRequest(filters=api.Filters(genres=["No such genre"]))
    batch = api.BatchRequest(requests=[api.RecommendRequest(user_id=api.UserId(42), k=2), body])
    first, second = (result.actual_instance for result in client.recommend_batch(batch).results)
    assert len(first.items) == 2 and isinstance(second, api.ErrorResponse)
    predictions = client.predict(
        api.PredictRequest(user_id=ANNA, history=HISTORY, movie_ids=[HEAT, TOY_STORY])
    )
    assert [item.movie_id.actual_instance for item in predictions.items] == [6, 1]
    ranking = client.rerank(api.RerankRequest(history=HISTORY, movie_ids=[HEAT, TOY_STORY]))
    assert {item.movie_id.actual_instance for item in ranking.items} == {6, 1}
    similar = client.similar(api.SimilarRequest(movie_id=HEAT, k=2, filters=FILTERS))
    assert all(item.year >= 1990 for item in similar.items)
    assert (
        len(client.similar(api.SimilarRequest(movie_ids=[HEAT, api.MovieId(50)], k=4)).items) == 4
    )
    assert len(client.charts(api.ChartsRequest(kind="hidden_gems", k=2)).items) == 2
    questions = client.rate_next(api.RateNextRequest(user_id=ANNA, k=2))
    assert questions.items[0].why.seen_probability <= 1


def call_events_and_users() -> None:
    event = api.EventIn(
        event_id="e-1",
        user_id=ANNA,
        movie_id=HEAT,
        kind="rating",
        stars=4.0,
        at=datetime.now(UTC),
    )
    receipt = client.events(api.EventsRequest(events=[event]))
    assert receipt.accepted == 1 and receipt.rejected == []
    user = api.UserIdRequest(user_id=ANNA)
    (entry,) = client.get_history("anna").items
    assert (entry.movie_id.actual_instance, entry.stars) == (
        6,
        4.0,
    ) and entry.at.utcoffset() is not None
    assert client.users_history(user).items == [entry]
    assert client.users_export(user).events[0].event_id == "e-1"
    assert client.users_erase(user).deleted == 1
    assert client.delete_user("anna").deleted == 0


def call_movies_and_service() -> None:
    assert client.search_movies(q="blade runner", k=1).items[0].title == "Blade Runner"
    assert client.get_movie("6").title == "Heat"
    assert client.movies_get(api.MovieIdRequest(movie_id=HEAT)).year == 1995
    assert client.get_model().name == "tiny"
    assert client.readyz().ready is True
    assert client.livez() == "\n"
    assert "marquee_event_store_up" in client.metrics()
    assert client.openapi_json()["openapi"].startswith("3.1")


def call_catalog_and_rules() -> None:
    """Leave the catalog as it was."""
    new = {"movie_id": 900, "title": "The Harbor", "countries": ["DE"]}
    assert client.put_movies(api.MoviesRequest.from_dict({"movies": [new]})).accepted == 1
    page = client.list_movies(limit=100)
    assert page.items[-1].countries == ["DE"] and page.next_cursor is None
    assert client.delete_movie("900").deleted == 1
    assert client.movies_delete(api.MovieIdRequest(movie_id=api.MovieId(900))).deleted == 0
    rule = {"where": {"genres": "Crime"}, "action": {"pin": {"place": 2}}}
    assert client.put_rule("pin", api.RuleIn.from_dict(rule)).name == "pin"
    assert client.list_rules().items[0].name == "pin"
    assert client.delete_rule("pin").deleted == 1
    trial = {"where": {"genres": "Crime"}, "action": "exclude", "num_lists": 5}
    assert client.rules_preview(api.RulePreviewRequest.from_dict(trial)).lists > 0
    settings = api.UserSettingsRequest(user_id=api.UserId("bert"), personalized=True)
    assert client.users_settings(settings).personalized is True


def call_with_errors() -> None:
    try:
        client.get_movie("7")
    except NotFoundException as error:
        assert error.data.error.code == "unknown_movie"
    else:
        raise AssertionError("no error")
    try:
        client.similar(api.SimilarRequest(k=2))
    except UnprocessableEntityException as error:
        assert error.data.error.fields[0].var_field == "movie_id"
    else:
        raise AssertionError("no error")


call_lists()
call_events_and_users()
call_movies_and_service()
call_catalog_and_rules()
call_with_errors()
