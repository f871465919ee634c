"""AWS's clients, and its errors as one sentence each with the remedy.

aws = Aws.of(region=None)          # region and credentials as boto3 finds them
with sentences(aws.region):
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
OLD = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
UNKNOWN = {"InvalidClientTokenId", "SignatureDoesNotMatch", "UnrecognizedClientException"}
FORBIDDEN = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}
SKEWED = {"RequestTimeTooSkewed"}


@dataclass(frozen=True)
class Aws:
    region: str
    session: Any

    @classmethod
    def of(cls, region: str | None) -> "Aws":
        """Raises InputError where no region is set."""
        with sentences(region or ""):
            session = boto3.session.Session(region_name=region)
        if not session.region_name:
            raise InputError(
                "no AWS region is set; give --region us-east-1, or set AWS_DEFAULT_REGION"
            )
        return cls(session.region_name, session)

    def __getattr__(self, service: str) -> Any:
        """The client of a service, by its name at boto3; made once."""
        try:
            client = self.session.client(service, region_name=self.region)
        except ValueError as error:
            raise InputError(
                f"{error}; AWS_ENDPOINT_URL is http://HOST:PORT, or unset for AWS"
            ) from error
        self.__dict__[service] = client
        return client


@contextmanager
def sentences(region: str) -> Iterator[None]:
    """What AWS and the way to it raise, as InputError."""
    try:
        yield
    except exceptions.ClientError as error:
        raise InputError(said(error, region)) from error
    except exceptions.ProfileNotFound as error:
        raise InputError(f"{error}; aws configure list-profiles names those there are") from error
    except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError) as error:
        raise InputError(f"there are no AWS credentials; {SIGN_IN}") from error
    except (exceptions.TokenRetrievalError, exceptions.CredentialRetrievalError) as error:
        raise InputError(f"the AWS credentials cannot be read ({error}); {SIGN_IN}") from error
    except exceptions.EndpointConnectionError as error:
        reason = f"{error.kwargs['endpoint_url']} does not answer"
        raise InputError(f"{reason}; is {region!r} a region, and this machine online?") from error
    except ResponseParserError as error:
        raise InputError(
            f"what answers is not AWS; check --region ({region}), AWS_ENDPOINT_URL and any proxy"
        ) from error
    except exceptions.BotoCoreError as error:
        raise InputError(f"AWS: {one_line(str(error))}") from error


def said(error: exceptions.ClientError, region: str) -> str:
    code = error.response["Error"].get("Code", "")
    message = one_line(error.response["Error"].get("Message", ""))
    if code in OLD:
        return f"the AWS credentials have expired; {SIGN_IN}"
    if code in UNKNOWN:
        return f"AWS does not know these credentials ({code}); {SIGN_IN}"
    if code in SKEWED:
        return "this machine's clock is wrong by over 15 minutes; set it (timedatectl set-ntp true)"
    if code in FORBIDDEN:
        what = f"{error.operation_name} in {region}"
        return f"these credentials may not call {what}: {message}; ask for that permission"
    return f"AWS refused {error.operation_name} in {region}: {message or code}"


def one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
