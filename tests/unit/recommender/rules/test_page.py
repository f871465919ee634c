"""Lists under rules, small enough to check by eye."""

from typing import Any

import numpy as np
import pytest

from marquee.core.arrays import Bools, Int64
from marquee.recommender.eligibility.attribute_table import AttributeTable
from marquee.recommender.rules.item_queue import ItemQueue
from marquee.recommender.rules.page import ArrangedPage, arrange_page
from marquee.recommender.rules.parsing import parse_rule
from marquee.recommender.rules.rule_set import RuleSet
from marquee.recommender.rules.scores import boosted_scores

D, W, K = ["Drama"], ["War"], 4
CAP = {"cap": {"attribute": "genres", "most": 1}}


def arranged(
    genres: list[list[str]], actions: list[Any], offset: int = 0, order: list[int] | None = None
) -> ArrangedPage:
    """Return a page of four, under rules "a", "b", … about dramas; items come best first."""
    table = AttributeTable(len(genres), {"genres": genres})
    rules = RuleSet(
        parse_rule(name, {"where": {"genres": "Drama"}, "action": action})
        for name, action in zip("abc", actions, strict=False)
    ).active("recommend", None, 0)
    score_I = boosted_scores(rules, table, np.arange(len(genres), 0, -1, np.float32))

    def rank(mask_I: Bools, n: int) -> Int64:
        items = np.argsort(-score_I, kind="stable") if order is None else np.array(order)
        return items[mask_I[items]][:n]

    return arrange_page(
        rules,
        table,
        lambda _, item: genres[item],
        rank=rank,
        score_I=score_I,
        mask_I=np.ones(len(genres), bool),
        k=K,
        offset=offset,
    )


@pytest.mark.parametrize(
    ("genres", "actions", "pages", "names"),
    [
        pytest.param([W, D, W, W, W], [], [[0, 1, 2, 3], [4]], "", id="no-rule"),
        pytest.param([W, D, W, W, W], ["bury"], [[0, 2, 3, 4], [1]], "1a", id="bury"),
        pytest.param([W, W, W, D], [{"boost": {"by": 2.5}}], [[0, 3, 1, 2]], "3a", id="boost"),
        pytest.param(
            [W, W, W, D, D],
            [{"pin": {"place": 1}}],
            [[3, 0, 1, 2], [4]],
            "3a",
            id="pin",
        ),
        pytest.param([D, D, W], [{"pin": {"place": 9}}], [[1, 2, 0]], "0a", id="pin-beyond-end"),
        pytest.param(
            [W, W, D, D],
            [{"pin": {"place": 2}}, {"pin": {"place": 2}}],
            [[0, 2, 3, 1]],
            "2a 3b",
            id="two-pins-on-one-place",
        ),
        pytest.param([D, D, W, D, W, W], [CAP], [[0, 2, 4, 5], [1], [3]], "2a 4a 5a", id="cap"),
        pytest.param(
            [W, D, D],
            [CAP, {"pin": {"place": 3}}],
            [[0, 1], [2]],
            "1b",
            id="cap-counts-the-pinned-item",
        ),
        pytest.param(
            [W, W, W, W, D, D],
            [{"share": {"least": 0.3}}],
            [[0, 1, 4, 5], [2, 3]],
            "4a 5a",
            id="share",
        ),
        pytest.param(
            [W, W, D, W, D],
            [{"share": {"least": 0.3}}],
            [[0, 1, 2, 4], [3]],
            "4a",
            id="share-met-in-part",
        ),
        pytest.param(
            [W, W, W, W, D, D],
            [CAP, {"share": {"least": 0.5}}],
            [[0, 1, 2, 4], [3, 5]],
            "4b",
            id="cap-before-share",
        ),
        pytest.param(
            [W, W, W, W, D, D],
            [{"share": {"least": 0.5}}, CAP],
            [[0, 1, 4, 5], [2, 3]],
            "4a 5a",
            id="share-before-cap",
        ),
    ],
)
def test_arrange_page_example(
    genres: list[list[str]], actions: list[Any], pages: list[list[int]], names: str
) -> None:
    """names: the items that rules touched, each with the names of the rules."""
    offset: int | None = 0
    items, touched = list[list[int]](), list[str]()
    while offset is not None:
        page = arranged(genres, actions, offset)
        items.append(page.item_K.tolist())
        touched += [f"{n}{''.join(each)}" for n, each in zip(*page[:2], strict=True) if each]
        offset = page.next_offset
    assert (items, " ".join(sorted(touched))) == (pages, names)


def test_arrange_page_bury_outlasts_a_list_wise_order() -> None:
    """The order asks for the last item first, as diversity might."""
    assert arranged([W, D, W, D], ["bury"], order=[3, 2, 1, 0]).item_K.tolist() == [2, 0, 3, 1]


def test_arrange_page_far_behind_the_end_is_empty() -> None:
    page = arranged([W, D], [{"share": {"least": 1}}], offset=2**62)
    assert (page.item_K.tolist(), page.rules_K, page.next_offset) == ([], [], None)


@pytest.mark.parametrize(("num", "best"), [(1, [1]), (3, [1, 3, 0]), (9, [1, 3, 0, 2])])
def test_item_queue_best_puts_buried_items_last(num: int, best: list[int]) -> None:
    buried_I, score_I = np.array([True, False, True, False]), np.array([4.0, 3.0, 2.0, 1.0])
    queue = ItemQueue(lambda _, n: np.arange(n), score_I, np.ones(4, bool), buried_I)
    assert queue.best(np.arange(4), num).tolist() == best
