"""A store in a bucket of S3, or of a compatible server (AWS_ENDPOINT_URL).

boto3 finds credentials and region: environment, profile, the machine's role. Large files go in
parts; interrupted uploads and downloads resume where they stopped.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
"""

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from botocore.exceptions import ClientError

from marquee.core.errors import InputError
from marquee.releases.s3_errors import error_code, explained_errors
from marquee.releases.store import (
    ListedObject,
    ProgressCallback,
    StoredObject,
    UnreachableError,
)

PART_BYTES = 8 << 20
"""Of a multipart upload; S3 takes parts of 5 MB and more."""
BLOCK_BYTES = 1 << 16
"""Of a download: a cut connection loses at most this."""
MAX_FRUITLESS_TRIES = 5
"""Downloads in a row that may be cut off without one more byte."""
PRECONDITION_FAILED_CODES = frozenset(
    {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}
)
NOT_FOUND_CODES = frozenset({"NoSuchKey", "404"})
NOT_IMPLEMENTED_CODES = frozenset({"NotImplemented", "501"})
NOT_MODIFIED_CODES = frozenset({"NotModified", "304"})
RANGE_ENDED_CODES = frozenset({"InvalidRange", "416"})
PART_FIELDS = ("ETag", "ChecksumCRC32")
"""Fields of each part that completing an upload repeats."""


class S3Store:
    """Keys below one prefix of one bucket."""

    def __init__(self, url: str, *, allow_unconditional: bool = False) -> None:
        """Raise InputError for an address, a profile or a region that cannot be used."""
        import boto3  # half a second and 24 MB, which a service of a plain folder does without
        from botocore.config import Config

        bucket, _, prefix = url.removeprefix("s3://").strip("/").partition("/")
        if not bucket or not prefix or ".." in prefix.split("/"):
            raise InputError(
                f"{url}: no bucket with a prefix, expected one like s3://movies/models/ml-1m"
            )
        self.url, self._bucket, self._prefix = f"s3://{bucket}/{prefix}", bucket, prefix
        self._unconditional = allow_unconditional
        retries = {"mode": "standard", "max_attempts": 3}
        config = Config(
            retries=retries,
            connect_timeout=3,
            read_timeout=20,
            response_checksum_validation="when_required",  # the manifest has every sha256
        )
        with explained_errors(url):
            try:
                self._s3 = boto3.Session().client("s3", config=config)
            except ValueError as error:
                raise InputError(
                    f"{url}: {error}, expected AWS_ENDPOINT_URL=http://HOST:PORT, or unset for AWS"
                ) from error

    def read(self, key: str) -> StoredObject | None:
        return self._get(key)

    def read_if_changed(self, key: str, etag: str) -> StoredObject | None:
        return self._get(key, IfNoneMatch=etag)

    def create(self, key: str, content: bytes) -> bool:
        if self._unconditional:
            return self.read(key) is None and self._put(key, content)
        return self._put(key, content, IfNoneMatch="*")

    def swap(self, key: str, content: bytes, etag: str) -> bool:
        if self._unconditional:
            existing = self.read(key)
            return existing is not None and existing.etag == etag and self._put(key, content)
        return self._put(key, content, IfMatch=etag)

    def upload(self, path: Path, key: str, progress: ProgressCallback) -> None:
        if path.stat().st_size <= PART_BYTES:
            self._put(key, path.read_bytes())
            progress(path.stat().st_size)
        else:
            self._upload_parts(path, key, progress)

    def download(self, key: str, path: Path, progress: ProgressCallback) -> None:
        path.write_bytes(b"")
        tries = 0
        while tries < MAX_FRUITLESS_TRIES:
            num_bytes = path.stat().st_size
            try:
                return self._append_missing(key, path, progress)
            except UnreachableError:
                tries = 0 if path.stat().st_size > num_bytes else tries + 1
        raise UnreachableError(
            f"{self.url}/{key}: cut off after {path.stat().st_size:,} bytes, "
            f"{MAX_FRUITLESS_TRIES} times without one more, expected the whole object; try again"
        )

    def listed(self, prefix: str) -> list[ListedObject]:
        pages = self._s3.get_paginator("list_objects_v2")
        location = {"Bucket": self._bucket, "Prefix": f"{self._prefix}/{prefix}"}
        prefix_length = len(self._prefix) + 1
        with explained_errors(self.url):
            return [
                ListedObject(
                    entry["Key"][prefix_length:], entry["Size"], entry["LastModified"].timestamp()
                )
                for page in pages.paginate(**location)
                for entry in page.get("Contents", [])
            ]

    def delete(self, keys: list[str]) -> None:
        for key in keys:  # one by one: not every server knows DeleteObjects with its checksum
            with explained_errors(f"{self.url}/{key}"):
                self._s3.delete_object(**self._at(key))

    def conditional(self) -> bool:
        """Return whether the server refuses to create an object twice."""
        if self._unconditional:
            return True
        probe = f".probe-{uuid4().hex}"
        try:
            self._put(probe, b"", IfNoneMatch="*")
            return not self._put(probe, b"", IfNoneMatch="*")
        finally:
            self.delete([probe])

    def _at(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": f"{self._prefix}/{key}"}

    def _get(self, key: str, **condition: str) -> StoredObject | None:
        with explained_errors(f"{self.url}/{key}"):
            try:
                response = self._s3.get_object(**self._at(key), **condition)
                content = response["Body"].read()
                self._refuse_short(key, len(content), response)
                return StoredObject(content, response["ETag"])
            except ClientError as error:
                if error_code(error) in NOT_FOUND_CODES | NOT_MODIFIED_CODES:
                    return None
                raise

    def _put(self, key: str, content: bytes, **condition: str) -> bool:
        """Write an object; return whether the condition held and it was written."""
        with explained_errors(f"{self.url}/{key}"):
            try:
                self._s3.put_object(**self._at(key), Body=content, **condition)
                return True
            except ClientError as error:
                if condition and error_code(error) in PRECONDITION_FAILED_CODES | NOT_FOUND_CODES:
                    return False
                if condition and error_code(error) in NOT_IMPLEMENTED_CODES:
                    raise InputError(
                        f"{self.url}: this server has no conditional writes, expected one that "
                        "has: two promotions at once may overwrite each other; if only one at a "
                        "time is certain: --allow-unconditional"
                    ) from error
                raise

    def _append_missing(self, key: str, path: Path, progress: ProgressCallback) -> None:
        """Append the bytes that the file lacks."""
        num_bytes = path.stat().st_size
        byte_range = {"Range": f"bytes={num_bytes}-"} if num_bytes else {}
        with explained_errors(f"{self.url}/{key}"), path.open("ab") as file:
            try:
                response = self._s3.get_object(**self._at(key), **byte_range)
            except ClientError as error:
                if error_code(error) in RANGE_ENDED_CODES:  # the cut was at its end
                    return
                raise
            for block in response["Body"].iter_chunks(BLOCK_BYTES):
                file.write(block)
                file.flush()
                progress(len(block))
            self._refuse_short(key, file.tell() - num_bytes, response)

    def _refuse_short(self, key: str, size: int, response: dict[str, Any]) -> None:
        """Raise if bytes are missing: truncated headers lack the length."""
        if size != response.get("ContentLength") or "ETag" not in response:
            raise UnreachableError(
                f"{self.url}/{key}: cut off after {size:,} bytes, expected the whole object; "
                "try again"
            )

    def _upload_parts(self, path: Path, key: str, progress: ProgressCallback) -> None:
        with explained_errors(f"{self.url}/{key}"), path.open("rb") as file:
            upload_id, stored_parts = self._resume_or_start(key)
            location = self._at(key) | {"UploadId": upload_id}
            parts: list[dict[str, Any]] = []
            while block := file.read(PART_BYTES):
                number = len(parts) + 1
                part = stored_parts.get(number, {})
                if part.get("ETag") != f'"{hashlib.md5(block).hexdigest()}"':
                    part = self._s3.upload_part(**location, PartNumber=number, Body=block)
                parts.append(
                    {"PartNumber": number}
                    | {name: part[name] for name in PART_FIELDS if name in part}
                )
                progress(len(block))
            try:
                self._s3.complete_multipart_upload(**location, MultipartUpload={"Parts": parts})
            except ClientError as error:
                if error_code(error) != "NoSuchUpload" or not self.listed(
                    key
                ):  # another writer finished it
                    raise
            self._abort_others(key)

    def _abort_others(self, key: str) -> None:
        """Abort uploads that a lost answer left behind: their parts would be paid for."""
        for upload in self._uploads(key):
            with suppress(ClientError):
                self._s3.abort_multipart_upload(**self._at(key), UploadId=upload["UploadId"])

    def _resume_or_start(self, key: str) -> tuple[str, dict[int, dict[str, Any]]]:
        """Return an interrupted upload of this key, or a new one, and its parts by number."""
        at = self._at(key)
        for upload in self._uploads(key)[:1]:
            upload_id = upload["UploadId"]
            pages = self._s3.get_paginator("list_parts").paginate(**at, UploadId=upload_id)
            parts = [part for page in pages for part in page.get("Parts", [])]
            return upload_id, {part["PartNumber"]: part for part in parts}
        return self._s3.create_multipart_upload(**at)["UploadId"], {}

    def _uploads(self, key: str) -> list[dict[str, Any]]:
        """List the unfinished uploads of this key."""
        at = self._at(key)
        response = self._s3.list_multipart_uploads(Bucket=at["Bucket"], Prefix=at["Key"])
        return [upload for upload in response.get("Uploads", []) if upload["Key"] == at["Key"]]
