"""Test the catalog's store: titles, rules and their audit, on both databases."""

from typing import Any

import pytest

from marquee.catalog.catalog_store import CatalogStore
from marquee.catalog.records import ChangeCursor, movie_subject, rule_subject
from marquee.core.errors import InputError
from marquee.feedback.event_schema import Event
from marquee.feedback.migrate import EXPANDED
from marquee.feedback.movie_keys import movie_key
from marquee.feedback.store import EventStore
from tests.support.event_tables import connect, make_tables

HEAT = {"movie_id": 6, "title": "Heat", "year": 1995, "attributes": {"studio": "Regency"}}
DOCUMENT = {name: value for name, value in HEAT.items() if name != "movie_id"}
KIDS = {"where": {"genres": "Horror"}, "action": "exclude"}


def document_of(catalog: CatalogStore, movie_id: int | str) -> dict[str, Any] | None:
    movie = catalog.movie(movie_id)
    return None if movie is None or movie.is_deleted else movie.document


def test_catalog_store_begins_empty(catalog: CatalogStore) -> None:
    assert catalog.version() == 0 and catalog.movie(6) is None
    assert catalog.movies() == ([], None) and catalog.rules() == (0, [])
    assert catalog.audit() == ([], None)
    (changes,) = catalog.changes_since(ChangeCursor())
    assert (changes.movies, changes.rules, changes.is_last) == ([], None, True)


def test_put_movies_keeps_fields_that_are_absent(catalog: CatalogStore) -> None:
    assert catalog.put_movies([HEAT], "ann") == 1
    first = catalog.movie(6)
    assert first is not None and first.document == DOCUMENT
    change = {"movie_id": 6, "year": None, "attributes": {"plan": "gold"}}
    assert catalog.put_movies([change], "ann") == 2
    movie = catalog.movie(6)
    assert movie is not None and movie.version == 2
    attributes = {"studio": "Regency", "plan": "gold"}
    assert movie.document == {"title": "Heat", "year": None, "attributes": attributes}
    assert movie.added_us == first.added_us <= movie.changed_us
    assert catalog.movie("6") is None


def test_put_movies_again_changes_nothing(catalog: CatalogStore) -> None:
    batch = [HEAT, {"movie_id": "é"}, {"movie_id": 6, "year": 1996}]
    assert catalog.put_movies(batch, "ann") == 1
    rows, audit = catalog.movies(), catalog.audit()
    assert catalog.put_movies(batch, "bob") == 1 == catalog.version()
    assert catalog.put_movies([], "bob") == 1
    assert (catalog.movies(), catalog.audit()) == (rows, audit)
    assert catalog.movie(6).document["year"] == 1996  # type: ignore[union-attr]


def test_put_movies_of_one_title_twice_applies_both_in_order(catalog: CatalogStore) -> None:
    catalog.put_movies([HEAT], "ann")
    batch = [{"movie_id": 6, "attributes": None}, {"movie_id": 6, "attributes": {"plan": "gold"}}]
    assert catalog.put_movies(batch, "ann") == 2 == catalog.put_movies(batch, "ann")
    assert document_of(catalog, 6) == DOCUMENT | {"attributes": {"plan": "gold"}}


def test_put_movies_value_of_another_type_is_a_change(catalog: CatalogStore) -> None:
    for version, value in enumerate((1, 1.0, True, "1", [1], None), start=1):
        assert catalog.put_movies([{"movie_id": 6, "attributes": {"a": value}}], "ann") == version
        document = document_of(catalog, 6)
        assert document is not None and repr(document["attributes"]["a"]) == repr(value)


def test_delete_movies_leaves_tombstones(catalog: CatalogStore) -> None:
    catalog.put_movies([HEAT], "ann")
    assert catalog.delete_movies([6, "only-in-the-bundle", 6], "bob") == 2
    assert catalog.delete_movies([6], "bob") == 2
    movies = [(movie.movie_id, movie.document, movie.is_deleted) for movie in catalog.movies()[0]]
    assert movies == [("only-in-the-bundle", {}, True), (6, DOCUMENT, True)]
    assert catalog.put_movies([{"movie_id": 6, "year": 1996}], "ann") == 3
    assert document_of(catalog, 6) == DOCUMENT | {"year": 1996}
    assert catalog.put_movies([{"movie_id": "only-in-the-bundle"}], "ann") == 4
    assert document_of(catalog, "only-in-the-bundle") == {}


@pytest.mark.parametrize(
    "movie_id",
    [
        pytest.param("a/b/../c", id="slashes"),
        pytest.param("'\"\\; DROP TABLE catalog_movies; --", id="quotes"),
        pytest.param("\N{GRINNING FACE}" * 128, id="longest-emoji"),
        pytest.param("سيدة الأرض\u202e", id="right-to-left"),
        pytest.param("%s :name ? {}", id="placeholders"),
        pytest.param("\x01\x7f\n", id="control"),
        pytest.param(2**63 - 1, id="largest"),
        pytest.param(-(2**63), id="smallest"),
        pytest.param("0114508", id="leading-zero"),
    ],
)
def test_put_movies_of_any_id_comes_back(catalog: CatalogStore, movie_id: int | str) -> None:
    catalog.put_movies([{"movie_id": movie_id, "title": movie_id}], "ann")
    assert document_of(catalog, movie_id) == {"title": movie_id}
    (movie,), _ = catalog.movies()
    (entry,), _ = catalog.audit(movie_subject(movie_key(movie_id)))
    (changes,) = catalog.changes_since(ChangeCursor())
    assert movie.movie_id == movie_id and entry.after == movie.document
    assert changes.movies == [movie]
    assert catalog.movies(cursor=movie_key(movie_id)) == ([], None)
    catalog.delete_movies([movie_id], "ann")
    assert document_of(catalog, movie_id) is None


@pytest.mark.parametrize(
    ("movie_id", "message"),
    [
        pytest.param("a\0b", "holds NUL", id="nul"),
        pytest.param("", "0 characters, expected 1 to 128", id="empty"),
        pytest.param("m" * 129, "129 characters", id="long"),
        pytest.param("\ud800", "half of a surrogate pair", id="surrogate"),
        pytest.param(2**63, "more than 64 bits", id="65-bits"),
        pytest.param(6.5, "expected an integer or text", id="float"),
        pytest.param(None, "expected an integer or text", id="none"),
    ],
)
def test_catalog_store_of_a_bad_id_changes_nothing(
    catalog: CatalogStore, movie_id: Any, message: str
) -> None:
    for call in (
        lambda: catalog.put_movies([HEAT, {"movie_id": movie_id}], "ann"),
        lambda: catalog.delete_movies([6, movie_id], "ann"),
        lambda: catalog.movie(movie_id),
    ):
        with pytest.raises(InputError, match=message):
            call()
    assert catalog.version() == 0 and catalog.movies() == ([], None)


def test_put_movies_of_a_bad_document_changes_nothing(catalog: CatalogStore) -> None:
    with pytest.raises(InputError, match=r"movie 7: .* expected values of JSON"):
        catalog.put_movies([HEAT, {"movie_id": 7, "title": "\ud800"}], "ann")
    assert catalog.movies() == ([], None)


def test_put_movies_of_hard_texts_come_back(catalog: CatalogStore) -> None:
    hard = {"title": "\0é\N{GRINNING FACE}" * 300, "titles": {"ar": "سيدة\u202e"}}
    hard["genres"] = [f"genre {n}" for n in range(10_000)]  # type: ignore[assignment]
    catalog.put_movies([{"movie_id": 6} | hard], "ann")
    assert document_of(catalog, 6) == hard


@pytest.mark.parametrize("actor", ["", "a" * 129, "a\0b"])
def test_catalog_store_of_a_bad_actor_changes_nothing(catalog: CatalogStore, actor: str) -> None:
    for call in (
        lambda: catalog.put_movies([HEAT], actor),
        lambda: catalog.put_rule("kids", KIDS, actor),
    ):
        with pytest.raises(InputError, match="actor"):
            call()
    assert catalog.version() == 0


def test_movies_pages_hold_each_title_once(catalog: CatalogStore) -> None:
    ids = [*range(-2, 21), *map(str, range(5)), "é"]
    catalog.put_movies([{"movie_id": movie_id} for movie_id in ids], "ann")
    pages, cursor = list[list[Any]](), None
    while not pages or cursor is not None:
        movies, cursor = catalog.movies(cursor, limit=7)
        pages.append([movie.movie_id for movie in movies])
    listed = [movie_id for page in pages for movie_id in page]
    assert listed == sorted(ids, key=movie_key) and max(map(len, pages)) == 7


@pytest.mark.parametrize("cursor", ["", "x", '"a', "\0", '"a\0b"', '"\\ud800"', "9" * 20])
def test_movies_of_a_bad_cursor_is_refused(catalog: CatalogStore, cursor: str) -> None:
    with pytest.raises(InputError, match=r"cursor .*expected one that a page returned"):
        catalog.movies(cursor)


def test_rules_come_back_by_name(catalog: CatalogStore) -> None:
    assert catalog.put_rule("z", KIDS, "ann") == 1
    assert catalog.put_rule("a \N{GRINNING FACE}/'", KIDS, "ann") == 2
    assert catalog.put_rule("z", KIDS, "bob") == 2  # as before
    version, rules = catalog.rules()
    assert version == 2 and [rule.name for rule in rules] == ["a \N{GRINNING FACE}/'", "z"]
    assert [rule.version for rule in rules] == [2, 1] and rules[1].document == KIDS
    changed = KIDS | {"action": {"cap": {"attribute": "genres", "most": 2}}}
    assert catalog.put_rule("z", changed, "bob") == 3
    assert catalog.rules()[1][1].document == changed


def test_delete_rule_is_seen_and_can_be_undone(catalog: CatalogStore) -> None:
    catalog.put_rule("kids", KIDS, "ann")
    assert catalog.delete_rule("kids", "bob") == 2
    assert catalog.delete_rule("kids", "bob") == catalog.delete_rule("unknown", "bob") == 2
    assert catalog.rules() == (2, [])
    (changes,) = catalog.changes_since(ChangeCursor(version=1))
    assert changes.rules == [] and changes.cursor == ChangeCursor(version=2)
    assert catalog.put_rule("kids", KIDS, "ann") == 3
    assert [rule.name for rule in catalog.rules()[1]] == ["kids"]


@pytest.mark.parametrize("name", ["", "n" * 129, "a\0b", "\ud800"])
def test_put_rule_of_a_bad_name_is_refused(catalog: CatalogStore, name: str) -> None:
    with pytest.raises(InputError, match="rule "):
        catalog.put_rule(name, KIDS, "ann")


def test_audit_says_who_changed_what(catalog: CatalogStore) -> None:
    catalog.put_movies([HEAT], "ann")
    catalog.put_movies([{"movie_id": 6, "year": 1996}, {"movie_id": "6"}], "bob")
    catalog.delete_movies([6], "cem")
    catalog.put_movies([{"movie_id": 6}], "ann")
    catalog.put_rule("6", KIDS, "dov")
    catalog.delete_rule("6", "dov")
    later = DOCUMENT | {"year": 1996}
    entries, cursor = catalog.audit(movie_subject("6"))
    assert cursor is None and [
        (entry.actor, entry.action, entry.before, entry.after) for entry in entries
    ] == [
        ("ann", "put", None, later),
        ("cem", "delete", later, None),
        ("bob", "put", DOCUMENT, later),
        ("ann", "put", None, DOCUMENT),
    ]
    rule_entries, _ = catalog.audit(rule_subject("6"))
    assert [(entry.before, entry.after) for entry in rule_entries] == [(KIDS, None), (None, KIDS)]
    pages, cursor = [catalog.audit(limit=3)], None
    while (cursor := pages[-1][1]) is not None:
        pages.append(catalog.audit(cursor=cursor, limit=3))
    everything = [entry for page, _ in pages for entry in page]
    assert everything == catalog.audit(limit=100)[0] and len(everything) == 7
    assert [entry.at_us for entry in everything] == sorted(
        (entry.at_us for entry in everything), reverse=True
    )


def test_catalog_store_in_an_expanded_store_is_the_same(store_url: str) -> None:
    make_tables(store_url, "0005")
    event_store = EventStore(store_url)
    with connect(store_url) as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM schema_version").scalar() == (
            EXPANDED
        )
    catalog = CatalogStore(event_store.database)
    assert catalog.put_movies([HEAT], "ann") == 1 and document_of(catalog, 6) == DOCUMENT
    event = Event(event_id="e1", user_id="ann", movie_id=6, kind="rating", stars=4.0, at_us=1)
    assert event_store.add([event]).accepted == 1
    event_store.close()
