"""What wakes a person when AWS itself is the trouble, and the topic by which the loop's own alerts reach the same person."""

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from ratchet_cloud.balancer import Front
from ratchet_cloud.cluster import Place
from ratchet_cloud.options import Options

_GB = 1 << 30


def topic(options: Options, key: aws.kms.Key) -> aws.sns.Topic:
    """Declare whom alarms and alerts tell; AWS asks them by e-mail first whether they want it."""
    told = aws.sns.Topic("alarms", kms_master_key_id=key.id, tags=options.tags("alarms"))
    aws.sns.TopicSubscription("alarms", topic=told.arn, protocol="email", endpoint=options.alarm_email)
    return told


def make(
    options: Options,
    told: aws.sns.Topic,
    *,
    front: Front,
    database: aws.rds.Instance,
    place: Place,
    services: Sequence[str],
) -> None:
    """Declare the alarms."""

    def alarm(name: str, metric: str, namespace: str, dimensions: dict[str, pulumi.Input[str]], **rule: object) -> None:
        aws.cloudwatch.MetricAlarm(
            name,
            metric_name=metric,
            namespace=namespace,
            dimensions=dimensions,
            alarm_actions=[told.arn],
            ok_actions=[told.arn],
            evaluation_periods=3,
            period=60,
            tags=options.tags(name),
            **rule,
        )

    above, below = "GreaterThanThreshold", "LessThanThreshold"
    balancer = {"LoadBalancer": front.balancer.arn_suffix}
    alarm("errors", "HTTPCode_Target_5XX_Count", "AWS/ApplicationELB", balancer, statistic="Sum", threshold=10,
          comparison_operator=above, treat_missing_data="notBreaching", alarm_description="the router answers 5xx")  # fmt: skip
    alarm("no-router", "HealthyHostCount", "AWS/ApplicationELB", {**balancer, "TargetGroup": front.router.arn_suffix},
          statistic="Minimum", threshold=1, comparison_operator=below, treat_missing_data="breaching",
          alarm_description="no router is healthy")  # fmt: skip
    server = {"DBInstanceIdentifier": database.identifier}
    alarm("database-disk", "FreeStorageSpace", "AWS/RDS", server, statistic="Minimum", threshold=2 * _GB,
          comparison_operator=below, treat_missing_data="missing", alarm_description="less than 2 GB left")  # fmt: skip
    alarm("database-busy", "CPUUtilization", "AWS/RDS", server, statistic="Average", threshold=85,
          comparison_operator=above, treat_missing_data="missing", alarm_description="the database is busy")  # fmt: skip
    for name in services:
        dimensions = {"ClusterName": place.cluster.name, "ServiceName": name}
        alarm(f"down-{name}", "RunningTaskCount", "ECS/ContainerInsights", dimensions, statistic="Minimum", threshold=1,
              comparison_operator=below, treat_missing_data="breaching", alarm_description=f"{name} does not run")  # fmt: skip
