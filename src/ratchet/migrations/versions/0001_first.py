"""API keys, the forecast log, feedback, experiments, evidence and decisions."""

from typing import Final

from alembic import op

revision: Final = "0001"
down_revision: Final = None

API_KEYS: Final = """
CREATE TABLE api_keys (
    key_id text PRIMARY KEY,
    name text NOT NULL,
    scopes text[] NOT NULL,
    digest bytea NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
)
"""

FORECASTS: Final = """
CREATE TABLE forecasts (
    prediction_id text NOT NULL,
    at timestamptz NOT NULL,
    workload text NOT NULL,
    unique_id text,
    target text,
    horizon int,
    track text,
    assigned text,
    release text,
    release_id text NOT NULL,
    client text,
    request_id text,
    data_hour timestamptz,
    weeks jsonb,
    latency_ms double precision,
    PRIMARY KEY (prediction_id, at)
) PARTITION BY RANGE (at)
"""

FORECASTS_BY_RELEASE: Final = "CREATE INDEX forecasts_by_release ON forecasts (workload, release_id, at)"

# A function, because partition names and bounds are identifiers and literals: `format` quotes them where they are used.
# The days are UTC whatever the session's time zone; a day that another process has just made is left as it is.
ENSURE_FORECAST_DAY: Final = """
CREATE FUNCTION ensure_forecast_day(day date) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(
        'CREATE TABLE IF NOT EXISTS %I PARTITION OF forecasts FOR VALUES FROM (%L) TO (%L)',
        'forecasts_' || to_char(day, 'YYYYMMDD'), day::text || ' 00:00:00+00', (day + 1)::text || ' 00:00:00+00'
    );
EXCEPTION WHEN duplicate_table OR unique_violation OR invalid_object_definition THEN
    NULL;
END
$$
"""

FEEDBACK: Final = """
CREATE TABLE feedback (
    prediction_id text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('rating', 'accurate', 'actual', 'comment')),
    client text NOT NULL,
    workload text NOT NULL,
    value jsonb NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (prediction_id, kind, client)
)
"""

FEEDBACK_BY_TIME: Final = "CREATE INDEX feedback_by_time ON feedback (workload, at)"

EXPERIMENTS: Final = """
CREATE TABLE experiments (
    experiment_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workload text NOT NULL,
    production text NOT NULL,
    candidate text NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    verdict text,
    UNIQUE (workload, production, candidate)
)
"""

ONE_OPEN_EXPERIMENT: Final = "CREATE UNIQUE INDEX one_open_experiment ON experiments (workload) WHERE ended_at IS NULL"

EVIDENCE: Final = """
CREATE TABLE evidence (
    experiment_id bigint NOT NULL REFERENCES experiments,
    at timestamptz NOT NULL,
    body jsonb NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (experiment_id, at)
)
"""

DECISIONS: Final = """
CREATE TABLE decisions (
    decision_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    experiment_id bigint NOT NULL REFERENCES experiments,
    at timestamptz NOT NULL,
    verdict text NOT NULL,
    reason text NOT NULL,
    scores jsonb NOT NULL,
    decided_at timestamptz NOT NULL,
    acted_at timestamptz,
    UNIQUE (experiment_id, at)
)
"""


def upgrade() -> None:
    op.execute(API_KEYS)
    op.execute(FORECASTS)
    op.execute(FORECASTS_BY_RELEASE)
    op.execute(ENSURE_FORECAST_DAY)
    op.execute(FEEDBACK)
    op.execute(FEEDBACK_BY_TIME)
    op.execute(EXPERIMENTS)
    op.execute(ONE_OPEN_EXPERIMENT)
    op.execute(EVIDENCE)
    op.execute(DECISIONS)


def downgrade() -> None:
    op.execute("DROP TABLE decisions, evidence, experiments, feedback, forecasts, api_keys")
    op.execute("DROP FUNCTION ensure_forecast_day")
