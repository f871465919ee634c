"""Test the settings of S3 that boto3 does not read itself."""

from typing import Any

import pytest

from marquee.core.errors import InputError
from marquee.core.s3_settings import S3Settings

KMS = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "alias/movies", "BucketKeyEnabled": True}


@pytest.mark.parametrize(
    ("environment", "arguments"),
    [
        pytest.param({}, {}, id="none"),
        pytest.param({"AWS_SSE": "AES256"}, {"ServerSideEncryption": "AES256"}, id="s3"),
        pytest.param(
            {
                "AWS_SSE": "aws:kms",
                "AWS_SSE_KMS_KEY_ID": "alias/movies",
                "AWS_SSE_BUCKET_KEY": "true",
            },
            KMS,
            id="kms",
        ),
    ],
)
def test_s3_settings_encryption_is_in_upload_arguments(
    environment: dict[str, str], arguments: dict[str, Any]
) -> None:
    settings = S3Settings.from_environment(environment)
    assert settings.upload_arguments() == arguments
    assert settings.fsspec_arguments() == ({"s3_additional_kwargs": arguments} if arguments else {})


def test_s3_settings_region_and_style_are_client_arguments() -> None:
    environment = {"AWS_REGION": "eu-west-1", "AWS_S3_ADDRESSING_STYLE": "path"}
    settings = S3Settings.from_environment(environment)
    arguments = {"region_name": "eu-west-1", "s3": {"addressing_style": "path"}}
    assert settings.client_arguments() == arguments
    assert settings.fsspec_arguments() == {"config_kwargs": arguments}


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        pytest.param({"AWS_SSE": "aws-kms"}, "AWS_SSE is 'aws-kms', expected one of", id="sse"),
        pytest.param(
            {"AWS_SSE_BUCKET_KEY": "yes", "AWS_SSE": "aws:kms"}, "expected one of true", id="flag"
        ),
        pytest.param(
            {"AWS_SSE_KMS_KEY_ID": "k", "AWS_SSE": "AES256"},
            "AWS_SSE_KMS_KEY_ID is set and AWS_SSE is 'AES256', expected AWS_SSE=aws:kms",
            id="key-without-kms",
        ),
        pytest.param({"AWS_S3_ADDRESSING_STYLE": "dns"}, "auto, path, virtual", id="style"),
    ],
)
def test_s3_settings_wrong_value_is_named(environment: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        S3Settings.from_environment(environment)
