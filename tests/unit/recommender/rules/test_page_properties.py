"""Lists under all rules, beside a naive reference that sorts all items and counts by hand."""

import math
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from marquee.core.arrays import Bools, Int64
from marquee.recommender.eligibility.attribute_table import AttributeTable
from marquee.recommender.rules import page_filler
from marquee.recommender.rules.page import ArrangedPage, arrange_page
from marquee.recommender.rules.parsing import parse_rule
from marquee.recommender.rules.rule_set import RuleSet
from marquee.recommender.rules.scores import boosted_scores, eligible_mask

GENRES, COUNTRIES = ("Drama", "Comedy", "War", "Noir"), ("DE", "FR", 1, True)
EQUAL = [{"genres": genre} for genre in GENRES] + [{"country": country} for country in COUNTRIES]
WHERES: list[dict[str, Any]] = [{}, {}, *EQUAL]


@dataclass
class Case:
    """A random catalog, its order and its rules. `position`: of each item in a list-wise order."""

    columns: dict[str, list[Any]]
    score: list[float]
    is_candidate: list[bool]
    position: list[int] | None
    rules: dict[str, dict[str, Any]]
    k: int
    offsets: list[int]
    read_ahead: int


def random_rule(rng: random.Random) -> dict[str, Any]:
    attribute = rng.choice(["genres", "country", "nothing"])
    actions = [
        *("exclude", "require", "bury", "bury"),
        {"boost": {"by": rng.choice([-2, 0, 0.5, 3])}},
        *[{"pin": {"place": rng.randint(1, 25)}}] * 3,
        *[{"cap": {"attribute": attribute, "most": rng.randint(0, 4)}}] * 4,
        *[{"share": {"least": rng.choice([0, 0.2, 0.3, 0.5, 0.75, 1])}}] * 3,
    ]
    where, action = rng.choice(WHERES), rng.choice(actions)
    return {"where": where, "action": action, "priority": rng.randint(-1, 1)}


def random_case(rng: random.Random) -> Case:
    size = rng.choice([0, 1, 10, 30, 60, 60])
    genres = [rng.choice([None, rng.sample(GENRES, rng.randint(0, 3))]) for _ in range(size)]
    country = [rng.choice([None, *COUNTRIES]) for _ in range(size)]
    return Case(
        columns={"genres": genres, "country": country, "nothing": [None] * size},
        score=[rng.randint(0, 8) / 2 for _ in range(size)],
        is_candidate=[rng.random() < 0.8 for _ in range(size)],
        position=rng.choice([None, rng.sample(range(size), size)]),
        rules={name: random_rule(rng) for name in rng.sample("abcdef", rng.randint(0, 6))},
        k=rng.choice([1, 2, 3, 3, 5, 10, 100]),
        offsets=[0, *rng.choices(range(40), k=3)],
        read_ahead=rng.choice([0, 0, 15]),
    )


def values_of(case: Case, attribute: str, item: int) -> set[tuple[bool, Any]]:
    value = case.columns[attribute][item]
    values = value if isinstance(value, list) else [value]
    return {(isinstance(each, bool), each) for each in values if each is not None}


Place = tuple[int, set[str]] | None
"""An item and the rules that touched it; None is an empty place."""


class NaiveList:
    """All places of a list, from the meaning of the rules, with lists and sorts only."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.names = sorted(case.rules, key=lambda name: (-case.rules[name]["priority"], name))
        self.eligible = [item for item in range(len(case.score)) if self._is_eligible(item)]
        self.by_score = sorted(self.eligible, key=self._key)
        self.pins = self._pin()
        self.places = self._places()

    def of(self, kind: str) -> list[tuple[str, Any]]:
        """The rules of a kind of action, in their order, with the action's parameters."""
        actions = {name: self.case.rules[name]["action"] for name in self.names}
        names = [name for name in self.names if kind in actions[name]]
        return [(name, actions[name][kind] if actions[name] != kind else None) for name in names]

    def precedes(self, name: str, other: str) -> bool:
        return self.names.index(name) < self.names.index(other)

    def matches(self, name: str, item: int) -> bool:
        where = self.case.rules[name]["where"].items()
        return all(
            (type(value) is bool, value) in values_of(self.case, key, item) for key, value in where
        )

    def _is_eligible(self, item: int) -> bool:
        zero_caps = [name for name, cap in self.of("cap") if cap["most"] == 0]
        return (
            self.case.is_candidate[item]
            and all(self.matches(name, item) for name, _ in self.of("require"))
            and not any(self.matches(name, item) for name, _ in self.of("exclude"))
            and not any(self.capped_values(name, item) for name in zero_caps)
        )

    def _is_buried(self, item: int) -> bool:
        return any(self.matches(name, item) for name, _ in self.of("bury"))

    def _key(self, item: int) -> tuple[bool, float, int]:
        boosts = [boost["by"] for name, boost in self.of("boost") if self.matches(name, item)]
        return self._is_buried(item), -self.case.score[item] - sum(boosts), item

    def capped_values(self, name: str, item: int) -> set[tuple[bool, Any]]:
        attribute = self.case.rules[name]["action"]["cap"]["attribute"]
        return values_of(self.case, attribute, item) if self.matches(name, item) else set()

    def _pin(self) -> dict[int, tuple[int, str]]:
        pins: dict[int, tuple[int, str]] = {}
        for name, pin in self.of("pin"):
            pinned = [item for item, _ in pins.values()]
            items = [i for i in self.by_score if i not in pinned and self.matches(name, i)]
            free = [place for place in range(len(self.eligible)) if place not in pins]
            if items:
                later = [place for place in free if place >= pin["place"] - 1]
                pins[later[0] if later else free[-1]] = items[0], name
        return pins

    def _places(self) -> list[Place]:
        places: list[Place] = []
        pinned = {item for item, _ in self.pins.values()}
        left = [item for item in self.by_score if item not in pinned]
        self.unpinned = list(left)
        while left or any(place >= len(places) for place in self.pins):
            page = self._page(len(places) // self.case.k, left)
            left = [item for item in left if item not in [place[0] for place in page if place]]
            places += page
        return places

    def order(self, page_number: int) -> list[int]:
        """All unpinned items as one page sees them: the beginning list-wise, the rest by score."""
        position, k = self.case.position, self.case.k
        if position is None:
            return self.unpinned
        ordered = sorted(self.unpinned, key=lambda item: (self._is_buried(item), position[item]))
        num_read = 0
        for number in range(page_number + 1):
            wanted = max(2 * (number + 1) * k, self.case.read_ahead)
            num_read = max(wanted, 2 * num_read) if wanted > num_read else num_read
        has_pages = self.of("cap") or self.of("share")
        front = ordered[:num_read] if has_pages else ordered
        return front + [item for item in self.unpinned if item not in front]

    def _page(self, number: int, left: list[int]) -> list[Place]:
        k, start = self.case.k, number * self.case.k
        pins = {place - start: pin for place, pin in self.pins.items() if 0 <= place - start < k}
        order = [item for item in self.order(number) if item in left]
        page = [item for item, _ in pins.values()]
        reserved: dict[str, list[int]] = {}
        for name, share in self.of("share"):
            caps = [cap for cap in self.of("cap") if self.precedes(cap[0], name)]
            reserved[name] = []
            for item in order:
                count = sum(self.matches(name, each) for each in page)
                if count >= math.ceil(round(share["least"] * k, 6)) or len(page) == k:
                    break
                is_new = item not in page and self.matches(name, item)
                if is_new and not self.is_closed(item, page, caps):
                    page.append(item)
                    reserved[name].append(item)
        for item in order:
            is_new = item not in page and len(page) < k
            if is_new and not self.is_closed(item, page, self.of("cap")):
                page.append(item)
        unpinned = [item for item in order if item in page]
        rows = [(item, self._touching(item, page, order, reserved)) for item in unpinned]
        pinned = {place: (item, {name}) for place, (item, name) in pins.items()}
        return [pinned[n] if n in pinned else rows.pop(0) if rows else None for n in range(k)]

    def is_closed(self, item: int, page: list[int], caps: list[tuple[str, Any]]) -> bool:
        for name, cap in caps:
            counts = self.counts(name, page)
            if any(counts[value] >= cap["most"] for value in self.capped_values(name, item)):
                return True
        return False

    def counts(self, name: str, items: Iterable[int]) -> Counter[tuple[bool, Any]]:
        return Counter(value for item in items for value in self.capped_values(name, item))

    def _touching(
        self, item: int, page: list[int], order: list[int], reserved: dict[str, list[int]]
    ) -> set[str]:
        better = [each for each in order[: order.index(item)] if each not in page]
        names = {name for name, _ in self.of("bury") if self.matches(name, item)}
        names |= {
            name for name, each in self.of("boost") if each["by"] and self.matches(name, item)
        }
        for name, cap in self.of("cap"):
            if any(self.is_closed(each, page, [(name, cap)]) for each in better):
                names.add(name)
        if any(not self.is_closed(each, page, self.of("cap")) for each in better):
            names |= {name for name, items in reserved.items() if item in items}
        return names


def arranged(case: Case, offset: int) -> ArrangedPage:
    table = AttributeTable(len(case.score), case.columns)
    rules = RuleSet(parse_rule(*each) for each in case.rules.items()).active("recommend", None, 0)
    mask_I = eligible_mask(rules, table, np.array(case.is_candidate, bool))
    score_I = boosted_scores(rules, table, np.array(case.score, np.float32))

    def rank(mask_I: Bools, n: int) -> Int64:
        items = np.flatnonzero(mask_I)
        key = -score_I if case.position is None else np.array(case.position)
        return items[np.argsort(key[items], kind="stable")][:n]

    return arrange_page(
        rules,
        table,
        lambda name, item: case.columns[name][item],
        rank=rank,
        score_I=score_I,
        mask_I=mask_I,
        k=case.k,
        offset=offset,
        read_ahead=case.read_ahead,
    )


def check_pages(case: Case) -> None:
    """Compare what stands at some offsets with the reference."""
    naive = NaiveList(case)
    for offset in case.offsets:
        page, end = arranged(case, offset), offset + case.k
        expected = [place for place in naive.places[offset:end] if place is not None]
        assert page.item_K.tolist() == [item for item, _ in expected]
        assert [set(names) for names in page.rules_K] == [names for _, names in expected]
        assert page.next_offset == (end if any(naive.places[end:]) else None)


def check_promises(case: Case) -> None:
    """Check what a caller of pages is promised, with no list made by another way."""
    naive, pages, offset = NaiveList(case), list[list[int]](), 0
    while offset is not None:
        page = arranged(case, offset)
        pages.append(page.item_K.tolist())
        offset = page.next_offset
    listed = [item for page in pages for item in page]
    assert sorted(listed) == naive.eligible
    if not naive.of("cap"):
        assert all(len(page) == case.k for page in pages[:-1])
        assert all(listed[place] == item for place, (item, _) in naive.pins.items())
    pinned = {item for item, _ in naive.pins.values()}
    for number, items in enumerate(pages):
        later = {item for page in pages[number + 1 :] for item in page} - pinned
        check_caps(naive, items, pinned & {*items})
        check_share(naive, items, later, pinned & {*items})
        if len(items) < case.k:  # by caps, or at the end
            assert all(naive.is_closed(item, items, naive.of("cap")) for item in later)


def check_caps(naive: NaiveList, items: list[int], pinned: set[int]) -> None:
    """A cap holds, but for pinned items, and for shares that precede it."""
    for name, cap in naive.of("cap"):
        if not any(naive.precedes(share, name) for share, _ in naive.of("share")):
            counts, of_pins = naive.counts(name, items), naive.counts(name, pinned)
            assert all(counts[value] <= max(cap["most"], of_pins[value]) for value in counts)


def check_share(naive: NaiveList, items: list[int], later: set[int], pinned: set[int]) -> None:
    """The first share holds if no cap precedes it, and pins leave places, and items are left."""
    for name, share in naive.of("share")[:1]:
        matching = sum(naive.matches(name, item) for item in items)
        num_free = naive.case.k - sum(not naive.matches(name, item) for item in pinned)
        has_cap = any(naive.precedes(cap, name) for cap, _ in naive.of("cap"))
        if not has_cap and any(naive.matches(name, item) for item in later):
            assert matching >= min(share["least"] * naive.case.k - 1e-6, num_free)


@settings(max_examples=400)
@given(st.integers(0, 2**32 - 1), st.sampled_from([3, page_filler.CHUNK]))
def test_pages_equal_the_naive_list(seed: int, chunk: int) -> None:
    with patch.object(page_filler, "CHUNK", chunk):
        check_pages(random_case(random.Random(seed)))


@settings(max_examples=75)
@given(st.integers(0, 2**32 - 1))
def test_pages_keep_what_rules_promise(seed: int) -> None:
    check_promises(random_case(random.Random(seed)))
