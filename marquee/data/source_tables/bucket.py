"""Files of a bucket, streamed to this disk with boto3: one object, a glob, or a prefix.

s3://plays/2026/*.parquet    s3://plays/2026/    s3://plays/2026/january.csv.gz
"""

import fnmatch
import re
from pathlib import Path
from typing import Any

from marquee.core.errors import InputError
from marquee.core.s3_settings import S3Settings
from marquee.data.source_tables.partitions import copy_path
from marquee.data.source_tables.table import LocalFile

ADDRESS = re.compile(r"s3://(?P<bucket>[^/]+)/(?P<key>.+)")
GLOB = re.compile(r"[*?[]")


def is_bucket(path: str) -> bool:
    return path.lower().startswith("s3://")


def download(url: str, *, option: str, folder: Path) -> list[LocalFile]:
    """Return an address's objects as files in a folder; InputError names it."""
    match = ADDRESS.fullmatch(url)
    if match is None:
        raise InputError(f"{option} {url}: no object, expected s3://BUCKET/KEY")
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        client = _client()
        objects = _objects(client, match["bucket"], match["key"])
        files = [
            _fetch(client, match["bucket"], entry, copy_path(folder, entry["Key"]))
            for entry in objects
        ]
    except (BotoCoreError, ClientError) as error:
        message = " ".join(str(error).split()).rstrip(".")
        raise InputError(
            f"{option} {url}: {message}, expected an object that these credentials may read; "
            "check the address, AWS_PROFILE or keys, AWS_REGION and AWS_ENDPOINT_URL"
        ) from error
    if not files:
        raise InputError(f"{option} {url}: no such object, expected one; check bucket and key")
    return files


def _client() -> Any:
    import boto3
    from botocore.config import Config

    settings = S3Settings.from_environment()
    config = Config(retries={"mode": "standard", "max_attempts": 5}, **settings.client_arguments())
    return boto3.Session().client("s3", config=config)


def _objects(client: Any, bucket: str, key: str) -> list[dict[str, Any]]:
    """Return the objects that a key names, by key; markers and empty objects are left out."""
    prefix = GLOB.split(key)[0]
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    entries = [entry for page in pages for entry in page.get("Contents", ()) if entry["Size"]]
    if any(entry["Key"] == key for entry in entries):
        return [entry for entry in entries if entry["Key"] == key]
    if GLOB.search(key):
        return [entry for entry in entries if fnmatch.fnmatchcase(entry["Key"], key)]
    below = key.rstrip("/") + "/"
    return [
        entry
        for entry in entries
        if entry["Key"].startswith(below)
        and not any(part.startswith(("_", ".")) for part in entry["Key"][len(below) :].split("/"))
    ]


def _fetch(client: Any, bucket: str, entry: dict[str, Any], path: Path) -> LocalFile:
    with path.open("wb") as stream:
        client.download_fileobj(bucket, entry["Key"], stream)
    changed_ns = int(entry["LastModified"].timestamp() * 1e9)
    return LocalFile.of(path, f"s3://{bucket}/{entry['Key']}", changed_ns)
