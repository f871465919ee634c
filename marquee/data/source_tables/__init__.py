"""Sources of any kind as DuckDB views: files, folders, buckets, databases."""

from marquee.data.source_tables.open_source import open_source
from marquee.data.source_tables.sql import explained_errors
from marquee.data.source_tables.table import LocalFile, SourceFile, SourceTable

__all__ = ["LocalFile", "SourceFile", "SourceTable", "explained_errors", "open_source"]
