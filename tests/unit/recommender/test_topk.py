"""Top-k pages: equal to sorting all scores."""

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
def test_top_page_equals_a_slice_of_all_sorted(
    size: int, seed: int, kinds: int, share: float, k: int, offset: int
) -> None:
    """kinds: with few, most scores are equal, and the smaller index comes first."""
    rng = np.random.default_rng(seed)
    score_I = rng.integers(0, kinds, size).astype(np.float32)
    mask_I = rng.random(size) < share
    expected = sorted(np.flatnonzero(mask_I).tolist(), key=lambda item: (-score_I[item], item))
    items, next_offset = top_page(score_I, mask_I, k, offset)
    assert items.tolist() == expected[offset : offset + k]
    assert next_offset == (offset + k if offset + k < len(expected) else None)


def test_top_page_with_candidates_in_one_block() -> None:
    """The other blocks' maxima are minus infinity, and nothing of theirs is listed."""
    mask_I = np.zeros(50 * ITEMS_PER_BLOCK, bool)
    mask_I[70:90] = True
    items, next_offset = top_page(np.arange(50 * ITEMS_PER_BLOCK, dtype=np.float32), mask_I, 10, 0)
    assert items.tolist() == list(range(89, 79, -1)) and next_offset == 10


@pytest.mark.parametrize(("k", "offset"), [(0, 0), (1, -1)])
def test_top_page_invalid_k_or_offset_raises(k: int, offset: int) -> None:
    with pytest.raises(
        RequestError, match=r"k: 0, expected 1 or more|offset: -1, expected 0 or more"
    ):
        top_page(np.zeros(3, np.float32), np.ones(3, bool), k, offset)
