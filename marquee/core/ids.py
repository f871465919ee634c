"""Ids of users and items: int64 where a data set's ids are integers, else text.

A column of ids is an int64 array or an object array of `str`. Nothing is ever cast between the two:
"0114508" is not 114508. Row numbers are positions in such a column.
"""

import hashlib
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from marquee.core.arrays import Bools, Int64

Ids: TypeAlias = npt.NDArray[np.int64] | npt.NDArray[np.object_]
Id: TypeAlias = int | str
IdType: TypeAlias = Literal["int", "text"]


def as_ids(ids: Sequence[Any] | npt.NDArray[Any]) -> Ids:
    """Return ids, (N,): int64 if all are integers, else text in an object array.

    Raises TypeError where integers and text are mixed.
    """
    array = ids if isinstance(ids, np.ndarray) else np.array(ids, dtype=object)
    if array.dtype.kind in "iu" or not len(array):
        return array.astype(np.int64)
    kinds = {str if isinstance(value, str) else int for value in array.flat}
    if len(kinds) > 1:
        raise TypeError("ids: integers and text, expected one of them")
    return array.astype(np.int64 if kinds == {int} else object)


def id_type(ids: Ids) -> IdType:
    return "text" if ids.dtype == object else "int"


class IdIndex:
    """The rows of a column of ids, each of which is there once."""

    def __init__(self, ids: Ids) -> None:
        self.ids = ids
        self._order: Int64 = np.argsort(ids, kind="stable").astype(np.int64)
        self._sorted = ids[self._order]

    def rows(self, ids: npt.ArrayLike) -> tuple[Int64, Bools]:
        """Return the rows of ids, in the same shape, and which ids are known.

        The row of an unknown id is 0. An id of the other type is unknown.
        """
        wanted = np.asarray(ids, dtype=object if self.ids.dtype == object else None)
        if not len(self.ids) or not self._is_comparable(wanted):
            return np.zeros(wanted.shape, np.int64), np.zeros(wanted.shape, bool)
        slot = np.searchsorted(self._sorted, wanted).clip(max=len(self.ids) - 1)
        is_known = np.asarray(self._sorted[slot] == wanted, bool)
        return np.where(is_known, self._order[slot], 0), is_known

    def _is_comparable(self, wanted: npt.NDArray[Any]) -> bool:
        if self.ids.dtype == object:
            return all(isinstance(value, str) for value in wanted.flat)
        return wanted.dtype.kind in "iu" or not wanted.size


def id_keys(ids: Ids) -> npt.NDArray[np.uint64]:
    """Return 64 bits for each id, (N,): an integer itself, of text 8 bytes of BLAKE2b."""
    if ids.dtype != object:
        return ids.astype(np.uint64)
    digests = [hashlib.blake2b(text.encode(), digest_size=8).digest() for text in ids]
    return np.frombuffer(b"".join(digests), np.uint64).copy()
