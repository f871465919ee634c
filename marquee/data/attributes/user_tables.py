"""Read the features of users; users of the file without interactions are ignored, and counted."""

from dataclasses import dataclass

import duckdb
import numpy as np

from marquee.core.ids import IdIndex, Ids, id_type
from marquee.data.attributes.checks import note_ids
from marquee.data.attributes.feature_values import Report, feature_columns, read_feature
from marquee.data.attributes.rows import Reject, read_rows
from marquee.data.features import Feature
from marquee.data.source_tables import SourceTable
from marquee.data.spec import DatasetSpec


@dataclass(frozen=True, eq=False, kw_only=True)
class UserTables:
    features: tuple[Feature, ...] = ()  # rows as in the ids of `read_users`
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    rejects: tuple[Reject, ...] = ()


def users_id_column(spec: DatasetSpec) -> str:
    return spec.user_id or spec.user


def read_users(
    connection: duckdb.DuckDBPyConnection, spec: DatasetSpec, source: SourceTable | None, ids: Ids
) -> UserTables:
    """Read the features of the users with these ids, who have interactions.

    ids: each once; the ids of the source are of the same type. InputError for vectors of different
    lengths.
    """
    if source is None:
        return UserTables()
    columns = feature_columns(spec.user_features, source.columns)
    rows = read_rows(connection, source, users_id_column(spec), id_type(ids), columns)
    report = Report()
    file_ids = rows.ids
    row, is_known = IdIndex(file_ids).rows(ids)
    source_row = np.where(is_known, row, -1)
    note_ids(rows, source_row, ids, report, "user")
    if num_ignored := int((~IdIndex(ids).rows(file_ids)[1]).sum()):
        report.notes.append(f"users without interactions in the users file: {num_ignored}, ignored")
    features = tuple(read_feature(rows, column, source_row, report) for column in columns)
    return UserTables(
        features=features,
        notes=tuple(report.notes),
        warnings=tuple(report.warnings),
        rejects=rows.rejects(),
    )
