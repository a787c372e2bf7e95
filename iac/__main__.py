"""`pulumi -C iac up`: the whole loop on AWS. What is made is in ratchet_cloud/; what it costs in docs/cloud.md."""

import pulumi

from ratchet_cloud.options import Options
from ratchet_cloud.stack import build

made = build(Options.load(pulumi.Config()))
pulumi.export("address", made.address)
pulumi.export("bucket", made.bucket)
pulumi.export("cluster", made.cluster)
pulumi.export("registry", made.registry)
pulumi.export("firstTurn", made.first_turn)
pulumi.export("ratchet", made.ratchet)
