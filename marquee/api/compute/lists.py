"""Compute lists: short ones on the event loop, costly ones and batches in the compute pool."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from typing import TypeAlias, TypeVar

from marquee.api.compute import cost
from marquee.api.compute.pool import ComputePool
from marquee.api.conversion import build_query
from marquee.api.requests import RecommendRequest
from marquee.api.store_access import CachedUser
from marquee.recommender.errors import RequestError
from marquee.recommender.recommender import Recommender
from marquee.recommender.responses import RecommendResponse

Result = TypeVar("Result")
ListRequest: TypeAlias = tuple[RecommendRequest, CachedUser | None]
ListResult: TypeAlias = RecommendResponse | RequestError


class ListComputer:
    """The lists of one event loop, within the budget of a request."""

    def __init__(self) -> None:
        self._pool = ComputePool()

    async def compute(self, function: Callable[[], Result], cost_ms: float) -> Result:
        """Call a function, inline if it is cheap; RequestError above the budget."""
        if cost_ms <= cost.INLINE_COST:
            return function()
        if (error := cost.too_costly(cost_ms)) is not None:
            raise error
        (result,) = await self._pool.run([function], cost_ms)
        return result

    async def recommend(
        self, recommender: Recommender, request: RecommendRequest, user: CachedUser | None
    ) -> RecommendResponse:
        """Compute one list."""
        cost_ms = cost.list_cost(recommender, request, user)
        return await self.compute(partial(_recommend, recommender, request, user), cost_ms)

    async def recommend_batch(
        self, recommender: Recommender, lists: Sequence[ListRequest]
    ) -> list[ListResult]:
        """Compute lists in blocks; an error takes the place of its list.

        Raises RequestError for lists that are above the budget only together.
        """
        costs = [cost.list_cost(recommender, *each) for each in lists]
        errors = {n: error for n, each in enumerate(costs) if (error := cost.too_costly(each))}
        affordable = {n: each for n, each in enumerate(costs) if n not in errors}
        cost.check_batch(list(affordable.values()))
        blocks = cost.split_blocks(affordable)
        work = [
            partial(_recommend_block, recommender, [lists[n] for n in block]) for block in blocks
        ]
        computed = await self._pool.run(work, sum(affordable.values()))
        results = dict(zip(chain(*blocks), chain(*computed), strict=True))
        return [errors.get(n) or results[n] for n in range(len(lists))]


def _recommend(
    recommender: Recommender, request: RecommendRequest, user: CachedUser | None
) -> RecommendResponse:
    return recommender.recommend_query(build_query(recommender, request, user))


def _recommend_block(recommender: Recommender, lists: Sequence[ListRequest]) -> list[ListResult]:
    queries = [build_query(recommender, request, user) for request, user in lists]
    return list(recommender.recommend_batch(queries))
