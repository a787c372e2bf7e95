"""Declares stacks against Pulumi's mocks and prints what was declared, and after what: `python tests/unit/iac/declare.py`."""

import asyncio
import json
import sys
from collections import defaultdict
from pathlib import Path

import pulumi

sys.path.insert(0, str(Path(__file__).parents[3] / "iac"))

from ratchet_cloud.options import OPTIONAL, SECRETS, Options
from ratchet_cloud.sizes import SIZES
from ratchet_cloud.stack import build


class Mocks(pulumi.runtime.Mocks):
    """Remembers every resource; answers with what was asked for and the ids that AWS would give."""

    def __init__(self):
        self.made = defaultdict(dict)

    def new_resource(self, args):
        self.made[args.typ][args.name] = args.inputs
        given = {"arn": f"arn:aws:{args.typ}:{args.name}", "dnsName": "front.example", "arnSuffix": "app/front/1"}
        given |= {
            "address": "db.internal",
            "primaryEndpointAddress": "queue.internal",
            "secretArn": f"arn:aws:secret:{args.name}",
            "versionId": f"{args.name}-1",
            "repositoryUrl": f"ecr/{args.name}",
        }
        return f"{args.name}-id", {
            **given,
            "bucket": "store",
            **args.inputs,
            "name": args.inputs.get("name", args.name),
        }

    def call(self, args):
        zones = {"id": "zones", "names": [f"elsewhere-1{letter}" for letter in "acd"]}
        return {"accountId": "123456789012"} if "getCallerIdentity" in args.token else zones


class Order(pulumi.runtime.mocks.MockMonitor):
    """Remembers what each resource waits for."""

    def RegisterResource(self, request):  # noqa: N802  # Pulumi's name
        found = {urn.split("::", 2)[2].rpartition("$")[2] for urn in request.dependencies}
        self.mocks.made["needs"][f"{request.type}::{request.name}"] = sorted(found)
        if request.ignoreChanges:
            self.mocks.made["left alone"][request.name] = list(request.ignoreChanges)
        if request.protect:
            self.mocks.made["protected"][f"{request.type}::{request.name}"] = True
        return super().RegisterResource(request)


def declare(size, release, *, extras=()):
    """Every resource of a stack of this size, by type and name."""
    mocks = Mocks()

    async def run():
        secrets = {name: pulumi.Output.secret(f"hidden-{name}") for name in (*SECRETS, *extras)}
        made = build(
            Options(
                name=f"ratchet-{size}",
                region="eu-central-1",
                size=SIZES[size],
                release=release,
                certificate="arn:aws:acm:one",
                alarm_email="somebody@example.org",
                settings={"EVENTS": "github:pallets/flask", "WEB_WORKERS": "3"} if extras else {},
                secrets=secrets,
            )
        )
        mocks.made["outputs"] = {name: await getattr(made, name).future() for name in made.__slots__}
        await pulumi.runtime.stack.wait_for_rpcs()

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        pulumi.runtime.set_mocks(mocks, project="ratchet", stack=size, preview=False, monitor=Order(mocks))
        loop.run_until_complete(run())
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    return {kind: dict(found) for kind, found in mocks.made.items()}


if __name__ == "__main__":
    stacks = {size: declare(size, "1.0.0") for size in SIZES} | {"bare": declare("small", "")}
    stacks["chosen"] = declare("small", "1.0.0", extras=OPTIONAL)
    sys.stdout.write(json.dumps(stacks))
