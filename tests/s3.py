"""A real S3 endpoint for tests: moto's server, on a free port, with credentials that open nothing else."""

from collections.abc import Iterator
from contextlib import contextmanager

import boto3
import pytest
from moto.server import ThreadedMotoServer

from ratchet.stack.ports import free_port

NAME = "ratchet-test"


@contextmanager
def s3_server() -> Iterator[str]:
    """The address of one bucket; boto3 finds the server through its own environment variables."""
    port = free_port()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    with pytest.MonkeyPatch.context() as environment:
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
            environment.delenv(name, raising=False)
        environment.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{port}")
        environment.setenv("AWS_ACCESS_KEY_ID", "test")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
        environment.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        place = {"LocationConstraint": "eu-central-1"}
        boto3.client("s3").create_bucket(Bucket=NAME, CreateBucketConfiguration=place)
        try:
            yield f"s3://{NAME}/releases"
        finally:
            server.stop()
