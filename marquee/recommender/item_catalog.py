"""The items of a catalog and its rating scale: what a request names, and how it is answered."""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import count
from operator import attrgetter
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from marquee.core.arrays import AnyFloat, Bools, Float64, Int64
from marquee.core.id_limits import integer_of
from marquee.core.ids import Id
from marquee.core.item_stats import release_years
from marquee.core.movies import NO_GENRES, Movies
from marquee.core.times import EPOCH, MICROS_PER_SECOND, unix_time_us
from marquee.recommender.catalog.item_index import ItemIndex
from marquee.recommender.catalog.segment import Segment, with_segment
from marquee.recommender.catalog.series import Series
from marquee.recommender.catalog.title import Title, TitleChange, changed_movies, new_title
from marquee.recommender.eligibility.attribute_table import AttributeTable
from marquee.recommender.eligibility.request_filters import request_mask
from marquee.recommender.eligibility.viewer_eligibility import ViewerEligibility, time_us
from marquee.recommender.errors import RequestError, unknown_movie
from marquee.recommender.history import History, HistoryEntry, StoredEntry, parse_history
from marquee.recommender.responses import Movie, MovieReference
from marquee.recommender.rules.rule import Rule
from marquee.recommender.rules.rule_set import RuleSet
from marquee.recommender.rules.scores import eligible_mask

MICROS_PER_YEAR = 365.2425 * 86_400 * MICROS_PER_SECOND
SERIALS = count()  # of the versions of catalogs in this process
Clock: TypeAlias = Callable[[], int]
"""Returns Unix microseconds."""


class ItemCatalog:
    """The I items of a bundle, and of a catalog that changes; a version never does.

    Raises RequestError for a movie or genre that it lacks.
    """

    def __init__(
        self,
        movies: Movies,
        num_ratings_I: Int64,
        scale: Sequence[float],
        attributes: Mapping[str, Sequence[Any]] | None = None,
        clock: Clock = unix_time_us,
    ) -> None:
        """attributes: further values of the items by name; title, year and genres are known.

        clock: Unix microseconds, by which windows of time open and close.
        """
        self.serial = next(SERIALS)
        self.movies = self._bundle_movies = movies
        self.num_bundle_items, self.clock = len(movies), clock
        self._largest_popularity = float(np.log1p(num_ratings_I).max(initial=0))
        self._base_values = dict(attributes or {})
        own: dict[str, Sequence[Any]] = {"title": movies.title, "year": movies.year}
        own |= {"genres": movies.genres, "num_ratings": num_ratings_I.tolist()}
        self.attributes = AttributeTable(len(movies), {**self._base_values, **own})
        self.segments: tuple[Segment, ...] = ()
        self.num_ratings_I = num_ratings_I
        self.scale = [float(stars) for stars in scale]
        # A value of float32 is on the scale, too: .1 is then .10000000149.
        self._rating_bin_of = {
            value: 1 + r
            for r, stars in enumerate(self.scale)
            for value in (stars, float(np.float32(stars)))
        }
        self._item_of = ItemIndex(movies.movie_id.tolist())
        self._sorted_items: Int64 | None = None
        self.genre_names = movies.genre_names
        self.year_I = release_years(movies)
        self._is_deleted_I = np.zeros(len(movies), dtype=bool)
        self.added_us_I = np.zeros(len(movies), np.int64)
        self.rules = RuleSet()
        parents = enumerate(self._base_values.get("parent_id", ()))
        self._parent_of = {item: parent for item, parent in parents if parent is not None}
        self.series = Series(self._parent_of, self._item_of.get)
        self.eligibility = ViewerEligibility(self.attributes, self._is_deleted_I)

    @property
    def num_items(self) -> int:
        return len(self.num_ratings_I)

    def title(self, item: int) -> Title:
        """Return everything that is known of an item now."""
        for segment in reversed(self.segments):
            if item in segment.titles:
                return segment.titles[item]
        return self._bundle_title(item)

    def _bundle_title(self, item: int) -> Title:
        """Return a title as the bundle has it."""
        movies = self._bundle_movies
        attributes = {name: values[item] for name, values in self._base_values.items()}
        return Title(
            movie_id=movies.movie_id[item : item + 1].tolist()[0],
            title=movies.title[item],
            year=movies.year[item],
            genres=tuple(movies.genres[item]),
            num_ratings=int(self.num_ratings_I[item]),
            attributes=attributes,
        )

    def with_changes(
        self, changes: Iterable[TitleChange]
    ) -> tuple["ItemCatalog", dict[int, Title]]:
        """Return the catalog after changes, and the changed titles by item.

        New titles are items behind all others, in the order in which they were added. A change says
        all that was ever said of its title: the last one counts.
        """
        item_of, titles = self._item_of.copy(), dict[int, Title]()
        for change in sorted(changes, key=attrgetter("added_us")):
            item = item_of.added(change.movie_id)
            is_new = item >= self.num_bundle_items
            base = new_title(change) if is_new else self._bundle_title(item)
            titles[item] = base.changed(change)
        catalog = copy.copy(self)
        catalog.serial = next(SERIALS)
        catalog._item_of = item_of
        catalog._take_titles(titles, len(item_of))
        return catalog, titles

    def _take_titles(self, titles: Mapping[int, Title], num_items: int) -> None:
        """Take titles into this copy, by item."""
        num_added = num_items - self.num_items
        self.movies = changed_movies(self.movies, titles, num_added, self._bundle_movies)
        self.num_ratings_I = np.append(self.num_ratings_I, np.zeros(num_added, np.int64))
        self.year_I = np.append(self.year_I, np.full(num_added, np.nan))
        self._is_deleted_I = np.append(self._is_deleted_I, np.zeros(num_added, dtype=bool))
        self.added_us_I = np.append(self.added_us_I, np.zeros(num_added, np.int64))
        genre_names = dict.fromkeys(self.genre_names)
        for item, title in titles.items():
            self.year_I[item] = np.nan if title.year is None else title.year
            self._is_deleted_I[item] = title.is_deleted
            self.added_us_I[item] = title.added_us or 0
            genre_names |= dict.fromkeys(title.genres)
        genre_names.pop(NO_GENRES, None)
        self.genre_names = tuple(genre_names)
        if titles:
            segment = Segment(dict(titles), self._largest_popularity)
            self.segments = with_segment(self.segments, segment)
        self._take_parents(titles)
        self.attributes = self.attributes.with_segments(num_items, self.segments)
        self.eligibility = ViewerEligibility(self.attributes, self._is_deleted_I)

    def item(self, movie_id: Id) -> int:
        """Return the item of a movie id; RequestError if unknown."""
        return int(self.indices_of([movie_id], "movie_id")[0])

    def page(self, cursor: str | None, limit: int) -> tuple[list[int], str | None]:
        """Return items in the order of their ids, and the cursor of the next page.

        cursor: the last id of the page before, as text. Deleted titles are left out.
        """
        ids, order = self.movies.movie_id, self._order_of_ids
        start = 0
        if cursor is not None:
            last = cursor if ids.dtype == object else integer_of(cursor)
            if last is None:
                message = f"cursor: {cursor[:80]!r}, expected a next_cursor of an answer"
                raise RequestError(message, field="cursor")
            start = int(np.searchsorted(ids, last, side="right", sorter=order))
        item_N = order[start:]
        item_N = item_N[~self._is_deleted_I[item_N]][: limit + 1]
        has_more = len(item_N) > limit
        items = item_N[:limit].tolist()
        return items, str(ids[items[-1]]) if has_more else None

    @property
    def _order_of_ids(self) -> Int64:
        """Return the items in the order of their ids, (I,), which is sorted once."""
        if self._sorted_items is None or len(self._sorted_items) != self.num_items:
            self._sorted_items = np.argsort(self.movies.movie_id, kind="stable")
        return self._sorted_items

    def release_years(self) -> Float64:
        """Return when each item came out, (I,), as a year with its fraction; nan: unknown.

        That is `available_from`, else the year, else the time at which the item was added.
        """
        from_us_I = self.attributes.column("available_from").numbers(time_us, np.nan)
        added_I = np.where(self.added_us_I > 0, fractional_years(self.added_us_I), np.nan)
        year_I = np.where(np.isnan(self.year_I), added_I, self.year_I)
        return np.where(np.isnan(from_us_I), year_I, fractional_years(from_us_I))

    def has_movie(self, movie_id: Id) -> bool:
        return movie_id in self._item_of

    def known_ids(self, movie_ids: Iterable[Id]) -> list[Id]:
        return [movie_id for movie_id in movie_ids if self.has_movie(movie_id)]

    def usable_entries(self, entries: Iterable[StoredEntry]) -> Iterator[tuple[int, HistoryEntry]]:
        """Yield (Unix microseconds, entry) for stored entries that the bundle can read.

        Movies that the bundle does not hold are left out. Stars off the bundle's scale become None,
        as all do without ratings; the movie still counts.
        """
        for movie_id, stars, watched, at_us in entries:
            if self.has_movie(movie_id):
                yield at_us, (movie_id, stars if stars in self._rating_bin_of else None, watched)

    def parse_history(
        self,
        entries: Iterable[HistoryEntry],
        not_interested: Iterable[Id] = (),
        viewer: Mapping[str, Any] | None = None,
    ) -> History:
        """Parse entries into item indices and rating bins (see `history.parse_history`)."""
        item_of: Callable[[Id], int | None] = self._item_of.get
        if self._parent_of:
            item_of = self._item_of_whole
        rating_bin_of = self._rating_bin_of
        return parse_history(entries, item_of, rating_bin_of, not_interested, viewer)

    def _item_of_whole(self, movie_id: Id) -> int | None:
        """Return the item of an id; of a part of a series, that of the series."""
        item = self._item_of.get(movie_id)
        return None if item is None else self.series.whole(item)

    def next_episode(self, movie_id: Id) -> Id | None:
        """Return the id of the episode after one, or the first of a series or season."""
        item = self.series.next_episode(self.item(movie_id), self.title)
        return None if item is None else self.title(item).movie_id

    def indices_of(self, movie_ids: Iterable[Id], field: str) -> Int64:
        """Return the item indices of movie ids, in their order; field: their request key."""
        items = []
        for n, movie_id in enumerate(movie_ids):
            item = self._item_of.get(movie_id)
            if item is None:
                raise unknown_movie(movie_id, f"{field}.{n}")
            items.append(item)
        return np.array(items, dtype=np.int64)

    def index_array(self, movie_ids: npt.ArrayLike, num_histories: int) -> Int64:
        """Return the item indices of movie ids of shape (C,) or (num_histories, C)."""
        # An object array takes text as it is; numpy's own text type would cut trailing zero bytes.
        ids = np.asarray(movie_ids, object if self.movies.movie_id.dtype == object else None)
        if ids.ndim not in (1, 2) or (ids.ndim == 2 and len(ids) != num_histories):
            message = f"movie_ids: shape {ids.shape}, expected (C,) or ({num_histories}, C)"
            raise RequestError(message, field="movie_ids")
        return self.indices_of(ids.ravel().tolist(), "movie_ids").reshape(ids.shape)

    def candidate_mask(
        self,
        filters: Mapping[str, Any] | None,
        include_ids: Iterable[Id] | None = None,
        exclude_ids: Iterable[Id] | None = None,
        viewer: Mapping[str, Any] | None = None,
        rules: Sequence[Rule] = (),
    ) -> Bools:
        """Return (I,) bool: the items that a list may hold now.

        They are those that the viewer may see, of the filters and include_ids, without exclude_ids,
        as far as rules let them. rules: those that hold now (`active_rules`).
        """
        mask_I = self.eligibility.mask(viewer, self.clock())
        if rules:
            mask_I = eligible_mask(rules, self.attributes, mask_I)
        if filters:
            mask_I &= request_mask(
                filters,
                self.attributes,
                num_ratings_I=self.num_ratings_I,
                year_I=self.year_I,
                genre_names=self.genre_names,
            )
        if include_ids is not None:
            included = self.indices_of(include_ids, "include_ids")
            mask_I &= np.isin(np.arange(len(mask_I)), included)
        if exclude_ids is not None:
            mask_I[self.indices_of(exclude_ids, "exclude_ids")] = False
        return mask_I

    def active_rules(self, surface: str, viewer: Mapping[str, Any] | None) -> tuple[Rule, ...]:
        """Return the rules that hold for a viewer on a surface now, in their order."""
        return self.rules.active(surface, viewer, self.clock()) if self.rules.rules else ()

    def _take_parents(self, titles: Mapping[int, Title]) -> None:
        parents = {item: title.attributes.get("parent_id") for item, title in titles.items()}
        if any(parent is not None or item in self._parent_of for item, parent in parents.items()):
            merged = {**self._parent_of, **parents}
            self._parent_of = {item: each for item, each in merged.items() if each is not None}
        self.series = Series(self._parent_of, self._item_of.get)

    @property
    def changes_with_time(self) -> bool:
        """Return whether the passing of time alone changes a list."""
        return self.eligibility.has_windows or any(
            rule.from_us is not None or rule.until_us is not None for rule in self.rules.rules
        )

    def with_rules(self, rules: RuleSet) -> "ItemCatalog":
        """Return the catalog with other rules."""
        catalog = copy.copy(self)
        catalog.rules, catalog.serial = rules, next(SERIALS)
        return catalog

    def movie(self, movie_id: Id) -> Movie:
        if not self.has_movie(movie_id):
            raise unknown_movie(movie_id, "movie_id")
        (record,) = self.to_records(self.indices_of([movie_id], "movie_id"))
        return record

    def movie_reference(self, movie_id: Id) -> MovieReference:
        return {**self.movie(movie_id)} if self.has_movie(movie_id) else {"movie_id": movie_id}

    def to_records(
        self, item_K: Int64, columns: Mapping[str, Iterable[Any]] | None = None
    ) -> list[Any]:
        """Return K items as `Movie` records (marquee/recommender/responses.py).

        columns: further keys with K values each; they stand before `num_ratings`.
        """
        movies, items = self.movies, item_K.tolist()
        all_columns = {
            "movie_id": movies.movie_id[item_K].tolist(),
            "title": [movies.title[item] for item in items],
            "year": [movies.year[item] for item in items],
            "genres": [list(movies.genres[item]) for item in items],
            **(columns or {}),
            "num_ratings": self.num_ratings_I[item_K].tolist(),
        }
        rows = zip(*all_columns.values(), strict=True)
        return [dict(zip(all_columns, row, strict=True)) for row in rows]


def fractional_years(time_us_I: AnyFloat | Int64) -> Float64:
    """Return Unix microseconds as years: 2026.5 for July 2026."""
    return np.asarray(EPOCH.year + time_us_I / MICROS_PER_YEAR)
