"""Settings that only containers need; a laptop's stack makes its own. `.env.example` lists them after the others."""

import base64
import binascii
import re
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from ratchet.contracts.errors import RatchetError
from ratchet.settings import SECRETS_FOLDER, UNCHANGED

AIRFLOW_SECRETS: Final = ("airflow_jwt_secret", "airflow_fernet_key", "airflow_secret_key")
_UNCHANGED: Final = SecretStr(UNCHANGED)
_PLAIN: Final = re.compile(r"[A-Za-z0-9._~-]+")


class ContainerSettings(BaseSettings):
    """Secrets and addresses of the parts in containers. A secret that is still `changeme` is refused where it is needed."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    postgres_password: SecretStr = Field(default=_UNCHANGED, description="PostgreSQL's user `ratchet`")
    split_salt: SecretStr = Field(
        default=_UNCHANGED, description="who is on which track; changing it reshuffles everyone"
    )
    airflow_password: SecretStr = Field(default=_UNCHANGED, description="Airflow's user `admin`")
    airflow_jwt_secret: SecretStr = Field(default=_UNCHANGED, description="signs what Airflow's parts tell each other")
    airflow_fernet_key: SecretStr = Field(
        default=_UNCHANGED, description="encrypts Airflow's connections: 32 bytes, base64"
    )
    airflow_secret_key: SecretStr = Field(default=_UNCHANGED, description="signs Airflow's sessions")
    redis_password: SecretStr = Field(default=_UNCHANGED, description="profile celery: Redis")
    grafana_password: SecretStr = Field(default=_UNCHANGED, description="Grafana's user `admin`")
    production_url: str = Field(default="http://inference-production:6001", description="the production track")
    statsd_host: str = Field(
        default="", description="the exporter, to which Airflow sends its StatsD; empty: it sends none"
    )
    celery_broker_url: SecretStr = Field(
        default=SecretStr(""), description="Redis for the CeleryExecutor; empty: LocalExecutor"
    )

    @classmethod
    def load(cls) -> Self:
        """Environment first, then files in /run/secrets."""
        return cls(_secrets_dir=SECRETS_FOLDER) if Path(SECRETS_FOLDER).is_dir() else cls()

    @classmethod
    def secrets(cls) -> list[str]:
        """The names of the settings that have no usable default."""
        return [name for name, field in cls.model_fields.items() if field.default == _UNCHANGED]

    def require(self, *names: str) -> None:
        """Return if these secrets are set; else a `RatchetError` that names all that are not."""
        unset = [name.upper() for name in names if getattr(self, name).get_secret_value() in ("", UNCHANGED)]
        if unset:
            raise RatchetError(
                f"{', '.join(unset)} must be set to something of your own: `make env` writes a .env with new secrets"
            )
        if "airflow_fernet_key" in names and not _is_fernet_key(self.airflow_fernet_key.get_secret_value()):
            raise RatchetError("AIRFLOW_FERNET_KEY must be 32 bytes in URL-safe base64: `make env` makes one")

    def require_plain(self, *names: str) -> None:
        """Return if these can stand as they are where they have to; else a `RatchetError` that names all that cannot."""
        odd = [name.upper() for name in names if not _PLAIN.fullmatch(getattr(self, name).get_secret_value())]
        if odd:
            raise RatchetError(
                f"{', '.join(odd)} may hold only letters, digits and - . _ ~, since they stand in addresses"
                " and in the router's configuration: `make env` makes such ones"
            )


def database_uri(database_url: str, name: str, *, driver: str = "postgresql") -> str:
    """The same server and user, another of its databases."""
    address = urlsplit(database_url)
    if not address.hostname:
        raise RatchetError("DATABASE_URL must be set: postgresql://user:password@host:port/ratchet")
    return address._replace(scheme="x", path=f"/{name}").geturl().replace("x://", f"{driver}://", 1)


def _is_fernet_key(value: str) -> bool:
    try:
        return len(base64.urlsafe_b64decode(value)) == 32
    except (binascii.Error, ValueError):
        return False
