"""Addresses of stores in S3: a bucket or an access point, and a prefix.

    parse_s3_url("s3://movies/models/ml-1m")    # ("movies", "models/ml-1m")
    parse_s3_url("s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/movies/models/ml-1m")

An alias of an access point (…-s3alias) is written as a bucket.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-points-naming.html
"""

import re

from marquee.core.errors import InputError

BUCKET = r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}"
ACCESS_POINT = (
    r"arn:[a-z-]+:s3:[a-z0-9-]*:\d{12}:accesspoint[:/][a-z0-9.-]+"
    r"|arn:[a-z-]+:s3-outposts:[a-z0-9-]+:\d{12}:outpost[:/][a-z0-9-]+[:/]accesspoint[:/][a-z0-9-]+"
)
URL = re.compile(rf"s3://(?P<bucket>{ACCESS_POINT}|{BUCKET})/(?P<prefix>[^\x00-\x1f\x7f]+)")


def parse_s3_url(url: str) -> tuple[str, str]:
    """Return bucket, or ARN of an access point, and prefix; InputError otherwise."""
    match = URL.fullmatch(url.rstrip("/"))
    parts = match["prefix"].split("/") if match else []
    if match is None or not {"", ".", ".."}.isdisjoint(parts):
        raise InputError(
            f"{url}: no bucket with a prefix (nor an access point's ARN), expected one "
            "like s3://movies/models/ml-1m"
        )
    return match["bucket"], match["prefix"]
