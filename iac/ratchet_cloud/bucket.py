"""One bucket for bronze, silver, gold and releases: versioned, encrypted, closed to the public, reached over TLS only."""

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from ratchet_cloud.options import Options


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """The bucket and what it is called."""

    bucket: pulumi.Output[str]
    arn: pulumi.Output[str]


def make(options: Options, key: aws.kms.Key) -> Store:
    """Declare the bucket."""
    bucket = aws.s3.Bucket(
        "store",
        bucket_prefix=f"{options.name}-",
        tags=options.tags("store"),
        opts=pulumi.ResourceOptions(protect=True),
    )
    aws.s3.BucketVersioning("store", bucket=bucket.id, versioning_configuration={"status": "Enabled"})
    aws.s3.BucketServerSideEncryptionConfiguration(
        "store",
        bucket=bucket.id,
        rules=[
            {
                "apply_server_side_encryption_by_default": {"sse_algorithm": "aws:kms", "kms_master_key_id": key.arn},
                "bucket_key_enabled": True,
            }
        ],
    )
    aws.s3.BucketPublicAccessBlock(
        "store",
        bucket=bucket.id,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
    )
    aws.s3.BucketLifecycleConfiguration("store", bucket=bucket.id, rules=_lifecycle())
    aws.s3.BucketPolicy("store", bucket=bucket.id, policy=bucket.arn.apply(_tls_only))
    return Store(bucket=bucket.bucket, arn=bucket.arn)


def _lifecycle() -> list[dict[str, object]]:
    return [
        {
            "id": "half-made uploads",
            "status": "Enabled",
            "filter": {},
            "abort_incomplete_multipart_upload": {"days_after_initiation": 7},
        },
        {
            "id": "what was written over",
            "status": "Enabled",
            "filter": {},
            "noncurrent_version_expiration": {"noncurrent_days": 30},
        },
        {
            "id": "bronze is read once",
            "status": "Enabled",
            "filter": {"prefix": "bronze/"},
            "transitions": [{"days": 90, "storage_class": "STANDARD_IA"}],
        },
    ]


def _tls_only(arn: str) -> str:
    statement = {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
