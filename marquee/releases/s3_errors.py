"""What S3 answers with, as one sentence and what to do about it."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore import exceptions as boto
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from marquee.core.errors import InputError
from marquee.releases.store import UnreachableError

REMEDIES = {
    "InvalidAccessKeyId": "the access key is not known there; check AWS_ACCESS_KEY_ID",
    "SignatureDoesNotMatch": "the secret does not fit the access key; check AWS_SECRET_ACCESS_KEY",
    "ExpiredToken": "the session token has expired; take new ones (aws sso login)",
    "ExpiredTokenException": "the session has expired; sign in again (aws sso login)",
    "InvalidToken": "the session token is not one of these keys; check AWS_SESSION_TOKEN",
    "RequestTimeTooSkewed": "this machine's clock is wrong; set it (timedatectl set-ntp true)",
    "AccessDenied": "these credentials may not, or nothing has been promoted there; the role needs"
    " s3:GetObject and s3:ListBucket"
    " to read; s3:PutObject, s3:AbortMultipartUpload, s3:ListBucketMultipartUploads and"
    " s3:ListMultipartUploadParts to push; s3:DeleteObject to prune",
    "NoSuchBucket": "there is no such bucket; make it (python -m deploy up), or check the name",
    "PermanentRedirect": "the bucket is in another region; set AWS_REGION to it",
    "AuthorizationHeaderMalformed": "the bucket is in another region; set AWS_REGION to it",
    "IllegalLocationConstraintException": "the bucket is in another region; set AWS_REGION to it",
}
BUSY = frozenset(
    {"SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "503", "500"}
)
UNREACHABLE = (
    boto.EndpointConnectionError,
    boto.ConnectionError,
    boto.HTTPClientError,
    boto.ResponseStreamingError,
    boto.IncompleteReadError,
    ResponseParserError,
    HTTPError,
    ConnectionError,
)


def code_of(error: boto.ClientError) -> str:
    """S3's own word for it: NoSuchKey, PreconditionFailed, …"""
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def faults(url: str) -> Iterator[None]:
    """Raise what S3 says as InputError; UnreachableError where trying again may help."""
    try:
        yield
    except boto.ClientError as error:
        code = code_of(error)
        if code in BUSY:
            raise UnreachableError(f"{url}: busy ({code}); try again in a minute") from error
        message = str(error.response.get("Error", {}).get("Message", "")).rstrip(".")
        remedy = REMEDIES.get(code, message or "see the message of the server")
        raise InputError(f"{url}: {code}: {remedy}") from error
    except (boto.NoCredentialsError, boto.PartialCredentialsError) as error:
        raise InputError(
            f"{url}: no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, sign in "
            "(aws sso login), or give the machine a role"
        ) from error
    except (boto.CredentialRetrievalError, boto.TokenRetrievalError) as error:
        raise InputError(
            f"{url}: the credentials cannot be had; sign in again (aws sso login)"
        ) from error
    except (boto.ProfileNotFound, boto.NoRegionError, boto.InvalidRegionError) as error:
        raise InputError(
            f"{url}: {str(error).rstrip('.')}; check AWS_PROFILE, AWS_REGION"
        ) from error
    except boto.ParamValidationError as error:
        raise InputError(f"{url}: S3 has no such names; s3://movies/models/ml-1m is one") from error
    except UNREACHABLE as error:
        raise UnreachableError(
            f"{url}: no answer ({type(error).__name__}); check the network and AWS_ENDPOINT_URL"
        ) from error
    except boto.BotoCoreError as error:
        said = " ".join(str(error).split()).rstrip(".")
        raise InputError(f"{url}: {said}; check ~/.aws/config and the AWS_… settings") from error
