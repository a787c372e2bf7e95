"""What an experiment has seen, by client and by hour: a look reads these few rows instead of the forecast log."""

from typing import Final

from alembic import op

revision: Final = "0002"
down_revision: Final = "0001"

# `stage_at` is when the stage began that compares: clients and first ratings count anew in each.
CLIENTS: Final = """
CREATE TABLE experiment_clients (
    experiment_id bigint NOT NULL REFERENCES experiments,
    stage_at timestamptz NOT NULL,
    client text NOT NULL,
    track text NOT NULL CHECK (track IN ('production', 'candidate')),
    first_hour timestamptz NOT NULL,
    PRIMARY KEY (experiment_id, stage_at, client)
)
"""

NEW_CLIENTS: Final = (
    "CREATE INDEX experiment_clients_by_hour ON experiment_clients (experiment_id, stage_at, first_hour)"
)

RATERS: Final = """
CREATE TABLE experiment_raters (
    experiment_id bigint NOT NULL REFERENCES experiments,
    stage_at timestamptz NOT NULL,
    client text NOT NULL,
    track text NOT NULL CHECK (track IN ('production', 'candidate')),
    at timestamptz NOT NULL,
    rating double precision NOT NULL,
    PRIMARY KEY (experiment_id, stage_at, client)
)
"""

RATERS_BY_TIME: Final = "CREATE INDEX experiment_raters_by_time ON experiment_raters (experiment_id, stage_at, at)"

HOURS: Final = """
CREATE TABLE experiment_hours (
    experiment_id bigint NOT NULL REFERENCES experiments,
    stage_at timestamptz NOT NULL,
    hour timestamptz NOT NULL,
    track text NOT NULL CHECK (track IN ('production', 'candidate')),
    requests bigint NOT NULL,
    bad_requests bigint NOT NULL,
    new_clients bigint NOT NULL,
    PRIMARY KEY (experiment_id, stage_at, hour, track)
)
"""


def upgrade() -> None:
    op.execute(CLIENTS)
    op.execute(NEW_CLIENTS)
    op.execute(RATERS)
    op.execute(RATERS_BY_TIME)
    op.execute(HOURS)


def downgrade() -> None:
    op.execute("DROP TABLE experiment_hours, experiment_raters, experiment_clients")
