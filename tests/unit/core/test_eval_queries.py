"""Queries of validation and test: cuts through one table, by hand."""

import numpy as np

from marquee.core.eval_queries import EvalQueries, spans
from tests.support.eval_queries import eval_queries


def queries() -> EvalQueries:
    """Two users: the second has an item that is neither shown nor ranked."""
    return eval_queries(
        contexts=[[3, 1], [4]],
        targets=[[0], [2, 5]],
        ratings=[[5.0, 2.0], [4.5]],
        excluded=[[], [7]],
        has_many_targets=True,
        candidate_BC=np.array([[8, 9], [6, 7]]),
    )


def lists(arrays: list[np.ndarray]) -> list[list[float]]:
    return [array.tolist() for array in arrays]


def test_eval_queries_are_cuts_of_one_table() -> None:
    built = queries()
    assert built.item_N.tolist() == [3, 1, 0, 7, 4, 2, 5]
    assert (len(built), built.context_length.tolist()) == (2, [2, 1])
    assert lists(built.contexts()) == [[3, 1], [4]]
    assert lists(built.context_ratings()) == [[5.0, 2.0], [4.5]]
    assert lists(built.targets()) == [[0], [2, 5]]
    assert np.isnan(np.concatenate(built.target_ratings())).all()


def test_eval_queries_take_shares_the_table() -> None:
    second = queries().take(slice(1, 2))
    assert second.user.tolist() == [1]
    assert lists(second.contexts()) == [[4]]
    assert second.candidate_BC is not None
    assert second.candidate_BC.tolist() == [[6, 7]]
    built = queries()
    assert built.take(np.array([1, 0])).item_N is built.item_N
    assert lists(built.take(built.context_length > 1).targets()) == [[0]]


def test_eval_queries_blocks_keep_the_order() -> None:
    assert [part.user.tolist() for part in queries().blocks(1)] == [[0], [1]]
    assert [part.user.tolist() for part in queries().blocks(5)] == [[0, 1]]


def test_eval_queries_compact_copies_their_entries() -> None:
    compact = queries().take(np.array([1])).compact()
    assert compact.item_N.tolist() == [7, 4, 2, 5]
    assert (lists(compact.contexts()), lists(compact.targets())) == ([[4]], [[2, 5]])
    compact.item_N[:] = 0
    assert queries().item_N.tolist()[3] == 7


def test_ranking_arrays_are_pairs_of_row_and_item() -> None:
    arrays = {name: values.tolist() for name, values in queries().ranking_arrays().items()}
    assert arrays == {
        "seen_row_N": [0, 0, 1, 1],
        "seen_item_N": [3, 1, 7, 4],
        "target_row_N": [0, 1, 1],
        "target_item_N": [0, 2, 5],
        "candidate_BC": [[8, 9], [6, 7]],
    }
    one = eval_queries(contexts=[[3]], targets=[[0]], ranked_items=np.array([0, 1]))
    assert one.ranking_arrays()["target_B"].tolist() == [0]
    assert one.ranking_arrays()["ranked_item_C"].tolist() == [0, 1]


def test_spans_are_the_positions_of_slices() -> None:
    row, position = spans(np.array([5, 0, 9]), np.array([2, 0, 1]))
    assert (row.tolist(), position.tolist()) == ([0, 0, 2], [5, 6, 9])
