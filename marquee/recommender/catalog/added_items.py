"""The vectors of titles that were added since the bundle was made, from their attributes.

    added = AddedItems.none(arrays).with_titles(num_bundle_items, titles, content)
    SplitHead(head, added.head)        # scores all items

A title takes .1 ms. Its rating vector, 2 kB, is made when it is listed (`AddedRatings`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from marquee.core.arrays import Float32, Int64
from marquee.recommender.catalog.split_rows import RowBuffer
from marquee.recommender.catalog.title import Title
from marquee.recommender.encoder import Head, UserVector
from marquee.recommender.item_content import ItemContent

NAMES = ("item_vector", "item_gmf", "item_mlp", "item_bias")
TITLES_PER_BLOCK = 250
MAX_DRAWS = 1_000  # of items


@dataclass(frozen=True, eq=False)
class AddedItems:
    """The rows of A added items, by the name of the bundle's array."""

    rows: Mapping[str, RowBuffer]
    mlp_out_H: Float32

    @classmethod
    def none(cls, arrays: Mapping[str, np.ndarray]) -> "AddedItems":
        """Return no items, for the arrays of a bundle."""
        return cls({name: RowBuffer(arrays[name][:0]) for name in NAMES}, arrays["mlp_out"])

    def __len__(self) -> int:
        return len(self.rows["item_bias"].rows)

    @property
    def vector_AD(self) -> Float32:
        return self.rows["item_vector"].rows

    @cached_property
    def head(self) -> Head:
        """Return the item half of the head."""
        return Head.from_arrays(
            {name: buffer.rows for name, buffer in self.rows.items()} | {"mlp_out": self.mlp_out_H}
        )

    def with_titles(
        self, num_bundle_items: int, titles: Mapping[int, Title], content: ItemContent
    ) -> "AddedItems":
        """Return the items with those of `titles`; titles of the bundle are left out."""
        items = sorted(item for item in titles if item >= num_bundle_items)
        if not items:
            return self
        arrays = content_rows([titles[item] for item in items], content)
        place_N = np.array(items) - num_bundle_items
        is_new_N = place_N >= len(self)
        rows = {
            name: buffer.replaced(place_N[~is_new_N], arrays[name][~is_new_N]).appended(
                arrays[name][is_new_N]
            )
            for name, buffer in self.rows.items()
        }
        return AddedItems(rows, self.mlp_out_H)


def content_rows(titles: list[Title], content: ItemContent) -> dict[str, Float32]:
    """Return the rows of titles by the name of the array."""
    attributes = [title.content(content.vector_feature) for title in titles]
    blocks = [
        content.arrays(attributes[start : start + TITLES_PER_BLOCK], NAMES)
        for start in range(0, len(attributes), TITLES_PER_BLOCK)
    ]
    return {name: np.concatenate([block[name] for block in blocks]) for name in NAMES}


class SplitHead:
    """The head of all items: those of the bundle, and those added since."""

    def __init__(self, base: Head, added: Head) -> None:
        self.base, self.added = base, added

    def take(self, items: Int64) -> Head:
        """Return the head of some items."""
        base, num_base = self.base, len(self.base.item_bias_I)
        is_added = items >= num_base
        head = base.take(np.where(is_added, 0, items))
        if is_added.any():
            added = self.added.take(items[is_added] - num_base)
            head.item_gmf_ID[is_added] = added.item_gmf_ID
            head.item_mlp_HI[:, is_added] = added.item_mlp_HI
            head.item_bias_I[is_added] = added.item_bias_I
        return head

    def logits(self, user: UserVector) -> Float32:
        """Return (I,) logits of one user."""
        return self.logits_batch([user])[0]

    def logits_batch(self, users: Sequence[UserVector]) -> Float32:
        """Return (B, I) logits of B users, one or more."""
        parts = [head.logits_batch(users) for head in (self.base, self.added)]
        return np.concatenate(parts, axis=1)


class AddedRatings:
    """The rating vectors of added items: those of an item that nobody has rated.

    They are made when they are asked for, and the last are kept: a million titles would take 1 GB.
    """

    def __init__(self, content: ItemContent, title_of: Callable[[int], Title]) -> None:
        self._content, self._title_of = content, title_of
        self._draws: dict[int, Float32] = {}

    def draws(self, items: Int64) -> Float32:
        """Return draws of the items' vectors, (N, S, E), bias last."""
        known = {
            item: draw for item in items.tolist() if (draw := self._draws.get(item)) is not None
        }
        new = self._new_draws([item for item in dict.fromkeys(items.tolist()) if item not in known])
        self._draws |= new
        while len(self._draws) > MAX_DRAWS:
            self._draws.pop(next(iter(self._draws)))
        draws = known | new
        return np.stack([draws[item] for item in items.tolist()])

    def _new_draws(self, items: list[int]) -> dict[int, Float32]:
        if not items:
            return {}
        attributes = [self._title_of(item).content(self._content.vector_feature) for item in items]
        draw_NSE = self._content.arrays(attributes, ["star_item"])["star_item"]
        return dict(zip(items, draw_NSE, strict=True))
