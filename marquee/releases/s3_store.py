"""A store in a bucket of S3, or of a compatible server (AWS_ENDPOINT_URL).

boto3's transfer manager sends and fetches files in parts, several at a time, and repeats a part
that was cut off.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
"""

from pathlib import Path
from typing import Any
from uuid import uuid4

from botocore.exceptions import ClientError

from marquee.core.errors import InputError
from marquee.releases.s3_address import parse_s3_url
from marquee.releases.s3_client import S3Client
from marquee.releases.s3_errors import error_code
from marquee.releases.store import ListedObject, StoredObject, UnreachableError

PART_BYTES = 8 << 20
"""Of a transfer: a cut connection loses at most this."""
NUM_CONNECTIONS = 4
"""Parts of one file that are in transfer together; each may hold PART_BYTES of memory."""
PRECONDITION_FAILED_CODES = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}
NOT_FOUND_CODES = {"NoSuchKey", "404"}
NOT_MODIFIED_CODES = {"NotModified", "304"}
NOT_IMPLEMENTED_CODES = {"NotImplemented", "501"}


class S3Store:
    """Keys below one prefix of one bucket."""

    def __init__(
        self, url: str, *, allow_unconditional: bool = False, show_progress: bool = False
    ) -> None:
        """Raise InputError for an address or a setting that cannot be used."""
        from boto3.s3.transfer import TransferConfig  # late, as boto3 in s3_client.py

        self._bucket, self._prefix = parse_s3_url(url)
        self.url = f"s3://{self._bucket}/{self._prefix}"
        self._unconditional, self._show_progress = allow_unconditional, show_progress
        self._transfer = TransferConfig(
            multipart_threshold=PART_BYTES,
            multipart_chunksize=PART_BYTES,
            max_concurrency=NUM_CONNECTIONS,
        )
        self._client = S3Client(self.url)

    def read(self, key: str, known_etag: str = "") -> StoredObject | None:
        condition = {"IfNoneMatch": known_etag} if known_etag else {}
        with self._client.requests(f"{self.url}/{key}") as s3:
            try:
                response = s3.get_object(**self._at(key), **condition)
                content = response["Body"].read()
            except ClientError as error:
                if error_code(error) in NOT_FOUND_CODES | NOT_MODIFIED_CODES:
                    return None
                raise
        if len(content) != response.get("ContentLength") or "ETag" not in response:
            raise self._cut_off(key, len(content))  # an answer that lost half its headers
        return StoredObject(content, response["ETag"])

    def create(self, key: str, content: bytes) -> bool:
        if self._unconditional and self.read(key) is not None:
            return False
        return self._put(key, content, IfNoneMatch="*")

    def swap(self, key: str, content: bytes, etag: str) -> bool:
        if self._unconditional:
            existing = self.read(key)
            if existing is None or existing.etag != etag:
                return False
        return self._put(key, content, IfMatch=etag)

    def upload(self, path: Path, key: str) -> None:
        bar = self._progress_bar("push", key, path.stat().st_size)
        with self._client.requests(f"{self.url}/{key}") as s3, path.open("rb") as file, bar:
            s3.upload_fileobj(file, **self._at(key), Callback=bar.update, Config=self._transfer)

    def download(self, key: str, path: Path, size: int) -> None:
        bar = self._progress_bar("pull", key, size)
        with self._client.requests(f"{self.url}/{key}") as s3, path.open("wb") as file, bar:
            s3.download_fileobj(
                **self._at(key), Fileobj=file, Callback=bar.update, Config=self._transfer
            )
        if path.stat().st_size != size:
            raise self._cut_off(key, path.stat().st_size)

    def listed(self, prefix: str) -> list[ListedObject]:
        prefix_length = len(self._prefix) + 1
        with self._client.requests(self.url) as s3:
            pages = s3.get_paginator("list_objects_v2")
            return [
                ListedObject(
                    entry["Key"][prefix_length:], entry["Size"], entry["LastModified"].timestamp()
                )
                for page in pages.paginate(Bucket=self._bucket, Prefix=f"{self._prefix}/{prefix}")
                for entry in page.get("Contents", [])
            ]

    def delete(self, keys: list[str]) -> None:
        for key in keys:  # one by one: not every server knows DeleteObjects with its checksum
            with self._client.requests(f"{self.url}/{key}") as s3:
                s3.delete_object(**self._at(key))

    def refuse_unconditional(self) -> None:
        if self._unconditional:
            return
        probe = f".probe-{uuid4().hex}"
        try:
            if self.create(probe, b"") and self.create(probe, b""):
                raise self._no_conditions("ignores the condition of a write")
        finally:
            self.delete([probe])

    def _progress_bar(self, verb: str, key: str, size: int) -> Any:
        from tqdm import tqdm  # as boto3

        is_off = None if self._show_progress else True  # None: off unless this is a terminal
        name = key.rpartition("/")[2]
        return tqdm(total=size, desc=f"{verb} {name}", unit="B", unit_scale=True, disable=is_off)

    def _cut_off(self, key: str, num_bytes: int) -> UnreachableError:
        return UnreachableError(
            f"{self.url}/{key}: cut off after {num_bytes:,} bytes, expected the whole object; "
            "try again"
        )

    def _at(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": f"{self._prefix}/{key}"}

    def _put(self, key: str, content: bytes, **condition: str) -> bool:
        """Write an object; return whether the condition held and it was written."""
        conditions = {} if self._unconditional else condition
        with self._client.requests(f"{self.url}/{key}") as s3:
            try:
                s3.put_object(**self._at(key), Body=content, **conditions)
            except ClientError as error:
                if error_code(error) in PRECONDITION_FAILED_CODES | NOT_FOUND_CODES:
                    return False
                if error_code(error) in NOT_IMPLEMENTED_CODES and conditions:
                    raise self._no_conditions("has no conditional writes") from error
                raise
        return True

    def _no_conditions(self, problem: str) -> InputError:
        return InputError(
            f"{self.url}: this server {problem}, expected one that refuses the second of two: two "
            "promotions at once may overwrite each other; if only one at a time is certain: "
            "--allow-unconditional"
        )
