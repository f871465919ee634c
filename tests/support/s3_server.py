"""A bucket without an account: moto's S3 server on a free port, in this process.

    with server() as endpoint: …       # the environment points there, for child processes too

It checks conditions (ETag, If-None-Match) as S3 does, and no credentials.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import boto3
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
    try:
        yield settings["AWS_ENDPOINT_URL"]
    finally:
        for name, value in previous.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        moto.stop()


def new_bucket() -> str:
    """Create an empty bucket, and return its name."""
    name = f"movies-{uuid4().hex}"
    boto3.client("s3").create_bucket(Bucket=name)
    return name
