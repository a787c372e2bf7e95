"""The only way in: TLS on 443, the router behind it."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from ratchet_cloud.names import ROUTER_PORT
from ratchet_cloud.network import Network
from ratchet_cloud.options import Options


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """The balancer and what it sends requests to."""

    balancer: aws.lb.LoadBalancer
    router: aws.lb.TargetGroup
    listener: aws.lb.Listener

    @property
    def address(self) -> pulumi.Output[str]:
        """Where users go; point the certificate's name here."""
        return pulumi.Output.format("https://{0}", self.balancer.dns_name)


def make(options: Options, net: Network) -> Front:
    """Declare the balancer."""
    balancer = aws.lb.LoadBalancer(
        "front",
        load_balancer_type="application",
        internal=False,
        subnets=[subnet.id for subnet in net.public],
        security_groups=[net.balancer.id],
        drop_invalid_header_fields=True,
        desync_mitigation_mode="strictest",
        enable_deletion_protection=True,
        idle_timeout=50,  # less than the router's 60 s: who closes first must not be the one that is asked
        tags=options.tags("front"),
        opts=pulumi.ResourceOptions(depends_on=net.ready),
    )
    router = aws.lb.TargetGroup(
        "router",
        port=ROUTER_PORT,
        protocol="HTTP",
        target_type="ip",
        vpc_id=net.vpc.id,
        deregistration_delay=30,
        health_check={"path": "/", "matcher": "200", "interval": 10, "healthy_threshold": 2, "unhealthy_threshold": 3},
        tags=options.tags("router"),
    )
    listener = aws.lb.Listener(
        "https",
        load_balancer_arn=balancer.arn,
        port=443,
        protocol="HTTPS",
        ssl_policy="ELBSecurityPolicy-TLS13-1-2-2021-06",
        certificate_arn=options.certificate,
        default_actions=[{"type": "forward", "target_group_arn": router.arn}],
        tags=options.tags("https"),
    )
    return Front(balancer=balancer, router=router, listener=listener)
