"""A role per service for what it does, and one for starting it: every action is named, every resource too."""

import json
from collections.abc import Mapping, Sequence

import pulumi
import pulumi_aws as aws

from ratchet_cloud.bucket import Store
from ratchet_cloud.options import Options

_ASSUME = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)


def starting(
    options: Options,
    name: str,
    *,
    log: aws.cloudwatch.LogGroup,
    repositories: Sequence[aws.ecr.Repository],
    secrets: Sequence[aws.secretsmanager.SecretVersion],
    key: aws.kms.Key,
) -> pulumi.Output[str]:
    """Pull this image, read these secrets, write this log: what ECS does on a task's behalf."""
    role = aws.iam.Role(f"{name}-start", assume_role_policy=_ASSUME, tags=options.tags(f"{name}-start"))
    statements: list[dict[str, object]] = [
        # This one action knows no resource: AWS says so in its service authorization reference.
        {"Effect": "Allow", "Action": ["ecr:GetAuthorizationToken"], "Resource": "*"},
        {
            "Effect": "Allow",
            "Action": ["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"],
            "Resource": [repository.arn for repository in repositories],
        },
        {
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": pulumi.Output.format("{0}:*", log.arn),
        },
    ]
    if secrets:
        statements += [
            {
                "Effect": "Allow",
                "Action": ["secretsmanager:GetSecretValue"],
                "Resource": [secret.secret_arn for secret in secrets],
            },
            {"Effect": "Allow", "Action": ["kms:Decrypt"], "Resource": key.arn},
        ]
    return _may(f"{name}-start", role, statements)


def doing(
    options: Options,
    name: str,
    *,
    store: Store,
    actions: Sequence[str],
    key: aws.kms.Key,
    disks: Mapping[aws.efs.AccessPoint, bool],
    system: aws.efs.FileSystem,
    told: aws.sns.Topic | None,
) -> pulumi.Output[str]:
    """Use the bucket in this way, mount these folders and tell this topic: what the service itself does."""
    role = aws.iam.Role(f"{name}-do", assume_role_policy=_ASSUME, tags=options.tags(f"{name}-do"))
    on_objects = [action for action in actions if action != "s3:ListBucket"]
    statements: list[dict[str, object]] = []
    if on_objects:
        statements += [
            {"Effect": "Allow", "Action": on_objects, "Resource": pulumi.Output.format("{0}/*", store.arn)},
            {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": store.arn},
            {"Effect": "Allow", "Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": key.arn},
        ]
    for point, writes in disks.items():
        mount = ["elasticfilesystem:ClientMount", *(["elasticfilesystem:ClientWrite"] if writes else [])]
        statements.append(
            {
                "Effect": "Allow",
                "Action": mount,
                "Resource": system.arn,
                "Condition": {"StringEquals": {"elasticfilesystem:AccessPointArn": point.arn}},
            }
        )
    if told:
        statements += [
            {"Effect": "Allow", "Action": ["sns:Publish"], "Resource": told.arn},
            {"Effect": "Allow", "Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": key.arn},
        ]
    return _may(f"{name}-do", role, statements)


def _may(name: str, role: aws.iam.Role, statements: Sequence[dict[str, object]]) -> pulumi.Output[str]:
    """Which role it is, known once it may do what it is for."""
    if not statements:
        return role.arn
    document = pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": list(statements)})
    policy = aws.iam.RolePolicy(name, role=role.id, policy=document)
    return pulumi.Output.all(role.arn, policy.id).apply(lambda known: known[0])
