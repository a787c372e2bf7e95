"""What differs from one installation to the next."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Self

import pulumi

from ratchet_cloud.catalogue import CHOICES
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
SHAPES: Final[Mapping[str, tuple[re.Pattern[str], str]]] = {
    "postgresPassword": (re.compile(r"[\w.~-]{8,128}", re.ASCII), "8 to 128 letters, digits and - . _ ~, as RDS and addresses take them"),
    "redisPassword": (re.compile(r"[A-Za-z0-9-]{16,128}"), "16 to 128 letters, digits and -, as ElastiCache and addresses take them"),
    "splitSalt": (re.compile(r"[\w.~-]+", re.ASCII), "letters, digits and - . _ ~, as the router's configuration takes them"),
    "airflowFernetKey": (re.compile(r"[\w-]{43}=", re.ASCII), "32 bytes in URL-safe base64: openssl rand -base64 32 | tr '+/' '-_'"),
}  # fmt: skip
"""What a secret has to look like where not anything will do."""
OPTIONAL = ("notifyUrls", "githubToken")
"""Secrets that a stack may do without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """One stack's configuration."""

    name: str
    region: str
    size: Size
    release: str
    """Which images run; empty until there are some."""
    certificate: str
    alarm_email: str
    settings: dict[str, str]
    """Those of `.env.example` that are not their defaults here."""
    secrets: dict[str, pulumi.Output[str]] = field(repr=False)

    @classmethod
    def load(cls, config: pulumi.Config) -> Self:
        """Read the stack's configuration; a size that there is none of, or an example's secret, ends the preview."""
        size = config.get("size") or "small"
        if size not in SIZES:
            raise ValueError(f"size must be one of {', '.join(SIZES)}, not {size}")
        optional = {name: config.get_secret(name) for name in OPTIONAL}
        return cls(
            name=f"ratchet-{pulumi.get_stack()}",
            region=pulumi.Config("aws").require("region"),
            size=SIZES[size],
            release=config.get("release") or "",
            certificate=config.require("certificateArn"),
            alarm_email=config.require("alarmEmail"),
            secrets={name: config.require_secret(name).apply(_of_ones_own(name)) for name in SECRETS}
            | {name: value for name, value in optional.items() if value is not None},
            settings=_chosen(config.get_object("settings") or {}),
        )

    def tags(self, name: str) -> dict[str, str]:
        """What every resource carries."""
        return {"Name": f"{self.name}-{name}", "project": "ratchet", "stack": self.name}


def _chosen(given: Mapping[str, object]) -> dict[str, str]:
    """These settings as text; one that is not for choosing ends the preview."""
    if wrong := sorted(set(given) - CHOICES):
        raise ValueError(f"settings: {', '.join(wrong)} cannot be set here, only {', '.join(sorted(CHOICES))}")
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in given.items()}


def _of_ones_own(name: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if not value or UNCHANGED in value:
            raise ValueError(
                f"{name} is still `{UNCHANGED}`: pulumi config set --secret {name} <something of your own>"
            )
        shape, words = SHAPES.get(name, (None, ""))
        if shape and not shape.fullmatch(value):
            raise ValueError(f"{name} has to be {words}")
        return value

    return check
