"""Drift: every report, the open and the ended alarms, and what could be learnt of a release only once it was live."""

from typing import Final

from alembic import op

revision: Final = "0005"
down_revision: Final = "0004"

REPORTS: Final = """
CREATE TABLE drift_reports (
    workload text NOT NULL,
    at timestamptz NOT NULL,
    release_id text NOT NULL,
    data text NOT NULL,
    body jsonb NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workload, at)
)
"""

ALARMS: Final = """
CREATE TABLE drift_alarms (
    workload text NOT NULL,
    began_at timestamptz NOT NULL,
    release_id text NOT NULL,
    data_hour timestamptz,
    features text[] NOT NULL,
    ended_at timestamptz,
    ended_because text,
    retrained boolean NOT NULL DEFAULT false,
    PRIMARY KEY (workload, began_at)
)
"""

ONE_OPEN_ALARM: Final = "CREATE UNIQUE INDEX one_open_drift_alarm ON drift_alarms (workload) WHERE ended_at IS NULL"

REFERENCES: Final = """
CREATE TABLE drift_references (
    workload text NOT NULL,
    release_id text NOT NULL,
    feature text NOT NULL,
    body jsonb NOT NULL,
    PRIMARY KEY (workload, release_id, feature)
)
"""


def upgrade() -> None:
    op.execute(REPORTS)
    op.execute(ALARMS)
    op.execute(ONE_OPEN_ALARM)
    op.execute(REFERENCES)


def downgrade() -> None:
    op.execute("DROP TABLE drift_references, drift_alarms, drift_reports")
