"""Pages of a stored catalog, applied to a recommender or to what holds one.

    recommender = apply_pages(recommender, store.changes_since(ChangeCursor()), say)

A page is one of marquee/catalog; here it is known by its form alone.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, Self, TypeVar

from marquee.recommender.catalog.title import TitleChange
from marquee.recommender.errors import RequestError
from marquee.recommender.rules.parsing import parse_rule
from marquee.recommender.rules.rule import Rule


class RuleDocument(Protocol):
    """A rule as it was written."""

    @property
    def name(self) -> str: ...
    @property
    def document(self) -> Mapping[str, Any]: ...


class CatalogPage(Protocol):
    """Titles that changed, and all rules where one of them did."""

    @property
    def movies(self) -> Sequence[TitleChange]: ...
    @property
    def rules(self) -> Sequence[RuleDocument] | None: ...


class HasCatalog(Protocol):
    """A model whose catalog and rules can be other ones."""

    def with_changes(self, changes: Iterable[TitleChange]) -> Self: ...
    def with_rules(self, rules: Iterable[Rule]) -> Self: ...


Model = TypeVar("Model", bound=HasCatalog)


def apply_pages(
    model: Model, pages: Sequence[CatalogPage], report: Callable[[str], object]
) -> Model:
    """Return the model with the changes of some pages.

    report: told of each rule that this version does not understand, and which holds nowhere.
    """
    movies = [movie for page in pages for movie in page.movies]
    model = model.with_changes(movies) if movies else model
    rules = [page.rules for page in pages if page.rules is not None]
    return model.with_rules(usable_rules(rules[-1], report)) if rules else model


def usable_rules(
    documents: Sequence[RuleDocument], report: Callable[[str], object]
) -> Iterator[Rule]:
    """Yield the rules that this version understands."""
    for rule in documents:
        try:
            yield parse_rule(rule.name, rule.document)
        except RequestError as error:
            report(f"rule {rule.name} holds nowhere: {error}")
