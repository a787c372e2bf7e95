"""Feedback is one per week too: what happened in one week of a forecast replaced what was said of another."""

from typing import Final

from alembic import op

revision: Final = "0010"
down_revision: Final = "0009"

# Only an actual has a week: of all other kinds the expression is empty.
ONE_EACH: Final = """
CREATE UNIQUE INDEX one_feedback_each ON feedback (prediction_id, kind, client, coalesce(value ->> 'week', ''))
"""
NEWEST_ALONE: Final = """
DELETE FROM feedback AS older USING feedback AS newer
WHERE (older.prediction_id, older.kind, older.client) = (newer.prediction_id, newer.kind, newer.client)
  AND (older.at, older.value ->> 'week') < (newer.at, newer.value ->> 'week')
"""


def upgrade() -> None:
    op.execute(ONE_EACH)
    op.execute("ALTER TABLE feedback DROP CONSTRAINT feedback_pkey")


def downgrade() -> None:
    op.execute(NEWEST_ALONE)
    op.execute("ALTER TABLE feedback ADD PRIMARY KEY (prediction_id, kind, client)")
    op.execute("DROP INDEX one_feedback_each")
