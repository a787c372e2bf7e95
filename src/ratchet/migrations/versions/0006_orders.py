"""Orders: what people ask the loop to do over HTTP, and what came of it."""

from typing import Final

from alembic import op

revision: Final = "0006"
down_revision: Final = "0005"

ORDERS: Final = """
CREATE TABLE orders (
    order_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workload text NOT NULL,
    kind text NOT NULL,
    who text NOT NULL,
    why text NOT NULL,
    at timestamptz NOT NULL,
    ended_at timestamptz,
    outcome text
)
"""
ONE_WAITING: Final = "CREATE UNIQUE INDEX one_waiting_order ON orders (workload) WHERE ended_at IS NULL"


def upgrade() -> None:
    op.execute(ORDERS)
    op.execute(ONE_WAITING)


def downgrade() -> None:
    op.execute("DROP TABLE orders")
