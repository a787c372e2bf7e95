"""${message}."""

from typing import Final

from alembic import op

revision: Final = ${repr(up_revision)}
down_revision: Final = ${repr(down_revision)}


def upgrade() -> None:
    ${upgrades if upgrades else "op.execute()"}


def downgrade() -> None:
    ${downgrades if downgrades else "op.execute()"}
