"""An S3 endpoint with one empty bucket, until it is told to stop. Only for tools/compose-test --bucket."""

import os
import signal

import boto3
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer(ip_address="0.0.0.0", port=9000, verbose=False)
server.start()
boto3.client("s3", endpoint_url="http://127.0.0.1:9000").create_bucket(
    Bucket="ratchet-test", CreateBucketConfiguration={"LocationConstraint": os.environ["AWS_DEFAULT_REGION"]}
)
signal.pause()
