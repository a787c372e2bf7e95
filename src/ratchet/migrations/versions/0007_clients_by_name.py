"""Clients of a stage are looked up by name only: beside a second index a planner without statistics took the wrong one."""

from typing import Final

from alembic import op

revision: Final = "0007"
down_revision: Final = "0006"

INDEX: Final = "CREATE INDEX experiment_clients_by_hour ON experiment_clients (experiment_id, stage_at, first_at)"


def upgrade() -> None:
    op.execute("DROP INDEX experiment_clients_by_hour")


def downgrade() -> None:
    op.execute(INDEX)
