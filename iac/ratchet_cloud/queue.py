"""Redis for Airflow's Celery workers: private, with a password, encrypted on disk and on the way."""

import pulumi_aws as aws

from ratchet_cloud.network import Network
from ratchet_cloud.options import Options


def make(options: Options, net: Network, key: aws.kms.Key) -> aws.elasticache.ReplicationGroup:
    """Declare the queue."""
    subnets = aws.elasticache.SubnetGroup("queue", subnet_ids=net.private_ids, tags=options.tags("queue"))
    return aws.elasticache.ReplicationGroup(
        "queue",
        description="tasks of Airflow",
        engine="redis",
        engine_version="7.1",
        node_type=options.size.queue_class,
        num_cache_clusters=options.size.queue_nodes,
        automatic_failover_enabled=options.size.queue_nodes > 1,
        at_rest_encryption_enabled=True,
        kms_key_id=key.arn,
        transit_encryption_enabled=True,
        auth_token=options.secrets["redisPassword"],
        apply_immediately=True,  # who has a changed password starts anew now, not at the next maintenance; the old one goes on for others
        subnet_group_name=subnets.name,
        security_group_ids=[net.data.id],
        tags=options.tags("queue"),
    )
