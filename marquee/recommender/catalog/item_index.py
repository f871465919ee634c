"""The item of each movie id: those of the bundle, which versions share, and those added since."""

from collections.abc import Iterable

from marquee.core.ids import Id


class ItemIndex:
    """The items by movie id; a copy costs what was added."""

    def __init__(self, movie_ids: Iterable[Id]) -> None:
        self._bundle: dict[Id, int] = {movie_id: item for item, movie_id in enumerate(movie_ids)}
        self._added: dict[Id, int] = {}

    def __contains__(self, movie_id: object) -> bool:
        return movie_id in self._bundle or movie_id in self._added

    def __len__(self) -> int:
        return len(self._bundle) + len(self._added)

    def get(self, movie_id: Id) -> int | None:
        """Return the item of an id; None if it is unknown."""
        item = self._bundle.get(movie_id)
        return self._added.get(movie_id) if item is None else item

    def added(self, movie_id: Id) -> int:
        """Return the item of an id, which is the next one if the id is unknown."""
        item = self.get(movie_id)
        return self._added.setdefault(movie_id, len(self)) if item is None else item

    def copy(self) -> "ItemIndex":
        """Return an index that may grow by itself."""
        index = ItemIndex(())
        index._bundle, index._added = self._bundle, self._added.copy()
        return index
