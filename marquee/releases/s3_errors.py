"""Errors of S3 as one sentence with a remedy."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore import exceptions as boto

from marquee.core.errors import InputError
from marquee.releases.store import UnreachableError

EXPIRED = "the session has expired; sign in again (aws sso login)"
OTHER_REGION = "the bucket is in another region; set AWS_REGION to it"
REMEDIES = {
    "InvalidAccessKeyId": "the access key is unknown there; check AWS_ACCESS_KEY_ID",
    "SignatureDoesNotMatch": "the secret does not fit the access key; check AWS_SECRET_ACCESS_KEY",
    "ExpiredToken": EXPIRED,
    "ExpiredTokenException": EXPIRED,
    "InvalidToken": "the session token does not belong to these keys; check AWS_SESSION_TOKEN",
    "RequestTimeTooSkewed": "this machine's clock is wrong; set it (timedatectl set-ntp true)",
    "AccessDenied": "these credentials have no permission, or nothing has been promoted there; "
    "the role needs s3:GetObject and s3:ListBucket to read, s3:PutObject and "
    "s3:AbortMultipartUpload to push, s3:DeleteObject to prune",
    "NoSuchBucket": "there is no such bucket; make it (deploy/stack.sh up), or check the name",
    "KMS.NotFoundException": "there is no such key; check AWS_SSE_KMS_KEY_ID and its region",
    "KMS.DisabledException": "the key is disabled; enable it, or name another: AWS_SSE_KMS_KEY_ID",
    "NoSuchUpload": "the upload has ended, maybe complete; push again",
    "PermanentRedirect": OTHER_REGION,
    "AuthorizationHeaderMalformed": OTHER_REGION,
    "IllegalLocationConstraintException": OTHER_REGION,
}
"""Code of S3 -> what it means and what to do."""
BUSY_CODES = {"SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "503", "500"}
SENTENCES: dict[type[Exception], str] = {
    boto.NoCredentialsError: "no credentials, expected keys, a session or a role; set "
    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, sign in (aws sso login), or attach a role",
    boto.ParamValidationError: "not a valid bucket and key, expected s3://movies/models/ml-1m",
    boto.BotoCoreError: "{error}; check ~/.aws/config, AWS_PROFILE, AWS_REGION and your keys, or "
    "sign in (aws sso login)",
}
"""Errors of boto3 itself -> what to do; the first that fits."""
NETWORK_ERRORS = (
    boto.ConnectionError,
    boto.HTTPClientError,
    boto.ResponseStreamingError,
    boto.IncompleteReadError,
    ConnectionError,
    KeyError,  # s3transfer, of an answer that lost its headers
)
LATE_NETWORK_ERRORS = {
    "botocore.parsers.ResponseParserError",
    "urllib3.exceptions.HTTPError",
    "s3transfer.exceptions.RetriesExceededError",
}
"""By name: importing them takes 16 MB that the service of a plain folder does without."""


def error_code(error: boto.ClientError) -> str:
    """Return S3's own code: NoSuchKey, PreconditionFailed, …"""
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def explained_errors(url: str) -> Iterator[None]:
    """Raise errors of S3 as InputError; UnreachableError if trying again may help."""
    try:
        yield
    except boto.ClientError as error:
        code = error_code(error)
        if code in BUSY_CODES:
            raise UnreachableError(f"{url}: busy ({code}); try again in a minute") from error
        message = str(error.response.get("Error", {}).get("Message", "")).rstrip(".")
        raise InputError(f"{url}: {code}: {REMEDIES.get(code, message)}") from error
    except Exception as error:
        if is_network_error(error):
            raise UnreachableError(
                f"{url}: no answer ({type(error).__name__}), expected one of S3; "
                "check the network and AWS_ENDPOINT_URL"
            ) from error
        for kind, sentence in SENTENCES.items():
            if isinstance(error, kind):
                message = " ".join(str(error).split()).rstrip(".")
                raise InputError(f"{url}: {sentence.format(error=message)}") from error
        raise


def is_network_error(error: Exception) -> bool:
    """Return whether nothing, or half an answer, came back."""
    names = {f"{base.__module__}.{base.__qualname__}" for base in type(error).__mro__}
    return isinstance(error, NETWORK_ERRORS) or not names.isdisjoint(LATE_NETWORK_ERRORS)
