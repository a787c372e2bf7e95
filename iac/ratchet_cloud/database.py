"""RDS PostgreSQL: private, encrypted on disk and on the way, backed up; the databases are made by `init`."""

import pulumi
import pulumi_aws as aws

from ratchet_cloud.network import Network
from ratchet_cloud.options import Options


def make(options: Options, net: Network, key: aws.kms.Key) -> aws.rds.Instance:
    """Declare the server."""
    subnets = aws.rds.SubnetGroup("postgres", subnet_ids=net.private_ids, tags=options.tags("postgres"))
    parameters = aws.rds.ParameterGroup(
        "postgres",
        family="postgres17",
        parameters=[
            {"name": "rds.force_ssl", "value": "1"},
            {"name": "timezone", "value": "UTC"},
            # As many as elsewhere, or as RDS gives so large a server; its smallest would give some hundred.
            {
                "name": "max_connections",
                "value": "GREATEST({DBInstanceClassMemory/9531392},200)",
                "apply_method": "pending-reboot",
            },
        ],
        tags=options.tags("postgres"),
    )
    # RDS would make it without an end to what it keeps, and without our key.
    log = aws.cloudwatch.LogGroup(
        "postgres",
        name=f"/aws/rds/instance/{options.name}/postgresql",
        kms_key_id=key.arn,
        retention_in_days=options.size.log_days,
        tags=options.tags("postgres"),
    )
    return aws.rds.Instance(
        "postgres",
        identifier=options.name,
        engine="postgres",
        engine_version="17",
        instance_class=options.size.database_class,
        allocated_storage=options.size.database_gb,
        max_allocated_storage=options.size.database_gb * 4,
        storage_type="gp3",
        storage_encrypted=True,
        kms_key_id=key.arn,
        db_name="ratchet",
        username="ratchet",
        password=options.secrets["postgresPassword"],
        db_subnet_group_name=subnets.name,
        vpc_security_group_ids=[net.data.id],
        parameter_group_name=parameters.name,
        publicly_accessible=False,
        multi_az=options.size.database_replica,
        backup_retention_period=options.size.backup_days,
        copy_tags_to_snapshot=True,
        deletion_protection=True,
        skip_final_snapshot=False,
        final_snapshot_identifier=f"{options.name}-last",
        auto_minor_version_upgrade=True,
        performance_insights_enabled=False,
        enabled_cloudwatch_logs_exports=["postgresql"],
        tags=options.tags("postgres"),
        opts=pulumi.ResourceOptions(protect=True, depends_on=[log]),
    )
