"""The projection of movies that a run shows in Comet."""

from pathlib import Path

import pytest

from marquee.recommender.recommender import Recommender
from marquee.training.run_logging import embedding
from tests.support.tiny_bundle import write_tiny


@pytest.mark.parametrize("text_ids", [False, True])
def test_embedding_any_ids_labels_the_most_rated_first(tmp_path: Path, text_ids: bool) -> None:
    recommender = Recommender.load(write_tiny(tmp_path, text_ids=text_ids))
    vectors, (headers, *labels) = embedding(recommender)
    assert headers == ["title", "year", "genres", "ratings"]
    assert labels[0] == ["Pulp Fiction", "1994", "Comedy|Crime|Drama", "60"]
    assert len(labels) == len(vectors) == 10
