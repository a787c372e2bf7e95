"""`python iac/cost.py`: what each size costs a month, from the sizes and AWS's list prices; docs/cloud.md shows its output."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parent))

from ratchet_cloud.names import IMAGES
from ratchet_cloud.sizes import SIZES, Size

HOURS: Final = 730
# US dollars, us-east-1, on demand, Linux/x86; where each is from: docs/cloud.md.
CPU_HOUR, GB_HOUR = 0.04048, 0.004445
DATABASE_HOUR: Final[Mapping[str, float]] = {"db.t4g.micro": 0.016, "db.t4g.medium": 0.065, "db.m6g.large": 0.159}
DATABASE_GB: Final = 0.115
QUEUE_HOUR: Final[Mapping[str, float]] = {"cache.t4g.micro": 0.016, "cache.t4g.small": 0.032}
NAT_HOUR, BALANCER_HOUR, ADDRESS_HOUR = 0.045, 0.0225, 0.005
SECRET, KEY, REPOSITORY_GB, LOG_GB, STORE_GB, DISK_GB = 0.40, 1.00, 0.10, 0.50, 0.023, 0.30
SECRETS: Final = 10
# What nobody knows beforehand, said so that it can be argued with: GB a month of each.
USE: Final[Mapping[str, Mapping[str, float]]] = {
    "small": {"log": 5, "store": 20, "disk": 5},
    "medium": {"log": 30, "store": 300, "disk": 50},
    "large": {"log": 150, "store": 3000, "disk": 500},
}


def month(name: str, size: Size) -> dict[str, float]:
    """Dollars a month, by what they are for; the fewest tasks, all month."""
    tasks = sum((t.cpu / 1024 * CPU_HOUR + t.memory / 1024 * GB_HOUR) * t.least for t in size.tasks.values())
    copies = 2 if size.database_replica else 1
    addresses = size.nat_gateways + size.zones  # public ones: the balancer has one in each zone
    use = USE[name]
    return {
        "tasks": tasks * HOURS,
        "database": copies * (DATABASE_HOUR[size.database_class] * HOURS + size.database_gb * DATABASE_GB),
        "queue": size.queue_nodes * QUEUE_HOUR[size.queue_class] * HOURS,
        "network": (size.nat_gateways * NAT_HOUR + BALANCER_HOUR + addresses * ADDRESS_HOUR) * HOURS,
        "storage, logs, keys": use["log"] * LOG_GB
        + use["store"] * STORE_GB
        + use["disk"] * DISK_GB
        + len(IMAGES) * REPOSITORY_GB
        + SECRETS * SECRET
        + KEY,
    }


def table() -> str:
    """The page's table."""
    months = {name: month(name, size) for name, size in SIZES.items()}
    lines = [f"| $ a month | {' | '.join(SIZES)} |", f"|---|{'---|' * len(SIZES)}"]
    lines += [f"| {what} | {' | '.join(f'{months[name][what]:,.0f}' for name in SIZES)} |" for what in months["small"]]
    lines.append(f"| **all** | {' | '.join(f'**{sum(months[name].values()):,.0f}**' for name in SIZES)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(table() + "\n")
