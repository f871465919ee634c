"""A bundle that answers, and the search over its titles, with the catalog as it is now."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from marquee.recommender.catalog.title import TitleChange
from marquee.recommender.recommender import Recommender
from marquee.recommender.rules.rule import Rule
from marquee.recommender.rules.ruled_page import arranged, with_rule_names
from marquee.recommender.search.title_search import TitleSearch

MAX_RULED = 1_000  # titles of a search that rules arrange


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """One version of a bundle and of the catalog over it."""

    recommender: Recommender
    search: TitleSearch
    bundle: "LoadedModel | None" = None
    """The model before any change of its catalog; None for that model itself."""

    @classmethod
    def load(cls, bundle: str, copies: Path | None = None) -> "LoadedModel":
        """Load a bundle's folder. Raises InputError where it is damaged."""
        recommender = Recommender.load(bundle, copies=copies)
        return cls(recommender, TitleSearch(recommender.movies, recommender.num_ratings))

    def with_changes(self, changes: Iterable[TitleChange]) -> "LoadedModel":
        """Return the model after changes of its catalog; this one stays as it is."""
        recommender = self.recommender.with_changes(changes)
        search = self.search.with_segments(recommender.catalog.segments)
        return replace(self, recommender=recommender, search=search, bundle=self.bundle or self)

    def without_changes(self) -> "LoadedModel":
        """Return the model with the catalog of its bundle."""
        return self.bundle or self

    def with_rules(self, rules: Iterable[Rule]) -> "LoadedModel":
        """Return the model whose lists keep these rules."""
        recommender = self.recommender.with_rules(rules)
        return replace(self, recommender=recommender, bundle=self.bundle or self)

    def find(
        self, query: str, offset: int, k: int, viewer: Mapping[str, Any] | None, surface: str
    ) -> tuple[list[Any], bool]:
        """Return a page of records by title, and whether more follow."""
        catalog = self.recommender.catalog
        rules = catalog.active_rules(surface, viewer)
        mask_I = catalog.candidate_mask(None, viewer=viewer, rules=rules)
        count = MAX_RULED if rules else offset + k + 1  # so that pages join
        item_N = self.search.find(query, count, None if mask_I.all() else mask_I)
        rank_N = -np.arange(len(item_N), dtype=np.float32)
        page = arranged(rules, catalog.attributes, item_N, rank_N, mask_I)
        records = with_rule_names(catalog.to_records(page.item_K), page)
        return records[offset : offset + k], len(records) > offset + k
