"""Test the changes of the catalog as a replica follows them, on both databases."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marquee.catalog.catalog_store import CatalogStore
from marquee.catalog.documents import merged
from marquee.catalog.records import ChangeCursor

HEAT = {"movie_id": 6, "title": "Heat", "year": 1995}
KIDS = {"where": {"genres": "Horror"}, "action": "exclude"}


def test_changes_since_are_in_order_of_versions(catalog: CatalogStore) -> None:
    catalog.put_movies([{"movie_id": n} for n in (3, 1, 2)], "ann")
    catalog.put_movies([{"movie_id": 1, "year": 1995}, {"movie_id": 4}], "ann")
    catalog.delete_movies([2], "ann")
    pages = list(catalog.changes_since(ChangeCursor(), limit=2))
    rows = [(movie.version, movie.movie_id) for page in pages for movie in page.movies]
    assert rows == [(1, 3), (2, 1), (2, 4), (3, 2)]
    assert [page.is_last for page in pages] == [False, False, True]
    assert pages[-1].cursor == ChangeCursor(version=3)
    (changes,) = catalog.changes_since(ChangeCursor(version=2))
    assert [movie.is_deleted for movie in changes.movies] == [True]
    assert [catalog.count_changes(version) for version in range(5)] == [4, 3, 1, 0, 0]


def test_changes_since_a_cursor_go_on_after_changes(catalog: CatalogStore) -> None:
    """A title that changes between two pages comes again, and no other one is missed."""
    catalog.put_movies([{"movie_id": n} for n in range(6)], "ann")
    pages = catalog.changes_since(ChangeCursor(), limit=2)
    first = next(pages)
    catalog.put_movies([{"movie_id": 0, "year": 1}, {"movie_id": 5, "year": 1}], "ann")
    resumed = list(catalog.changes_since(first.cursor, limit=2))
    assert [page.movies for page in pages] == [page.movies for page in resumed]
    rows = [(movie.version, movie.movie_id) for page in resumed for movie in page.movies]
    assert rows == [(1, 2), (1, 3), (1, 4), (2, 0), (2, 5)]


def test_changes_since_hold_all_rules_where_one_changed(catalog: CatalogStore) -> None:
    catalog.put_rule("a", KIDS, "ann")
    catalog.put_movies([HEAT], "ann")
    catalog.put_rule("b", KIDS, "ann")
    for version, names in ((0, ["a", "b"]), (1, ["a", "b"]), (2, ["a", "b"]), (3, None)):
        (changes,) = catalog.changes_since(ChangeCursor(version=version))
        rules = changes.rules
        assert (None if rules is None else [rule.name for rule in rules]) == names


def test_changes_since_of_many_titles_come_in_pages(catalog: CatalogStore) -> None:
    assert catalog.put_movies([{"movie_id": n} for n in range(2500)], "ann") == 1
    pages = list(catalog.changes_since(ChangeCursor()))
    assert [len(page.movies) for page in pages] == [1000, 1000, 500]
    assert {movie.movie_id for page in pages for movie in page.movies} == set(range(2500))


CHANGES = st.lists(
    st.tuples(
        st.booleans(),
        st.lists(
            st.fixed_dictionaries(
                {"movie_id": st.integers(0, 3)},
                optional={
                    "year": st.none() | st.integers(0, 2),
                    "title": st.text(st.characters(codec="utf-8"), max_size=3),
                    "attributes": st.none()
                    | st.dictionaries(
                        st.sampled_from("ab"),
                        st.none() | st.booleans() | st.integers(0, 1) | st.floats(0, 1),
                    ),
                },
            ),
            max_size=4,
        ),
    ),
    max_size=6,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=CHANGES)
def test_catalog_store_is_what_its_changes_add_up_to(
    catalog: CatalogStore, batches: list[tuple[bool, list[dict[str, Any]]]]
) -> None:
    """Against a dictionary, from any state that the examples before have left."""
    rows = {movie.movie_id: (movie.document, movie.is_deleted) for movie in catalog.movies()[0]}
    cursor = ChangeCursor(version=catalog.version())
    follower = dict(rows)
    for is_deletion, batch in batches:
        before = repr(rows)
        for change in batch:
            movie_id = change["movie_id"]
            fields = {name: value for name, value in change.items() if name != "movie_id"}
            stored = rows.get(movie_id, ({}, False))[0]
            rows[movie_id] = (stored if is_deletion else merged(stored, fields), is_deletion)
        ids = [change["movie_id"] for change in batch]
        version = catalog.version()
        write = catalog.delete_movies if is_deletion else catalog.put_movies
        after = write(ids if is_deletion else batch, "ann")
        if repr(rows) == before:
            assert after == version
        for changes in catalog.changes_since(cursor, limit=2):
            cursor = changes.cursor
            for movie in changes.movies:
                follower[movie.movie_id] = movie.document, movie.is_deleted
    stored_rows = {m.movie_id: (m.document, m.is_deleted) for m in catalog.movies()[0]}
    assert follower == stored_rows == rows
    assert cursor.version == catalog.version()
