"""Disks that several tasks share: the loop's home, and the flags that say how much traffic the candidate gets."""

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from ratchet_cloud.network import Network
from ratchet_cloud.options import Options

OWNER = 10001  # the user of every image
_ROLES_ONLY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "TlsOnly",
                "Effect": "Deny",
                "Principal": {"AWS": "*"},
                "Action": "*",
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ],
    }
)
"""Without a policy EFS lets in whoever reaches it; one that allows nobody leaves it to the roles of tasks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disks:
    """A file system and who may mount which folder of it, once it is `ready`."""

    system: aws.efs.FileSystem
    ready: list[pulumi.Resource]
    home: aws.efs.AccessPoint
    weights: aws.efs.AccessPoint
    prometheus: aws.efs.AccessPoint
    alertmanager: aws.efs.AccessPoint


def make(options: Options, net: Network, key: aws.kms.Key) -> Disks:
    """Declare the disks."""
    system = aws.efs.FileSystem(
        "home",
        encrypted=True,
        kms_key_id=key.arn,
        throughput_mode="elastic",
        tags=options.tags("home"),
        opts=pulumi.ResourceOptions(protect=True),
    )
    aws.efs.FileSystemPolicy("home", file_system_id=system.id, policy=_ROLES_ONLY)
    aws.efs.BackupPolicy("home", file_system_id=system.id, backup_policy={"status": "ENABLED"})
    targets = [
        aws.efs.MountTarget(
            f"home-{number}", file_system_id=system.id, subnet_id=subnet.id, security_groups=[net.data.id]
        )
        for number, subnet in enumerate(net.private)
    ]
    return Disks(
        system=system,
        ready=[*targets],
        home=_point(options, system, "home", OWNER),
        weights=_point(options, system, "weights", OWNER),
        prometheus=_point(options, system, "prometheus", OWNER),
        alertmanager=_point(options, system, "alertmanager", OWNER),
    )


def _point(options: Options, system: aws.efs.FileSystem, name: str, owner: int) -> aws.efs.AccessPoint:
    return aws.efs.AccessPoint(
        name,
        file_system_id=system.id,
        posix_user={"uid": owner, "gid": owner},
        root_directory={
            "path": f"/{name}",
            "creation_info": {"owner_uid": owner, "owner_gid": owner, "permissions": "0750"},
        },
        tags=options.tags(name),
    )
