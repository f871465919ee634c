"""Test errors of S3: one sentence with a remedy, and which of them a second try may mend."""

import pytest
from botocore import exceptions as boto
from s3transfer.exceptions import RetriesExceededError
from urllib3.exceptions import ProtocolError

from marquee.core.errors import InputError
from marquee.releases.s3_errors import BUSY_CODES, REMEDIES, error_code, explained_errors
from marquee.releases.store import UnreachableError


def client_error(code: str, message: str = "No.") -> boto.ClientError:
    return boto.ClientError({"Error": {"Code": code, "Message": message}}, "GetObject")


@pytest.mark.parametrize("code", sorted(REMEDIES))
def test_explained_errors_of_a_known_code_is_its_remedy(code: str) -> None:
    with pytest.raises(InputError) as error, explained_errors("s3://b/p"):
        raise client_error(code)
    assert str(error.value) == f"s3://b/p: {code}: {REMEDIES[code]}"
    assert type(error.value) is InputError


def test_explained_errors_of_another_code_is_its_message() -> None:
    with (
        pytest.raises(InputError, match=r"s3://b/p: SomethingNew: No$"),
        explained_errors("s3://b/p"),
    ):
        raise client_error("SomethingNew")


@pytest.mark.parametrize("code", sorted(BUSY_CODES))
def test_explained_errors_of_a_busy_server_is_unreachable(code: str) -> None:
    with pytest.raises(UnreachableError, match=rf"busy \({code}\)"), explained_errors("s3://b/p"):
        raise client_error(code)


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(boto.EndpointConnectionError(endpoint_url="http://x"), id="endpoint"),
        pytest.param(boto.ConnectTimeoutError(endpoint_url="http://x"), id="connect-timeout"),
        pytest.param(boto.ReadTimeoutError(endpoint_url="http://x"), id="read-timeout"),
        pytest.param(boto.ConnectionClosedError(endpoint_url="http://x"), id="closed"),
        pytest.param(boto.IncompleteReadError(actual_bytes=1, expected_bytes=2), id="incomplete"),
        pytest.param(boto.ResponseStreamingError(error="x"), id="streaming"),
        pytest.param(ConnectionResetError("reset"), id="reset"),
        pytest.param(ProtocolError("x"), id="urllib3"),
        pytest.param(RetriesExceededError(OSError("x")), id="s3transfer"),
        pytest.param(KeyError("ContentLength"), id="lost-headers"),
    ],
)
def test_explained_errors_of_the_network_is_unreachable(error: Exception) -> None:
    with pytest.raises(UnreachableError, match="s3://b/p: no answer"), explained_errors("s3://b/p"):
        raise error


@pytest.mark.parametrize(
    ("error", "message"),
    [
        pytest.param(boto.NoCredentialsError(), "no credentials, expected keys", id="none"),
        pytest.param(
            boto.PartialCredentialsError(provider="env", cred_var="x"), "your keys", id="partial"
        ),
        pytest.param(
            boto.CredentialRetrievalError(provider="sso", error_msg="x"), "aws sso login", id="sso"
        ),
        pytest.param(boto.ProfileNotFound(profile="absent"), "absent.*AWS_PROFILE", id="profile"),
        pytest.param(boto.NoRegionError(), "AWS_REGION", id="region"),
        pytest.param(boto.ParamValidationError(report="x"), "not a valid bucket", id="bucket"),
        pytest.param(boto.ConfigParseError(path="c", error="x"), "~/.aws/config", id="config"),
    ],
)
def test_explained_errors_of_settings_names_the_remedy(error: Exception, message: str) -> None:
    with pytest.raises(InputError, match=message) as raised, explained_errors("s3://b/p"):
        raise error
    assert type(raised.value) is InputError and "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(InputError("own"), id="ours"),
        pytest.param(OSError(28, "No space left on device"), id="disk"),
        pytest.param(ZeroDivisionError(), id="a-bug"),
    ],
)
def test_explained_errors_leaves_other_errors_alone(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, explained_errors("s3://b/p"):
        raise error
    assert raised.value is error


def test_error_code_of_an_answer_without_one_is_empty() -> None:
    assert error_code(boto.ClientError({}, "GetObject")) == ""
