"""The whole installation, declared."""

from dataclasses import dataclass

import pulumi

from ratchet_cloud import (
    alarms,
    balancer,
    bucket,
    cluster,
    database,
    network,
    queue,
    registry,
    secrets,
    services,
    volumes,
)
from ratchet_cloud.options import Options


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What a person needs to know of a stack that is up."""

    address: pulumi.Output[str]
    bucket: pulumi.Output[str]
    cluster: pulumi.Output[str]
    registry: pulumi.Output[str]
    first_turn: pulumi.Output[str]
    ratchet: pulumi.Output[str]


def build(options: Options) -> Made:
    """Declare every resource of one installation."""
    key = secrets.make_key(options)
    net = network.make(options)
    store = bucket.make(options, key)
    postgres = database.make(options, net, key)
    redis = queue.make(options, net, key)
    repositories = registry.make(options, key)
    disks = volumes.make(options, net, key)
    kept = secrets.make(options, key, database=postgres, broker=redis)
    place = cluster.make(options, net)
    front = balancer.make(options, net)
    told = alarms.topic(options, key)
    running = services.make(
        options,
        net=net,
        place=place,
        kept=kept,
        store=store,
        disks=disks,
        key=key,
        told=told,
        front=front,
        repositories=repositories,
    )
    alarms.make(options, told, front=front, database=postgres, place=place, services=running.names)
    return Made(
        address=front.address,
        bucket=store.bucket,
        cluster=place.cluster.name,
        registry=repositories["loop"].repository_url.apply(lambda url: url.rpartition("/")[0]),
        first_turn=running.first_turn,
        ratchet=running.ratchet,
    )
