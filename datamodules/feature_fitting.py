"""Fit the features of a data set: which values a table has, means, lengths, words.

A value of fewer than two rows says nothing that the row's own embedding would not: it is "other".
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from datamodules.text_features import text_feature
from marquee.core.arrays import Float32, Int64
from marquee.core.feature_encodings import (
    CategoryEncoding,
    DenseEncoding,
    Encoding,
    NumberEncoding,
    TextEncoding,
    VectorEncoding,
    value_weights,
)
from marquee.data.features import Feature

MIN_ROWS = 2


class EncodedRows(NamedTuple):
    """The features of R rows."""

    value_RW: Int64  # rows of one table for the values of all categories; 0 is none
    weight_RW: Float32  # 1 over the number of values of the same feature
    dense_RX: Float32  # numbers, vectors and texts side by side


def fit_features(
    features: Sequence[Feature], num_rows: int, num_fitted: int
) -> tuple[tuple[Encoding, ...], EncodedRows]:
    """Fit features to the first `num_fitted` rows; return encodings and all rows."""
    encodings: list[Encoding] = []
    values, weights, dense, num_table_rows = [], [], [], 0
    for feature in features:
        encoding = fit_feature(feature, num_fitted)
        encodings.append(encoding)
        if isinstance(encoding, CategoryEncoding):
            row_RW = encoding.encode(feature.values)
            weights.append(value_weights(row_RW))
            values.append(np.where(row_RW > 0, num_table_rows + row_RW, 0))
            num_table_rows += encoding.num_rows
        else:
            dense.append(encoding.encode(feature.values))
    rows = EncodedRows(
        value_RW=np.hstack([np.zeros((num_rows, 0), np.int64), *values]),
        weight_RW=np.hstack([np.zeros((num_rows, 0), np.float32), *weights]),
        dense_RX=np.hstack([np.zeros((num_rows, 0), np.float32), *dense]),
    )
    return tuple(encodings), rows


def fit_feature(feature: Feature, num_fitted: int) -> Encoding:
    """Return the encoding of one feature, fitted to its first rows."""
    values = feature.values[:num_fitted]
    if feature.type in ("category", "categories"):
        return _fit_categories(feature.name, values, is_list=feature.type == "categories")
    return _fit_dense(feature, values, num_fitted)


def _fit_categories(name: str, values: np.ndarray, *, is_list: bool) -> CategoryEncoding:
    rows = values if is_list else ([value] if value is not None else [] for value in values)
    count = Counter(value for row in rows for value in set(row))
    frequent = sorted(str(value) for value, number in count.items() if number >= MIN_ROWS)
    return CategoryEncoding(name=name, values=tuple(frequent))


def _fit_dense(feature: Feature, values: np.ndarray, num_fitted: int) -> DenseEncoding:
    name = feature.name
    if feature.type == "text":
        return TextEncoding(name=name, words=text_feature(feature.values, num_fitted)[1])
    if feature.type == "number":
        known = values[np.isfinite(values)].astype(np.float64)
        deviation = float(known.std()) if len(known) else 0.0
        mean = float(known.mean()) if len(known) else 0.0
        return NumberEncoding(name=name, mean=mean, deviation=deviation or 1.0)
    known = values[np.isfinite(values).all(1)].astype(np.float64)
    length = float(np.linalg.norm(known, axis=1).mean()) if len(known) else 0.0
    return VectorEncoding(name=name, dim=values.shape[1], length=length or 1.0)
