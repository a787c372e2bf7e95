"""The log without its index by release: every question names a span of time, in which the live releases have nearly all forecasts."""

from typing import Final

from alembic import op

revision: Final = "0009"
down_revision: Final = "0008"


def upgrade() -> None:
    op.execute("DROP INDEX forecasts_by_release")


def downgrade() -> None:
    op.execute("CREATE INDEX forecasts_by_release ON forecasts (workload, release_id, at)")
