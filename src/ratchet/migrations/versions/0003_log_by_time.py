"""The log by time: operators read the newest pages of a workload without a scan of the day."""

from typing import Final

from alembic import op

revision: Final = "0003"
down_revision: Final = "0002"

BY_TIME: Final = "CREATE INDEX forecasts_by_time ON forecasts (workload, at, prediction_id)"
GONE: Final = "DROP INDEX forecasts_by_time"


def upgrade() -> None:
    op.execute(BY_TIME)


def downgrade() -> None:
    op.execute(GONE)
