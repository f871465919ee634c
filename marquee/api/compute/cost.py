"""The cost of a list: milliseconds of one core, estimated before any work (docs/api.md, Limits).

Measured with catalogs of up to 62,000 movies and vectors of 96 and 128 numbers. The estimate needs
the request, the length of the stored history and the size of the model: no clock.
"""

from collections.abc import Mapping, Sequence

from marquee.api.requests import PredictRequest, RecommendRequest, UserRequest
from marquee.api.store_access import CachedUser
from marquee.recommender.errors import RequestError
from marquee.recommender.recommender import Recommender
from marquee.recommender.rerank.calibration import ITEMS_PER_GROUP, MAX_RERANKED
from marquee.recommender.rerank.reranker import MAX_DEMOTING

MAX_COST = 1_500  # of one request: a core that is half as fast still keeps the limit of 4 s
INLINE_COST = 8  # up to here a list is computed on the event loop; a hop to a thread costs .5
BLOCK_COST = 50  # lists that are computed together: sixteen plain ones, or one that is costly

LIST_COST, MOVIES_PER_MS = 1.0, 31_000
MAX_MOVIES = 100_000  # larger catalogs have an index
ENTRIES_PER_MS, IDS_PER_MS, PREDICTIONS_PER_MS, PLACES_PER_MS = 400, 1_500, 250, 10_000
MAX_PLACES = 60_000
CALIBRATION_COST = 12.0  # of ten places
DIVERSE_PLACES_PER_MS = 30
DEMOTIONS_PER_MS = 5
RATE_NEXT_COST, RATE_NEXT_MOVIES_PER_MS = 2.0, 3_400
DEFAULT_NUM_LAYERS = 2  # of a bundle that does not say


def list_cost(
    recommender: Recommender, request: RecommendRequest, user: CachedUser | None
) -> float:
    """Return the cost of one list of /recommend or /recommend_batch."""
    num_entries = _num_entries(request, user)
    cost = LIST_COST + _num_movies(recommender) / MOVIES_PER_MS + num_entries / ENTRIES_PER_MS
    if user is not None:
        cost += min(len(user.state.not_interested), MAX_DEMOTING) / DEMOTIONS_PER_MS
    num_ids = len(request.include_ids or ()) + len(request.exclude_ids or ())
    cost += num_ids / IDS_PER_MS + min(request.offset, MAX_PLACES) / PLACES_PER_MS
    num_reranked = min(request.offset + request.k, MAX_RERANKED)
    if request.diversity:
        cost += 1 + num_reranked / DIVERSE_PLACES_PER_MS
    if request.calibration or request.genre_profile is not None:
        cost += CALIBRATION_COST * -(-num_reranked // ITEMS_PER_GROUP)
    if request.explain:
        num_read = min(num_entries, recommender.scorer.history_length)
        cost += _explain_cost(num_read, _num_layers(recommender))
    return cost


def predict_cost(request: PredictRequest, user: CachedUser | None) -> float:
    """Return the cost of /predict and /rerank."""
    entries_cost = _num_entries(request, user) / ENTRIES_PER_MS
    return 2 * LIST_COST + entries_cost + len(request.movie_ids) / PREDICTIONS_PER_MS


def rate_next_cost(
    recommender: Recommender, request: UserRequest, user: CachedUser | None
) -> float:
    """Return the cost of /rate_next."""
    entries_cost = _num_entries(request, user) / ENTRIES_PER_MS
    return RATE_NEXT_COST + _num_movies(recommender) / RATE_NEXT_MOVIES_PER_MS + entries_cost


def too_costly(cost: float) -> RequestError | None:
    """Return the error of one list above the budget, or None."""
    if cost <= MAX_COST:
        return None
    message = f"a list that costs {cost:,.0f}, expected at most {MAX_COST:,}"
    return RequestError(f"{message}; send a shorter history, or no explain", code="too_costly")


def check_batch(costs: Sequence[float]) -> None:
    """Raise RequestError for lists that together are above the budget."""
    total = sum(costs)
    if total > MAX_COST:
        fitting = int(MAX_COST / max(costs))
        raise RequestError(
            f"requests: {len(costs)} lists that cost {total:,.0f}, expected at most {MAX_COST:,}; "
            f"send at most {fitting} of these in one request",
            code="too_costly",
            field="requests",
        )


def split_blocks(cost_of: Mapping[int, float]) -> list[list[int]]:
    """Return blocks of lists, by key, to compute together; similar costs share one.

    Histories of similar length are encoded with little padding.

    >>> split_blocks({0: 30.0, 1: 3.0, 2: 400.0, 3: 3.0})
    [[1, 3, 0], [2]]
    """
    blocks: list[list[int]] = []
    block_cost = float("inf")
    for n in sorted(cost_of, key=cost_of.__getitem__):
        block_cost += cost_of[n]
        if block_cost > BLOCK_COST:
            blocks.append([])
            block_cost = cost_of[n]
        blocks[-1].append(n)
    return blocks


def _explain_cost(num_read: int, num_layers: int) -> float:
    """Return the cost of encoding a history once for each entry that the encoder reads.

    The last layer computes one position, each other layer all of them.
    """
    last_layer = num_read * (0.1 + num_read / 1_000)
    return last_layer + (num_layers - 1) * num_read**2 / 100


def _num_layers(recommender: Recommender) -> int:
    network = recommender.manifest.get("network", {})
    return int(network.get("num_layers", DEFAULT_NUM_LAYERS))


def _num_movies(recommender: Recommender) -> int:
    return min(len(recommender.movie_ids), MAX_MOVIES)


def _num_entries(request: UserRequest, user: CachedUser | None) -> int:
    num_stored = 0 if user is None else len(user.state.history)
    return num_stored + len(request.history or ())
