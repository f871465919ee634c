"""Clients of AWS, and its errors as one sentence each with the remedy.

aws = Aws.connect(region=None)     # boto3 finds region and credentials
with explained_errors(aws.region):
    aws.cloudformation.describe_stacks()
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from botocore import exceptions
from botocore.parsers import ResponseParserError

from marquee.core.errors import InputError

SIGN_IN = "sign in (aws sso login, or AWS_PROFILE=NAME) and run this again"
EXPIRED_CODES = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
UNKNOWN_KEY_CODES = {"InvalidClientTokenId", "SignatureDoesNotMatch", "UnrecognizedClientException"}
FORBIDDEN_CODES = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}
CLOCK_SKEW_CODES = {"RequestTimeTooSkewed"}


@dataclass(frozen=True)
class Aws:
    region: str
    session: Any

    @classmethod
    def connect(cls, region: str | None) -> "Aws":
        """Open a session; InputError if no region is set."""
        with explained_errors(region or ""):
            session = boto3.session.Session(region_name=region)
        if not session.region_name:
            raise InputError(
                "no AWS region is set, expected one; --region us-east-1, or AWS_DEFAULT_REGION"
            )
        return cls(session.region_name, session)

    def __getattr__(self, service: str) -> Any:
        """Return the client of a service, by its name at boto3; made once."""
        try:
            client = self.session.client(service, region_name=self.region)
        except ValueError as error:
            raise InputError(
                f"AWS_ENDPOINT_URL: {error}, expected http://HOST:PORT, or unset for AWS"
            ) from error
        self.__dict__[service] = client
        return client


@contextmanager
def explained_errors(region: str) -> Iterator[None]:
    """Raise errors of AWS, and of the network to it, as InputError."""
    try:
        yield
    except exceptions.ClientError as error:
        raise InputError(describe(error, region)) from error
    except exceptions.ProfileNotFound as error:
        raise InputError(
            f"AWS_PROFILE: {error}, expected one that `aws configure list-profiles` lists"
        ) from error
    except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError) as error:
        raise InputError(f"no AWS credentials, expected a session or keys; {SIGN_IN}") from error
    except (exceptions.TokenRetrievalError, exceptions.CredentialRetrievalError) as error:
        raise InputError(
            f"credentials of AWS: {error}, expected ones that can be read; {SIGN_IN}"
        ) from error
    except exceptions.EndpointConnectionError as error:
        raise InputError(
            f"{error.kwargs['endpoint_url']}: no answer, expected AWS in region {region!r}; "
            "check --region, and that this machine is online"
        ) from error
    except ResponseParserError as error:
        raise InputError(
            "the endpoint is not AWS, expected an answer of AWS; "
            f"check --region ({region}), AWS_ENDPOINT_URL and any proxy"
        ) from error
    except exceptions.BotoCoreError as error:
        raise InputError(f"request to AWS: {one_line(str(error))}") from error


def describe(error: exceptions.ClientError, region: str) -> str:
    code = error.response["Error"].get("Code", "")
    message = one_line(error.response["Error"].get("Message", ""))
    if code in EXPIRED_CODES:
        return f"credentials of AWS: expired ({code}), expected valid ones; {SIGN_IN}"
    if code in UNKNOWN_KEY_CODES:
        return f"credentials of AWS: unknown there ({code}), expected valid ones; {SIGN_IN}"
    if code in CLOCK_SKEW_CODES:
        return (
            "this machine's clock is wrong by over 15 minutes, expected the time of AWS; "
            "set it (timedatectl set-ntp true)"
        )
    request = f"{error.operation_name} in {region}"
    if code in FORBIDDEN_CODES:
        return f"{request}: {message}, expected credentials that may; ask for that permission"
    return f"{request}: refused by AWS ({message or code})"


def one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
