"""A bucket without an account: moto's S3 server on a free port, in this process.

    with server() as endpoint: …       # the environment points there, for child processes too

It checks conditions (ETag, If-None-Match) as S3 does, one write after another, and credentials
within `checked_keys` only.
"""

import json
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import boto3
import httpx
from moto.backends import get_backend
from moto.s3.responses import S3Response
from moto.server import ThreadedMotoServer


@contextmanager
def server() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line per request
    moto = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    settings = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    previous = {name: os.environ.get(name) for name in settings}
    os.environ |= settings
    boto3.setup_default_session()  # one of before may hold another server's credentials
    try:
        with one_write_at_a_time():
            yield settings["AWS_ENDPOINT_URL"]
    finally:
        for name, value in previous.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        moto.stop()


@contextmanager
def one_write_at_a_time() -> Iterator[None]:
    """Let a condition hold until the write: of two threads, moto let both pass."""
    put_object, lock = S3Response.put_object, threading.Lock()

    def put_alone(response: S3Response) -> Any:
        with lock:
            return put_object(response)

    with patch.object(S3Response, "put_object", put_alone):
        yield


def new_bucket() -> str:
    """Create an empty bucket, and return its name."""
    name = f"movies-{uuid4().hex}"
    boto3.client("s3").create_bucket(Bucket=name)
    return name


def new_keys() -> dict[str, str]:
    """Create a user who may do everything in S3; return its access key."""
    iam, user = boto3.client("iam"), f"user-{uuid4().hex}"
    iam.create_user(UserName=user)
    statement = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=user, PolicyName="s3", PolicyDocument=policy)
    key: dict[str, str] = iam.create_access_key(UserName=user)["AccessKey"]
    return key


def delete_key(key: dict[str, str]) -> None:
    """Delete an access key, in the process of the server: it asks for keys now."""
    (backend,) = {backends["global"] for backends in get_backend("iam").values()}
    backend.delete_access_key(key["AccessKeyId"], key["UserName"])


@contextmanager
def checked_keys(endpoint: str) -> Iterator[None]:
    """Let the server check the key and the signature of every request."""
    httpx.post(f"{endpoint}/moto-api/reset-auth", content=b"0")
    try:
        yield
    finally:
        httpx.post(f"{endpoint}/moto-api/reset-auth", content=b"inf")
