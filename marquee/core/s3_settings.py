"""Settings of S3 that boto3 does not read from the environment itself.

    settings = S3Settings.from_environment({"AWS_SSE": "aws:kms"})
    settings.upload_arguments()    # {"ServerSideEncryption": "aws:kms"}, of every object written
    settings.client_arguments()    # of boto3's Config
    settings.fsspec_arguments()    # of s3fs, which keeps checkpoints

Credentials, profile and endpoint (AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_S3) are boto3's own.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marquee.core.errors import InputError

ENCRYPTIONS = ("AES256", "aws:kms", "aws:kms:dsse")
ADDRESSING_STYLES = ("auto", "path", "virtual")
FLAGS = {"": None, "true": True, "false": False}


@dataclass(frozen=True, kw_only=True)
class S3Settings:
    """The settings of one process."""

    region: str | None
    """AWS_REGION; None: AWS_DEFAULT_REGION or the profile's."""
    addressing_style: str | None
    """AWS_S3_ADDRESSING_STYLE: "path" for a server without a DNS name for each bucket."""
    encryption: str
    """AWS_SSE: asks S3 to encrypt every object; "": as the bucket's own default says."""
    kms_key_id: str
    """AWS_SSE_KMS_KEY_ID; "": the account's default key of S3."""
    bucket_key: bool | None
    """AWS_SSE_BUCKET_KEY: one key of the bucket instead of a call of KMS for each object."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "S3Settings":
        """Read all settings; InputError names the one that is wrong."""
        encryption = _one_of(environment, "AWS_SSE", ENCRYPTIONS)
        for name in ("AWS_SSE_KMS_KEY_ID", "AWS_SSE_BUCKET_KEY"):
            if environment.get(name) and not encryption.startswith("aws:kms"):
                raise InputError(
                    f"{name} is set and AWS_SSE is {encryption!r}, expected AWS_SSE=aws:kms; "
                    f"set it, or remove {name}"
                )
        return cls(
            region=environment.get("AWS_REGION") or None,
            addressing_style=_one_of(environment, "AWS_S3_ADDRESSING_STYLE", ADDRESSING_STYLES)
            or None,
            encryption=encryption,
            kms_key_id=environment.get("AWS_SSE_KMS_KEY_ID", ""),
            bucket_key=FLAGS[_one_of(environment, "AWS_SSE_BUCKET_KEY", ("true", "false"))],
        )

    def upload_arguments(self) -> dict[str, str | bool]:
        """Return what each request that makes an object says about its encryption."""
        arguments = {"ServerSideEncryption": self.encryption, "SSEKMSKeyId": self.kms_key_id}
        flags = {} if self.bucket_key is None else {"BucketKeyEnabled": self.bucket_key}
        return {name: value for name, value in arguments.items() if value} | flags

    def client_arguments(self) -> dict[str, Any]:
        """Return the arguments of botocore's Config."""
        style = {"addressing_style": self.addressing_style} if self.addressing_style else {}
        region = {"region_name": self.region} if self.region else {}
        return region | ({"s3": style} if style else {})

    def fsspec_arguments(self) -> dict[str, Any]:
        """Return the arguments of an S3FileSystem."""
        arguments = {
            "s3_additional_kwargs": self.upload_arguments(),
            "config_kwargs": self.client_arguments(),
        }
        return {name: value for name, value in arguments.items() if value}


def _one_of(environment: Mapping[str, str], name: str, values: tuple[str, ...]) -> str:
    """Return a setting, or "" if it is not set."""
    value = environment.get(name, "")
    if value and value not in values:
        raise InputError(f"{name} is {value!r}, expected one of {', '.join(values)}")
    return value
