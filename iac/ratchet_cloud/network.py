"""A network of its own: only the balancer's port 443 is open to the world, tasks and data have private addresses."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from ratchet_cloud.names import DOMAIN, PUBLIC_SUBNETS, ROUTER_PORT
from ratchet_cloud.options import Options

ANYWHERE = "0.0.0.0/0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Subnets, and who may talk to whom, once it is `ready`."""

    vpc: aws.ec2.Vpc
    ready: list[pulumi.Resource]
    public: list[aws.ec2.Subnet]
    private: list[aws.ec2.Subnet]
    balancer: aws.ec2.SecurityGroup
    services: aws.ec2.SecurityGroup
    data: aws.ec2.SecurityGroup

    @property
    def private_ids(self) -> list[pulumi.Output[str]]:
        """Where everything but the balancer is."""
        return [subnet.id for subnet in self.private]


def make(options: Options) -> Network:
    """Declare the network."""
    vpc = aws.ec2.Vpc(
        "vpc", cidr_block="10.40.0.0/16", enable_dns_hostnames=True, enable_dns_support=True, tags=options.tags("vpc")
    )
    _default_closed(options, vpc)
    names = _short_names(options, vpc)
    numbers = range(options.size.zones)
    public = [_subnet(options, vpc, "public", PUBLIC_SUBNETS[number], number) for number in numbers]
    private = [_subnet(options, vpc, "private", f"10.40.{number + 10}.0/24", number) for number in numbers]
    routes = _routes(options, vpc, public, private)
    balancer, services, data = _groups(options, vpc)
    return Network(
        vpc=vpc, ready=[names, *routes], public=public, private=private, balancer=balancer, services=services, data=data
    )


def _default_closed(options: Options, vpc: aws.ec2.Vpc) -> None:
    """The group that AWS makes with a network lets its members talk; ours lets nobody."""
    aws.ec2.DefaultSecurityGroup("default", vpc_id=vpc.id, ingress=[], egress=[], tags=options.tags("default"))


def _short_names(options: Options, vpc: aws.ec2.Vpc) -> aws.ec2.VpcDhcpOptionsAssociation:
    """Tasks find `postgres`, `mlflow` and each other by the same short names as in compose."""
    dhcp = aws.ec2.VpcDhcpOptions(
        "names", domain_name=DOMAIN, domain_name_servers=["AmazonProvidedDNS"], tags=options.tags("names")
    )
    return aws.ec2.VpcDhcpOptionsAssociation("names", vpc_id=vpc.id, dhcp_options_id=dhcp.id)


def _subnet(options: Options, vpc: aws.ec2.Vpc, kind: str, block: str, number: int) -> aws.ec2.Subnet:
    """In a zone that the region has for this account: in some there is no `b`."""
    ordinary = [{"name": "opt-in-status", "values": ["opt-in-not-required"]}]
    zones = aws.get_availability_zones_output(state="available", filters=ordinary).names
    return aws.ec2.Subnet(
        f"{kind}-{number}",
        vpc_id=vpc.id,
        cidr_block=block,
        availability_zone=zones.apply(lambda names: names[number]),
        map_public_ip_on_launch=False,
        tags=options.tags(f"{kind}-{number}"),
    )


def _routes(
    options: Options, vpc: aws.ec2.Vpc, public: list[aws.ec2.Subnet], private: list[aws.ec2.Subnet]
) -> list[aws.ec2.RouteTableAssociation]:
    """Ways out; those of private subnets lead through a NAT gateway."""
    gateway = aws.ec2.InternetGateway("internet", vpc_id=vpc.id, tags=options.tags("internet"))
    out = aws.ec2.RouteTable(
        "public",
        vpc_id=vpc.id,
        routes=[{"cidr_block": ANYWHERE, "gateway_id": gateway.id}],
        tags=options.tags("public"),
    )
    nats = [_nat(options, number, public[number], gateway) for number in range(options.size.nat_gateways)]
    tables, made = [], []
    for number, subnet in enumerate(public):
        made.append(aws.ec2.RouteTableAssociation(f"public-{number}", subnet_id=subnet.id, route_table_id=out.id))
    for number, subnet in enumerate(private):
        nat = nats[number % len(nats)]
        table = aws.ec2.RouteTable(
            f"private-{number}",
            vpc_id=vpc.id,
            routes=[{"cidr_block": ANYWHERE, "nat_gateway_id": nat.id}],
            tags=options.tags(f"private-{number}"),
        )
        made.append(aws.ec2.RouteTableAssociation(f"private-{number}", subnet_id=subnet.id, route_table_id=table.id))
        tables.append(table.id)
    aws.ec2.VpcEndpoint(  # releases and bronze never leave AWS's own network, and cost no NAT traffic
        "s3",
        vpc_id=vpc.id,
        service_name=f"com.amazonaws.{options.region}.s3",
        vpc_endpoint_type="Gateway",
        route_table_ids=tables,
        tags=options.tags("s3"),
    )
    return made


def _nat(options: Options, number: int, subnet: aws.ec2.Subnet, gateway: aws.ec2.InternetGateway) -> aws.ec2.NatGateway:
    address = aws.ec2.Eip(f"nat-{number}", domain="vpc", tags=options.tags(f"nat-{number}"))
    return aws.ec2.NatGateway(
        f"nat-{number}",
        allocation_id=address.id,
        subnet_id=subnet.id,
        tags=options.tags(f"nat-{number}"),
        opts=pulumi.ResourceOptions(depends_on=[gateway]),
    )


def _groups(
    options: Options, vpc: aws.ec2.Vpc
) -> tuple[aws.ec2.SecurityGroup, aws.ec2.SecurityGroup, aws.ec2.SecurityGroup]:
    balancer = _group(options, vpc, "balancer", "HTTPS from the world, the router behind")
    services = _group(options, vpc, "services", "every task")
    data = _group(options, vpc, "data", "database, queue and disks")
    _allow("world-to-balancer", balancer, 443, cidr_ipv4=ANYWHERE)
    _allow("balancer-to-router", services, ROUTER_PORT, referenced_security_group_id=balancer.id)
    _allow("services-to-services", services, None, referenced_security_group_id=services.id)
    for name, port in (("postgres", 5432), ("redis", 6379), ("disks", 2049)):
        _allow(f"services-to-{name}", data, port, referenced_security_group_id=services.id)
    _let_out("balancer-out", balancer, ROUTER_PORT, referenced_security_group_id=services.id)
    _let_out("services-out-services", services, None, referenced_security_group_id=services.id)
    _let_out("services-out-data", services, None, referenced_security_group_id=data.id)
    _let_out("services-out-https", services, 443, cidr_ipv4=ANYWHERE)  # AWS's own APIs, and sources over HTTPS
    return balancer, services, data


def _group(options: Options, vpc: aws.ec2.Vpc, name: str, what: str) -> aws.ec2.SecurityGroup:
    return aws.ec2.SecurityGroup(name, vpc_id=vpc.id, description=what, tags=options.tags(name))


def _allow(name: str, group: aws.ec2.SecurityGroup, port: int | None, **who: pulumi.Input[str]) -> None:
    aws.vpc.SecurityGroupIngressRule(name, security_group_id=group.id, **_ports(port), **who)


def _let_out(name: str, group: aws.ec2.SecurityGroup, port: int | None, **whom: pulumi.Input[str]) -> None:
    aws.vpc.SecurityGroupEgressRule(name, security_group_id=group.id, **_ports(port), **whom)


def _ports(port: int | None) -> dict[str, int | str]:
    """One port of TCP, or anything: Airflow tells the exporter what it does over UDP."""
    return {"ip_protocol": "tcp", "from_port": port, "to_port": port} if port else {"ip_protocol": "-1"}
