"""The vectors of a new item from its attributes alone: the content half of the item tower.

    content = recommender.item_content
    arrays = content.arrays([ItemAttributes(title="Heat", year=1995, genres=["Crime"])])
    arrays["item_vector"]        # (1, D), as the rows of a bundle's array of that name

Inputs of `item_content.onnx`, all with B rows: `genres` float32 (B, G), 1 for each genre of
`FeatureSpace.genres`; `year` int64 (B,), -1 where unknown; `title` float32 (B, T), the word vectors
of the title; and `feature.NAME` for each feature of the data set: int64 rows (B, W) of its table,
or float32 (B, width). Outputs: the arrays `item_vector`, `item_gmf`, `item_mlp`, `item_bias`, and
with ratings `star_item` (marquee/recommender/bundle_checks.py).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from marquee.core.arrays import Float32
from marquee.core.feature_encodings import FeatureSpace, VectorEncoding
from marquee.recommender.encoder import open_session

UNKNOWN_YEAR = -1
FEATURE_PREFIX = "feature."


@dataclass(frozen=True, kw_only=True)
class ItemAttributes:
    """Known attributes of an item; an unreadable value of a feature is unknown."""

    title: str = ""
    year: int | None = None
    genres: Iterable[str] = ()
    features: Mapping[str, Any] = field(default_factory=dict)


class ItemContent:
    """The graph of a bundle; a call takes .1 ms and more."""

    def __init__(self, model: bytes, features: FeatureSpace, threads: int = 1) -> None:
        self.features = features
        self._session = open_session("item_content.onnx", model, threads)
        self._inputs = [node.name for node in self._session.get_inputs()]
        self._outputs = [node.name for node in self._session.get_outputs()]

    def arrays(
        self, items: Sequence[ItemAttributes], names: Sequence[str] | None = None
    ) -> dict[str, Float32]:
        """Return the rows of B >= 1 new items, by the name of the bundle's array.

        names: the arrays to compute; None: all.
        """
        names = self._outputs if names is None else names
        inputs = graph_inputs(self.features, items)
        inputs = {name: inputs[name] for name in self._inputs}
        return dict(zip(names, self._session.run(list(names), inputs), strict=True))

    @property
    def vector_encoding(self) -> VectorEncoding | None:
        """Return the data set's first vector feature, which a ready vector gives."""
        vectors = (each for each in self.features.item if isinstance(each, VectorEncoding))
        return next(vectors, None)

    @property
    def vector_feature(self) -> str | None:
        """Return the name of that feature."""
        return self.vector_encoding.name if self.vector_encoding else None


def graph_inputs(
    features: FeatureSpace, items: Sequence[ItemAttributes]
) -> dict[str, npt.NDArray[Any]]:
    """Return the inputs of the graph by name; genres new to the model are left out."""
    column = {name: g for g, name in enumerate(features.genres)}
    genre_BG = np.zeros((len(items), max(1, len(column))), np.float32)
    for genre_G, item in zip(genre_BG, items, strict=True):
        genre_G[[column[name] for name in item.genres if name in column]] = 1
    years = [UNKNOWN_YEAR if item.year is None else item.year for item in items]
    inputs: dict[str, npt.NDArray[Any]] = {"genres": genre_BG, "year": np.array(years, np.int64)}
    if features.title is not None:
        inputs["title"] = features.title.encode([item.title for item in items])
    for encoding in features.item:
        values = [item.features.get(encoding.name) for item in items]
        inputs[FEATURE_PREFIX + encoding.name] = encoding.encode(values)
    return inputs
