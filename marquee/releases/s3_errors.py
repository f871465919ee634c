"""Errors of S3 as one sentence with a remedy."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore import exceptions as boto

from marquee.core.errors import InputError
from marquee.releases.store import UnreachableError

REMEDIES = {
    "InvalidAccessKeyId": "the access key is unknown there; check AWS_ACCESS_KEY_ID",
    "SignatureDoesNotMatch": "the secret does not fit the access key; check AWS_SECRET_ACCESS_KEY",
    "ExpiredToken": "the session token has expired; get a new one (aws sso login)",
    "ExpiredTokenException": "the session has expired; sign in again (aws sso login)",
    "InvalidToken": "the session token does not belong to these keys; check AWS_SESSION_TOKEN",
    "RequestTimeTooSkewed": "this machine's clock is wrong; set it (timedatectl set-ntp true)",
    "AccessDenied": "these credentials have no permission, or nothing has been promoted there; "
    "the role needs s3:GetObject and s3:ListBucket to read; s3:PutObject, "
    "s3:AbortMultipartUpload, s3:ListBucketMultipartUploads and "
    "s3:ListMultipartUploadParts to push; "
    "s3:DeleteObject to prune",
    "NoSuchBucket": "there is no such bucket; make it (python -m deploy up), or check the name",
    "PermanentRedirect": "the bucket is in another region; set AWS_REGION to it",
    "AuthorizationHeaderMalformed": "the bucket is in another region; set AWS_REGION to it",
    "IllegalLocationConstraintException": "the bucket is in another region; set AWS_REGION to it",
}
BUSY_CODES = frozenset(
    {"SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "503", "500"}
)
NETWORK_ERRORS = (
    boto.EndpointConnectionError,
    boto.ConnectionError,
    boto.HTTPClientError,
    boto.ResponseStreamingError,
    boto.IncompleteReadError,
    ConnectionError,
)
LATE_NETWORK_ERRORS = ("botocore.parsers.ResponseParserError", "urllib3.exceptions.HTTPError")
"""By name: importing them takes 16 MB that the service of a plain folder does without."""


def error_code(error: boto.ClientError) -> str:
    """Return S3's own code: NoSuchKey, PreconditionFailed, …"""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_network_error(error: Exception) -> bool:
    """Return whether nothing, or half an answer, came back."""
    names = {f"{base.__module__}.{base.__qualname__}" for base in type(error).__mro__}
    return isinstance(error, NETWORK_ERRORS) or not names.isdisjoint(LATE_NETWORK_ERRORS)


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
        remedy = REMEDIES.get(code, message or "see the message of the server")
        raise InputError(f"{url}: {code}: {remedy}") from error
    except (boto.NoCredentialsError, boto.PartialCredentialsError) as error:
        raise InputError(
            f"{url}: no credentials, expected keys, a session or a role; set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, sign in (aws sso login), or attach a role to the machine"
        ) from error
    except (boto.CredentialRetrievalError, boto.TokenRetrievalError) as error:
        raise InputError(
            f"{url}: credentials cannot be retrieved, expected a session; "
            "sign in again (aws sso login)"
        ) from error
    except (boto.ProfileNotFound, boto.NoRegionError, boto.InvalidRegionError) as error:
        raise InputError(
            f"{url}: {str(error).rstrip('.')}, expected a profile and a region; "
            "check AWS_PROFILE, AWS_REGION"
        ) from error
    except boto.ParamValidationError as error:
        raise InputError(
            f"{url}: not a valid bucket and key, expected one like s3://movies/models/ml-1m"
        ) from error
    except InputError:
        raise
    except Exception as error:
        if is_network_error(error):
            raise UnreachableError(
                f"{url}: no answer ({type(error).__name__}), expected one of S3; "
                "check the network and AWS_ENDPOINT_URL"
            ) from error
        if isinstance(error, boto.BotoCoreError):
            message = " ".join(str(error).split()).rstrip(".")
            raise InputError(
                f"{url}: {message}; check ~/.aws/config and the AWS_… settings"
            ) from error
        raise
