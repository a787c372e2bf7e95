"""Where tasks run and how they find each other."""

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


def make(options: Options, net: Network) -> Place:
    """Declare the cluster."""
    cluster = aws.ecs.Cluster(
        "loop",
        name=options.name,
        settings=[{"name": "containerInsights", "value": "enabled"}],
        tags=options.tags("loop"),
    )
    names = aws.servicediscovery.PrivateDnsNamespace("names", name=DOMAIN, vpc=net.vpc.id, tags=options.tags("names"))
    return Place(cluster=cluster, names=names)
