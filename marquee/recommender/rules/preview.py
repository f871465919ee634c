"""The effect of a change of rules on a sample of lists."""

from collections.abc import Sequence
from typing import TypedDict

from marquee.core.ids import Id

MAX_EXAMPLES = 3


class ListChange(TypedDict):
    """One list, before and after."""

    before: list[Id]
    after: list[Id]


class Preview(TypedDict):
    """The number of lists that change, and the first that do."""

    lists: int
    changed: int
    examples: list[ListChange]


def preview(before_lists: Sequence[Sequence[Id]], after_lists: Sequence[Sequence[Id]]) -> Preview:
    """Return how many of the lists change; both are of the same queries, in one order.

    >>> preview([[1, 2], [1, 3]], [[1, 2], [3, 1]])
    {'lists': 2, 'changed': 1, 'examples': [{'before': [1, 3], 'after': [3, 1]}]}
    """
    changes: list[ListChange] = [
        {"before": list(before), "after": list(after)}
        for before, after in zip(before_lists, after_lists, strict=True)
        if list(before) != list(after)
    ]
    return {"lists": len(before_lists), "changed": len(changes), "examples": changes[:MAX_EXAMPLES]}
