"""Test addresses of stores in S3."""

import pytest

from marquee.core.errors import InputError
from marquee.releases.s3_address import parse_s3_url

ARN = "arn:aws:s3:eu-west-1:123456789012:accesspoint/movies"
OUTPOST = "arn:aws:s3-outposts:us-east-1:123456789012:outpost/op-1/accesspoint/movies"
MULTI_REGION = "arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap"
ALIAS = "movies-abcdefghijk1234567890-s3alias"


@pytest.mark.parametrize(
    "bucket", ["movies", "my.movies_1", ALIAS, ARN, ARN.replace("/", ":"), OUTPOST, MULTI_REGION]
)
@pytest.mark.parametrize("prefix", ["m", "models/ml-1m"])
def test_parse_s3_url_returns_bucket_and_prefix(bucket: str, prefix: str) -> None:
    assert parse_s3_url(f"s3://{bucket}/{prefix}") == (bucket, prefix)
    assert parse_s3_url(f"s3://{bucket}/{prefix}/") == (bucket, prefix)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("s3://", id="empty"),
        pytest.param("s3://movies", id="no-prefix"),
        pytest.param("s3://movies/", id="slash"),
        pytest.param("s3:///models", id="no-bucket"),
        pytest.param("s3://movies//models", id="two-slashes"),
        pytest.param("s3://movies/a/../b", id="dots"),
        pytest.param("s3://movies/./a", id="dot"),
        pytest.param("s3://My Movies/a", id="space"),
        pytest.param("s3://localhost:9000/movies/a", id="host"),
        pytest.param("s3://key:secret@movies/a", id="password"),
        pytest.param("s3://movies/a\nb", id="newline"),
        pytest.param(f"s3://{ARN}", id="access-point-alone"),
        pytest.param("s3://arn:aws:s3:::movies/models", id="arn-of-a-bucket"),
    ],
)
def test_parse_s3_url_without_bucket_and_prefix_is_refused(url: str) -> None:
    with pytest.raises(InputError, match=r"no bucket with a prefix .*, expected one like"):
        parse_s3_url(url)
