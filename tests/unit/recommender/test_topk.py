"""One page of a ranked list is what sorting everything gives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marquee.recommender.errors import RequestError
from marquee.recommender.topk import ITEMS_PER_BLOCK, top_page


@given(
    st.integers(1, 5 * ITEMS_PER_BLOCK),
    st.integers(0, 2**32 - 1),
    st.sampled_from([1, 3, 1000]),
    st.floats(0, 1),
    st.integers(1, 100),
    st.integers(0, 3 * ITEMS_PER_BLOCK),
)
def test_a_page_is_part_of_everything_sorted(
    size: int, seed: int, kinds: int, share: float, k: int, offset: int
) -> None:
    """kinds: with few, most scores are equal, and the smaller row comes first."""
    rng = np.random.default_rng(seed)
    score_I = rng.integers(0, kinds, size).astype(np.float32)
    keep_I = rng.random(size) < share
    kept = sorted(np.flatnonzero(keep_I).tolist(), key=lambda row: (-score_I[row], row))
    rows, next_offset = top_page(score_I, keep_I, k, offset)
    assert rows.tolist() == kept[offset : offset + k]
    assert next_offset == (offset + k if offset + k < len(kept) else None)


def test_few_that_are_kept_in_one_block_are_found() -> None:
    """The other blocks' maxima are minus infinity, and nothing of theirs is listed."""
    keep_I = np.zeros(50 * ITEMS_PER_BLOCK, bool)
    keep_I[70:90] = True
    rows, next_offset = top_page(np.arange(50 * ITEMS_PER_BLOCK, dtype=np.float32), keep_I, 10, 0)
    assert rows.tolist() == list(range(89, 79, -1)) and next_offset == 10


@pytest.mark.parametrize(("k", "offset"), [(0, 0), (1, -1)])
def test_a_page_of_nothing_is_refused(k: int, offset: int) -> None:
    with pytest.raises(
        RequestError, match=r"k: 0, expected 1 or more|offset: -1, expected 0 or more"
    ):
        top_page(np.zeros(3, np.float32), np.ones(3, bool), k, offset)
