"""A store in a bucket of S3, or of what speaks its language (AWS_ENDPOINT_URL).

Credentials and region are found as boto3 finds them: environment, profile, the machine's role.
Large files go in parts; parts of an upload that was broken off are not sent again, those of a
download neither. https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
"""

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from marquee.core.errors import InputError
from marquee.releases.s3_errors import code_of, faults
from marquee.releases.store import Listed, Stored, Told, UnreachableError

PART_BYTES = 8 << 20
"""S3 takes parts of 5 MB and more."""
BLOCK_BYTES = 1 << 16
"""Of a download: what a cut connection loses at most."""
TRIES = 5
"""Times in a row that a download may be cut off without a byte gained."""
LOST = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})
GONE = frozenset({"NoSuchKey", "404"})
UNABLE = frozenset({"NotImplemented", "501"})
SAME = frozenset({"NotModified", "304"})
ENDED = frozenset({"InvalidRange", "416"})
SAID = ("ETag", "ChecksumCRC32")
"""Of a part, what the server wants to hear again when all are there."""


class S3Store:
    """Keys below one prefix of one bucket."""

    def __init__(self, url: str, allow_unconditional: bool) -> None:
        bucket, _, prefix = url.removeprefix("s3://").strip("/").partition("/")
        if not bucket or not prefix or ".." in prefix.split("/"):
            raise InputError(f"{url}: give a bucket and a prefix in it, s3://movies/models/ml-1m")
        self.url, self._bucket, self._prefix = f"s3://{bucket}/{prefix}", bucket, prefix
        self._unconditional = allow_unconditional
        retries = {"mode": "standard", "max_attempts": 3}
        config = Config(
            retries=retries,
            connect_timeout=3,
            read_timeout=20,
            response_checksum_validation="when_required",  # every file's sha256 is ours
        )
        with faults(url):
            try:
                self._s3 = boto3.Session().client("s3", config=config)
            except ValueError as error:
                raise InputError(
                    f"{url}: {error}; AWS_ENDPOINT_URL is http://HOST:PORT, or unset for AWS"
                ) from error

    def read(self, key: str) -> Stored | None:
        return self._get(key)

    def newer(self, key: str, etag: str) -> Stored | None:
        return self._get(key, IfNoneMatch=etag)

    def create(self, key: str, content: bytes) -> bool:
        if self._unconditional:
            return self.read(key) is None and self._put(key, content)
        return self._put(key, content, IfNoneMatch="*")

    def swap(self, key: str, content: bytes, etag: str) -> bool:
        if self._unconditional:
            found = self.read(key)
            return found is not None and found.etag == etag and self._put(key, content)
        return self._put(key, content, IfMatch=etag)

    def upload(self, path: Path, key: str, told: Told) -> None:
        if path.stat().st_size <= PART_BYTES:
            self._put(key, path.read_bytes())
            told(path.stat().st_size)
        else:
            self._upload_parts(path, key, told)

    def download(self, key: str, path: Path, told: Told) -> None:
        path.write_bytes(b"")
        tries = 0
        while tries < TRIES:
            have = path.stat().st_size
            try:
                return self._rest(key, path, told)
            except UnreachableError:
                tries = 0 if path.stat().st_size > have else tries + 1
        raise UnreachableError(
            f"{self.url}/{key}: cut off after {path.stat().st_size:,} bytes, {TRIES} times without "
            "one more; try again"
        )

    def listed(self, prefix: str) -> list[Listed]:
        pages = self._s3.get_paginator("list_objects_v2")
        where = {"Bucket": self._bucket, "Prefix": f"{self._prefix}/{prefix}"}
        cut = len(self._prefix) + 1
        with faults(self.url):
            return [
                Listed(each["Key"][cut:], each["Size"], each["LastModified"].timestamp())
                for page in pages.paginate(**where)
                for each in page.get("Contents", [])
            ]

    def delete(self, keys: list[str]) -> None:
        for key in keys:  # one by one: not every server knows DeleteObjects with its checksum
            with faults(f"{self.url}/{key}"):
                self._s3.delete_object(**self._at(key))

    def conditional(self) -> bool:
        """A small object is created twice: a server that takes the second ignores conditions."""
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

    def _get(self, key: str, **condition: str) -> Stored | None:
        with faults(f"{self.url}/{key}"):
            try:
                found = self._s3.get_object(**self._at(key), **condition)
                content = found["Body"].read()
                self._refuse_short(key, len(content), found)
                return Stored(content, found["ETag"])
            except ClientError as error:
                if code_of(error) in GONE | SAME:
                    return None
                raise

    def _put(self, key: str, content: bytes, **condition: str) -> bool:
        """False where the condition does not hold."""
        with faults(f"{self.url}/{key}"):
            try:
                self._s3.put_object(**self._at(key), Body=content, **condition)
                return True
            except ClientError as error:
                if condition and code_of(error) in LOST | GONE:
                    return False
                if condition and code_of(error) in UNABLE:
                    raise InputError(
                        f"{self.url}: this server has no conditional writes, so two who promote at "
                        "once may overwrite each other; where only one does: --allow-unconditional"
                    ) from error
                raise

    def _rest(self, key: str, path: Path, told: Told) -> None:
        """Append what is missing."""
        have = path.stat().st_size
        asked = {"Range": f"bytes={have}-"} if have else {}
        with faults(f"{self.url}/{key}"), path.open("ab") as file:
            try:
                found = self._s3.get_object(**self._at(key), **asked)
            except ClientError as error:
                if code_of(error) in ENDED:  # the cut was at its end
                    return
                raise
            for block in found["Body"].iter_chunks(BLOCK_BYTES):
                file.write(block)
                file.flush()
                told(len(block))
            self._refuse_short(key, file.tell() - have, found)

    def _refuse_short(self, key: str, taken: int, found: dict[str, Any]) -> None:
        """Headers that were cut off lack the length, and the body then looks whole."""
        if taken != found.get("ContentLength") or "ETag" not in found:
            raise UnreachableError(f"{self.url}/{key}: cut off after {taken:,} bytes; try again")

    def _upload_parts(self, path: Path, key: str, told: Told) -> None:
        with faults(f"{self.url}/{key}"), path.open("rb") as file:
            upload, there = self._begun(key)
            where = self._at(key) | {"UploadId": upload}
            parts: list[dict[str, Any]] = []
            while block := file.read(PART_BYTES):
                number = len(parts) + 1
                found = there.get(number, {})
                if found.get("ETag") != f'"{hashlib.md5(block).hexdigest()}"':
                    found = self._s3.upload_part(**where, PartNumber=number, Body=block)
                parts.append({"PartNumber": number} | {k: found[k] for k in SAID if k in found})
                told(len(block))
            try:
                self._s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
            except ClientError as error:
                if code_of(error) != "NoSuchUpload" or not self.listed(key):  # another finished it
                    raise
            self._end_others(key)

    def _end_others(self, key: str) -> None:
        """Uploads whose beginning was answered and never heard: their parts would be paid for."""
        for each in self._uploads(key):
            with suppress(ClientError):
                self._s3.abort_multipart_upload(**self._at(key), UploadId=each["UploadId"])

    def _begun(self, key: str) -> tuple[str, dict[int, dict[str, Any]]]:
        """An upload of this key and its parts by number: one that was broken off, or a new one."""
        at = self._at(key)
        for each in self._uploads(key)[:1]:
            pages = self._s3.get_paginator("list_parts").paginate(**at, UploadId=each["UploadId"])
            found = [part for page in pages for part in page.get("Parts", [])]
            return each["UploadId"], {part["PartNumber"]: part for part in found}
        return self._s3.create_multipart_upload(**at)["UploadId"], {}

    def _uploads(self, key: str) -> list[dict[str, Any]]:
        """Uploads of this key that have been begun and not ended."""
        at = self._at(key)
        found = self._s3.list_multipart_uploads(Bucket=at["Bucket"], Prefix=at["Key"])
        return [each for each in found.get("Uploads", []) if each["Key"] == at["Key"]]
