"""Attributes as numbers: fitted by the training, applied again by the serving process.

    type         input of a row                               unknown
    categories   W rows of a table: 1 other, 2 + n a value    row 0, W times
    number       (x - mean) / deviation, and 0                0, and 1
    vector       V numbers, of length 1 on average            zeros
    text         TF-IDF of its words @ word vectors, T        zeros

A `category` is `categories` with one value. Values that can be nothing of a type are unknown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt

from marquee.core.arrays import Float32, Int64
from marquee.core.word_vectors import WordVectors

NONE_ROW, OTHER_ROW, FIRST_ROW = 0, 1, 2
MAX_VALUES = 32  # of one row, say a cast; further ones are not read
MAX_DEVIATIONS = 5.0  # of a number, beyond which one is as good as another
Values: TypeAlias = Sequence[Any] | npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class CategoryEncoding:
    """Rows of a table for the values of a `category` or of `categories`."""

    type: ClassVar[str] = "categories"
    name: str
    values: tuple[str, ...]

    @property
    def num_rows(self) -> int:
        return FIRST_ROW + len(self.values)

    def encode(self, values: Values) -> Int64:
        """Return (R, W) rows of the table, W at least 1; 0 is none."""
        rows = [self._rows(value) for value in values]
        row_RW = np.zeros((len(rows), max([1, *map(len, rows)])), np.int64)
        for row_W, known in zip(row_RW, rows, strict=True):
            row_W[: len(known)] = known
        return row_RW

    def _rows(self, value: Any) -> list[int]:
        names = value if isinstance(value, list | tuple | np.ndarray) else [value]
        known = (str(name) for name in names if name is not None and name == name)  # not NaN
        rows = (self._row_of.get(name, OTHER_ROW) for name in known)
        return list(dict.fromkeys(rows))[:MAX_VALUES]

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {value: FIRST_ROW + n for n, value in enumerate(self.values)}


@dataclass(frozen=True, kw_only=True)
class NumberEncoding:
    """A standardised number, and whether it is unknown."""

    type: ClassVar[str] = "number"
    name: str
    mean: float
    deviation: float
    dim: ClassVar[int] = 2

    def encode(self, values: Values) -> Float32:
        """Return (R, 2)."""
        number_R = np.array([_number(value) for value in values], np.float64)
        is_known_R = np.isfinite(number_R)
        scaled_R = np.where(is_known_R, (number_R - self.mean) / self.deviation, 0)
        scaled_R = scaled_R.clip(-MAX_DEVIATIONS, MAX_DEVIATIONS)
        return np.stack([scaled_R, ~is_known_R], 1).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class VectorEncoding:
    """A ready vector, divided by the mean length of all."""

    type: ClassVar[str] = "vector"
    name: str
    dim: int
    length: float

    def encode(self, values: Values) -> Float32:
        """Return (R, V)."""
        vector_RV = np.zeros((len(values), self.dim), np.float64)
        for row_V, value in zip(vector_RV, values, strict=True):
            vector = np.array([_number(number) for number in _listed(value)])
            if len(vector) == self.dim and np.isfinite(vector).all():
                row_V[:] = vector / self.length
        return vector_RV.astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class TextEncoding:
    """The word vectors of a text (marquee/core/word_vectors.py)."""

    type: ClassVar[str] = "text"
    name: str
    words: WordVectors

    @property
    def dim(self) -> int:
        return self.words.dim

    def encode(self, values: Values) -> Float32:
        """Return (R, T)."""
        return self.words.encode(["" if value is None else str(value) for value in values])


DenseEncoding: TypeAlias = NumberEncoding | VectorEncoding | TextEncoding
Encoding: TypeAlias = CategoryEncoding | DenseEncoding


@dataclass(frozen=True, kw_only=True)
class FeatureSpace:
    """The attributes that the graphs of a bundle read, in the order of their inputs."""

    genres: tuple[str, ...] = ()
    title: TextEncoding | None = None
    item: tuple[Encoding, ...] = ()
    user: tuple[Encoding, ...] = ()

    @property
    def user_dim(self) -> int:
        """X, the width of a user's row."""
        return sum(width(encoding) for encoding in self.user)

    def encode_user(self, viewer: Mapping[str, Any]) -> Float32:
        """Return the user features of a request as one row, (X,); zeros without any.

        A category fills its place in the table, of several an equal share.
        """
        if all(viewer.get(encoding.name) is None for encoding in self.user):
            return np.zeros(self.user_dim, np.float32)
        parts = [dense_rows(encoding, [viewer.get(encoding.name)])[0] for encoding in self.user]
        return np.concatenate(parts)

    def to_json(self) -> dict[str, Any]:
        return {
            "genres": list(self.genres),
            "title": None if self.title is None else _to_json(self.title),
            "item": [_to_json(encoding) for encoding in self.item],
            "user": [_to_json(encoding) for encoding in self.user],
        }

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the word vectors of all texts, by names that `from_json` reads."""
        return {
            f"{side}.{n}.{name}": array
            for side, encodings in self._sides()
            for n, encoding in enumerate(encodings)
            if isinstance(encoding, TextEncoding)
            for name, array in encoding.words.arrays().items()
        }

    @classmethod
    def from_json(
        cls, content: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]
    ) -> "FeatureSpace":
        def read(side: str, encodings: Sequence[Mapping[str, Any]]) -> tuple[Encoding, ...]:
            return tuple(
                _from_json(encoding, _below(arrays, f"{side}.{n}."))
                for n, encoding in enumerate(encodings)
            )

        title = read("title", [content["title"]] if content["title"] else [])
        assert all(isinstance(encoding, TextEncoding) for encoding in title)
        return cls(
            genres=tuple(content["genres"]),
            title=title[0] if title else None,  # type: ignore[arg-type]
            item=read("item", content["item"]),
            user=read("user", content["user"]),
        )

    def _sides(self) -> tuple[tuple[str, tuple[Encoding, ...]], ...]:
        title = () if self.title is None else (self.title,)
        return (("title", title), ("item", self.item), ("user", self.user))


def width(encoding: Encoding) -> int:
    return encoding.num_rows if isinstance(encoding, CategoryEncoding) else encoding.dim


def dense_rows(encoding: Encoding, values: Values) -> Float32:
    """Return (R, `width`) numbers; of categories the share of each row of the table."""
    if not isinstance(encoding, CategoryEncoding):
        return encoding.encode(values)
    row_RW = encoding.encode(values)
    share_RX = np.zeros((len(row_RW), encoding.num_rows), np.float32)
    weight_RW = value_weights(row_RW)
    np.add.at(share_RX, (np.arange(len(row_RW))[:, None], row_RW), weight_RW)
    return share_RX


def value_weights(row_RW: Int64) -> Float32:
    """Return the weight of each value in the mean of its row; 0 for none."""
    is_value_RW = row_RW != NONE_ROW
    count_R1 = is_value_RW.sum(1, keepdims=True).clip(min=1)
    return (is_value_RW / count_R1).astype(np.float32)


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return float("nan")


def _listed(value: Any) -> Values:
    return value if isinstance(value, list | tuple | np.ndarray) else ()


def _to_json(encoding: Encoding) -> dict[str, Any]:
    fields: dict[str, Any] = {"name": encoding.name, "type": encoding.type}
    match encoding:
        case CategoryEncoding():
            return fields | {"values": list(encoding.values)}
        case NumberEncoding():
            return fields | {"mean": encoding.mean, "deviation": encoding.deviation}
        case VectorEncoding():
            return fields | {"dim": encoding.dim, "length": encoding.length}
    return fields | {"words": encoding.words.column_of}


def _from_json(content: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> Encoding:
    name = content["name"]
    match content["type"]:
        case "categories":
            return CategoryEncoding(name=name, values=tuple(content["values"]))
        case "number":
            return NumberEncoding(name=name, mean=content["mean"], deviation=content["deviation"])
        case "vector":
            return VectorEncoding(name=name, dim=content["dim"], length=content["length"])
    return TextEncoding(name=name, words=WordVectors.from_parts(content["words"], arrays))


def _below(arrays: Mapping[str, npt.NDArray[Any]], prefix: str) -> dict[str, npt.NDArray[Any]]:
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }
