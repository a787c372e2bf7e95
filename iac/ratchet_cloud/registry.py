"""A repository per image: scanned on push, tags that never move."""

import json

import pulumi_aws as aws

from ratchet_cloud.names import IMAGES
from ratchet_cloud.options import Options

_KEPT = 30


def make(options: Options, key: aws.kms.Key) -> dict[str, aws.ecr.Repository]:
    """Declare the repositories."""
    rule = {
        "rulePriority": 1,
        "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": _KEPT},
        "action": {"type": "expire"},
    }
    made = {}
    for name in IMAGES:
        made[name] = aws.ecr.Repository(
            name,
            name=f"{options.name}/{name}",
            image_tag_mutability="IMMUTABLE",
            image_scanning_configuration={"scan_on_push": True},
            encryption_configurations=[{"encryption_type": "KMS", "kms_key": key.arn}],
            tags=options.tags(name),
        )
        aws.ecr.LifecyclePolicy(name, repository=made[name].name, policy=json.dumps({"rules": [rule]}))
    return made
