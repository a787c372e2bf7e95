"""Where tasks run, how they find each other, and where they say what they do."""

from dataclasses import dataclass

import pulumi_aws as aws

from ratchet_cloud.names import DOMAIN
from ratchet_cloud.network import Network
from ratchet_cloud.options import Options


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A Fargate cluster and its private names."""

    cluster: aws.ecs.Cluster
    names: aws.servicediscovery.PrivateDnsNamespace


def make(options: Options, net: Network, key: aws.kms.Key) -> Place:
    """Declare the cluster."""
    log = aws.cloudwatch.LogGroup(
        "commands",
        name=f"/{options.name}/commands",
        kms_key_id=key.arn,
        retention_in_days=options.size.log_days,
        tags=options.tags("commands"),
    )
    cluster = aws.ecs.Cluster(
        "loop",
        name=options.name,
        settings=[{"name": "containerInsights", "value": "enabled"}],
        configuration={
            "execute_command_configuration": {
                "kms_key_id": key.arn,
                "logging": "OVERRIDE",
                "log_configuration": {"cloud_watch_log_group_name": log.name, "cloud_watch_encryption_enabled": True},
            }
        },
        tags=options.tags("loop"),
    )
    names = aws.servicediscovery.PrivateDnsNamespace("names", name=DOMAIN, vpc=net.vpc.id, tags=options.tags("names"))
    return Place(cluster=cluster, names=names)
