"""Handlers of rules: they are put, deleted, listed, and tried on a sample of lists."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from marquee.api import responses
from marquee.api.catalog.catalog_writes import CatalogWrites
from marquee.api.catalog.rule_requests import RuleIn, RuleParams, RulePreviewRequest
from marquee.api.compute.lists import ListComputer
from marquee.api.process.catalog_follower import CatalogFollower
from marquee.api.store_access import StoreExecutor
from marquee.catalog.catalog_store import CatalogStore
from marquee.core.ids import Id
from marquee.core.times import rfc3339
from marquee.feedback.errors import StoreUnavailable
from marquee.feedback.store import EventStore
from marquee.recommender.errors import RequestError
from marquee.recommender.foreign_ids import stored_history
from marquee.recommender.item_catalog import ItemCatalog
from marquee.recommender.query import RecommendQuery
from marquee.recommender.recommender import Recommender
from marquee.recommender.rules.contradictions import contradictions
from marquee.recommender.rules.parsing import parse_rule
from marquee.recommender.rules.preview import preview
from marquee.recommender.rules.rule import Rule
from marquee.recommender.rules.rule_set import RuleSet

MAX_RULES = 1_000
LIST_COST = 5.0  # milliseconds of a list of the preview
HISTORY_LENGTH = 10  # of a drawn history, where no user is stored


class RuleHandlers:
    """The handlers of the rules of one catalog."""

    def __init__(
        self,
        store: CatalogStore,
        events: EventStore,
        follower: CatalogFollower,
        reads: StoreExecutor,
        writes: CatalogWrites,
        lists: ListComputer,
    ) -> None:
        self._store, self._events, self._follower = store, events, follower
        self._reads, self._writes, self._lists = reads, writes, lists

    async def put_rule(self, params: RuleParams, body: RuleIn) -> responses.RuleReceipt:
        """Store a rule; it holds in the next list. RequestError for one that cannot be."""
        catalog = (await self._follower.current()).recommender.catalog
        rules = with_rule(catalog.rules.rules, parse_rule(params.name, body.document()))
        if len(rules) > MAX_RULES:
            message = f"{len(rules)} rules, expected at most {MAX_RULES:,}; delete some"
            raise RequestError(message, field="name")
        await self._writes.run(self._store.put_rule, params.name, body.document())
        return {"name": params.name, "warnings": warnings(catalog, rules, params.name)}

    async def delete_rule(self, params: RuleParams) -> responses.DeleteResponse:
        """Delete a rule, if there is one."""
        catalog = (await self._follower.current()).recommender.catalog
        has_rule = any(rule.name == params.name for rule in catalog.rules.rules)
        await self._writes.run(self._store.delete_rule, params.name)
        return {"deleted": int(has_rule)}

    async def rules(self) -> responses.RulesResponse:
        """Return all rules in the order in which they win."""
        version, stored = await self._reads.run(self._store.rules)
        documents = {rule.name: rule for rule in stored}
        order = RuleSet(parse_rule(rule.name, rule.document) for rule in stored).rules
        items: list[Any] = [
            {
                "name": rule.name,
                "rule": documents[rule.name].document,
                "changed_at": rfc3339(documents[rule.name].changed_us),
            }
            for rule in order
        ]
        return {"version": version, "items": items, "warnings": contradictions(order)}

    async def preview(self, body: RulePreviewRequest) -> responses.RulePreview:
        """Return how many lists of a sample would change, and three of them."""
        recommender = (await self._follower.current()).recommender
        rule = parse_rule(body.name, body.document())
        rules = with_rule(
            recommender.catalog.rules.rules, replace(rule, from_us=None, until_us=None)
        )
        queries = [
            replace(query, surface=body.surface or first_surface(rule), viewer=body.viewer)
            for query in await self._sample(recommender, body.num_lists)
        ]

        def compare() -> responses.RulePreview:
            before, after = (
                [listed_ids(each, query) for query in queries]
                for each in (recommender, recommender.with_rules(rules))
            )
            sentences = warnings(recommender.catalog, rules, rule.name)
            return {**preview(before, after), "warnings": sentences}

        return await self._lists.compute(compare, 2 * LIST_COST * len(queries))

    async def _sample(self, recommender: Recommender, count: int) -> list[RecommendQuery]:
        """Return queries of users who were active last; of drawn histories where there are none."""
        catalog = recommender.catalog
        try:
            states = await self._reads.run(self._events.latest_states, count)
        except StoreUnavailable:
            states = []
        histories = [stored_history(catalog, state.for_lists().history) for state in states]
        histories = [history for history in histories if history]
        return [RecommendQuery(history=each) for each in histories or drawn(recommender, count)]


def with_rule(rules: Iterable[Rule], rule: Rule) -> Sequence[Rule]:
    """Return the rules in their order with one more, or with another of its name."""
    return RuleSet([*(each for each in rules if each.name != rule.name), rule]).rules


def warnings(catalog: ItemCatalog, rules: Sequence[Rule], name: str) -> list[str]:
    """Return the conflicts of one rule, and whether nothing is left to list."""
    sentences = contradictions(rules, name)
    mask_I = catalog.candidate_mask(None, rules=[rule for rule in rules if rule.name == name])
    if not mask_I.any():
        sentences.append(f"rule {name!r}: no title of the catalog is left to list")
    return sentences


def first_surface(rule: Rule) -> str:
    return min(rule.surfaces) if rule.surfaces else "recommend"


def listed_ids(recommender: Recommender, query: RecommendQuery) -> list[Id]:
    return [item["movie_id"] for item in recommender.recommend_query(query)["items"]]


def drawn(recommender: Recommender, count: int) -> list[list[Id]]:
    """Return histories of movies drawn by their number of ratings."""
    rng, weight_I = np.random.default_rng(0), recommender.num_ratings + 1.0
    size = min(HISTORY_LENGTH, len(weight_I))
    ids, probability_I = recommender.movie_ids, weight_I / weight_I.sum()
    return [
        ids[rng.choice(len(ids), size, replace=False, p=probability_I)].tolist()
        for _ in range(count)
    ]
