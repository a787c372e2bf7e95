"""What differs from one installation to the next."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

import pulumi

from ratchet_cloud.sizes import SIZES, Size

UNCHANGED = "changeme"
SECRETS = (
    "postgresPassword",
    "redisPassword",
    "predictionSecret",
    "splitSalt",
    "airflowPassword",
    "airflowJwtSecret",
    "airflowFernetKey",
    "airflowSecretKey",
)
NOBODY = " "
"""A secret that may be left out: Secrets Manager keeps no empty text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """One stack's configuration."""

    name: str
    region: str
    size: Size
    release: str
    certificate: str
    alarm_email: str
    secrets: dict[str, pulumi.Output[str]] = field(repr=False)

    @classmethod
    def load(cls, config: pulumi.Config) -> Self:
        """Read the stack's configuration; a size that there is none of, or an example's secret, ends the preview."""
        size = config.get("size") or "small"
        if size not in SIZES:
            raise ValueError(f"size must be one of {', '.join(SIZES)}, not {size}")
        return cls(
            name=f"ratchet-{pulumi.get_stack()}",
            region=pulumi.Config("aws").require("region"),
            size=SIZES[size],
            release=config.require("release"),
            certificate=config.require("certificateArn"),
            alarm_email=config.require("alarmEmail"),
            secrets={name: config.require_secret(name).apply(_of_ones_own(name)) for name in SECRETS}
            | {"notifyUrls": config.get_secret("notifyUrls") or pulumi.Output.secret(NOBODY)},
        )

    def tags(self, name: str) -> dict[str, str]:
        """What every resource carries."""
        return {"Name": f"{self.name}-{name}", "project": "ratchet", "stack": self.name}


def _of_ones_own(name: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if not value or UNCHANGED in value:
            raise ValueError(
                f"{name} is still `{UNCHANGED}`: pulumi config set --secret {name} <something of your own>"
            )
        return value

    return check
