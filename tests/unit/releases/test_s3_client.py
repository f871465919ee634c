"""Test the client of S3: where its requests go, and when its credentials are read anew."""

import io

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from urllib3 import HTTPResponse

from marquee.core.errors import InputError
from marquee.releases import s3_client
from marquee.releases.store import UnreachableError

ARN = "arn:aws:s3:eu-west-1:123456789012:accesspoint/movies"
SETTINGS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_DEFAULT_REGION", "AWS_PROFILE")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment with keys and a region, and nothing else of AWS."""
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    return monkeypatch


def request_of(method: str, **arguments: str) -> AWSPreparedRequest:
    """Return the request that a method of a client would send, without sending it."""
    requests: list[AWSPreparedRequest] = []

    def answer(request: AWSPreparedRequest, **_: object) -> AWSResponse:
        requests.append(request)
        return AWSResponse(request.url, 200, {}, HTTPResponse(io.BytesIO(), preload_content=False))

    client = s3_client.new_client()
    client.meta.events.register_first("before-send.s3", answer)
    getattr(client, method)(Key="a", **arguments)
    return requests[0]


@pytest.mark.parametrize(
    ("bucket", "settings", "url"),
    [
        pytest.param("movies", {}, "https://movies.s3.us-west-2.amazonaws.com/a", id="region"),
        pytest.param(
            ARN,
            {},
            "https://movies-123456789012.s3-accesspoint.eu-west-1.amazonaws.com/a",
            id="access-point",
        ),
        pytest.param(
            "movies",
            {"AWS_ENDPOINT_URL_S3": "https://minio.example", "AWS_S3_ADDRESSING_STYLE": "path"},
            "https://minio.example/movies/a",
            id="path",
        ),
        pytest.param(
            "movies",
            {"AWS_ENDPOINT_URL": "https://r2.example", "AWS_S3_ADDRESSING_STYLE": "virtual"},
            "https://movies.r2.example/a",
            id="virtual",
        ),
    ],
)
def test_new_client_sends_requests_where_settings_say(
    environment: pytest.MonkeyPatch, bucket: str, settings: dict[str, str], url: str
) -> None:
    for name, value in settings.items():
        environment.setenv(name, value)
    assert request_of("get_object_tagging", Bucket=bucket).url == f"{url}?tagging"


@pytest.mark.parametrize("method", ["put_object", "create_multipart_upload", "copy_object"])
def test_new_client_asks_for_encryption_in_every_write(
    environment: pytest.MonkeyPatch, method: str
) -> None:
    settings = {"AWS_SSE": "aws:kms", "AWS_SSE_KMS_KEY_ID": "k", "AWS_SSE_BUCKET_KEY": "true"}
    for name, value in settings.items():
        environment.setenv(name, value)
    arguments = {"CopySource": "movies/b"} if method == "copy_object" else {}
    headers = request_of(method, Bucket="movies", **arguments).headers
    prefix = "x-amz-server-side-encryption"
    assert headers[prefix] == b"aws:kms" and headers[f"{prefix}-aws-kms-key-id"] == b"k"
    assert headers[f"{prefix}-bucket-key-enabled"] == b"true"


@pytest.fixture
def made_clients(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The clients that are made, each the text of its number."""
    clients: list[str] = []

    def new_client(url: str) -> str:
        clients.append(str(len(clients)))
        return clients[-1]

    monkeypatch.setattr(s3_client, "new_client", new_client)
    return clients


def poll(client: s3_client.S3Client, error: Exception | None = None) -> str:
    """Send one request; return the client that it used."""
    used = ""
    try:
        with client.requests("s3://movies/a") as used:
            if error:
                raise error
    except InputError:
        pass
    return used


def test_s3_client_refused_is_made_anew_at_most_each_renew_s(
    made_clients: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 1000.0
    monkeypatch.setattr(s3_client.time, "monotonic", lambda: now_s)
    client, refused = s3_client.S3Client("s3://movies/a"), InputError("ExpiredToken")
    now_s += s3_client.RENEW_S
    assert [poll(client), poll(client, refused)] == ["0", "0"]
    assert [poll(client, refused), poll(client, refused)] == ["1", "1"]
    now_s += s3_client.RENEW_S
    assert [poll(client), poll(client)] == ["2", "2"]
    assert s3_client.RENEW_S < 60 and made_clients == ["0", "1", "2"]


def test_s3_client_out_of_reach_is_kept(made_clients: list[str]) -> None:
    client = s3_client.S3Client("s3://movies/a")
    poll(client, UnreachableError("no answer"))
    poll(client)
    assert made_clients == ["0"]
