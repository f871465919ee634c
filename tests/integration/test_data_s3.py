"""Files of a bucket as sources: one object, a glob, a prefix; what is not there is named."""

from collections.abc import Iterator
from pathlib import Path

import boto3
import duckdb
import pytest

from marquee.core.errors import InputError
from marquee.data.source_tables import SourceTable, open_source
from tests.support import s3_server


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with s3_server.server():
        bucket = s3_server.new_bucket()
        client = boto3.client("s3")
        for key, body in {
            "plays/part-0.csv": b"user,item\n1,02\n",
            "plays/part-1.csv": b"user,item\n2,03\n",
            "plays/_SUCCESS": b"",
            "plays/_log/0.json": b"{}",
            "other.csv": b"user,item\n9,9\n",
        }.items():
            client.put_object(Bucket=bucket, Key=key, Body=body)
        yield bucket


def _open(connection: duckdb.DuckDBPyConnection, folder: Path, url: str) -> SourceTable:
    return open_source(connection, (url,), folder=folder)


@pytest.mark.parametrize(
    ("key", "rows"),
    [
        pytest.param("plays/part-1.csv", [("2", "03")], id="object"),
        pytest.param("plays/*.csv", [("1", "02"), ("2", "03")], id="glob"),
        pytest.param("plays/", [("1", "02"), ("2", "03")], id="prefix"),
        pytest.param("plays", [("1", "02"), ("2", "03")], id="prefix-without-slash"),
    ],
)
def test_open_source_bucket_gives_rows_and_addresses(
    bucket: str, tmp_path: Path, key: str, rows: list[tuple[str, str]]
) -> None:
    with duckdb.connect() as connection:
        source = _open(connection, tmp_path, f"s3://{bucket}/{key}")
        assert connection.sql(f"SELECT * FROM {source.view}").fetchall() == rows
        files = source.finish()
    assert [file.path.rpartition("/")[0] for file in files] == [f"s3://{bucket}/plays"] * len(rows)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        pytest.param("s3://{bucket}/play.csv", "no such object", id="key"),
        pytest.param("s3://no-such-bucket-of-ours/a.csv", "NoSuchBucket", id="bucket"),
        pytest.param("s3://{bucket}", "expected s3://BUCKET/KEY", id="no-key"),
    ],
)
def test_open_source_missing_object_is_refused(
    bucket: str, tmp_path: Path, url: str, message: str
) -> None:
    with duckdb.connect() as connection, pytest.raises(InputError, match=message):
        _open(connection, tmp_path, url.format(bucket=bucket))
