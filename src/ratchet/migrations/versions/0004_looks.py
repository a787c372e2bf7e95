"""Every look as one immutable record. What was kept as evidence and decisions before becomes looks without a body."""

from typing import Final

from alembic import op

revision: Final = "0004"
down_revision: Final = "0003"

# The body is text, not jsonb: it is compared byte for byte. Looks from before this revision have none and cannot be replayed.
LOOKS: Final = """
CREATE TABLE looks (
    look_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    experiment_id bigint NOT NULL REFERENCES experiments,
    at timestamptz NOT NULL,
    decided_at timestamptz NOT NULL,
    actor text NOT NULL,
    policy text,
    stage text,
    verdict text NOT NULL,
    reason text NOT NULL,
    scores jsonb NOT NULL,
    evidence jsonb,
    body text,
    UNIQUE (experiment_id, at)
)
"""
POLICIES: Final = "CREATE TABLE policies (digest text PRIMARY KEY, body text NOT NULL)"

# What was done about a look: the only thing that is ever added to one.
ACTS: Final = """
CREATE TABLE acts (
    look_id bigint NOT NULL REFERENCES looks,
    what text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (look_id, what)
)
"""
IMMUTABLE: Final = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'a look is never changed'; END
$$
"""
GUARDED: Final = """
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE ON looks FOR EACH ROW EXECUTE FUNCTION refuse_change()
"""

MOVE: Final = """
INSERT INTO looks (experiment_id, at, decided_at, actor, verdict, reason, scores, evidence)
SELECT experiment_id, at, coalesce(decided_at, recorded_at), 'evaluate_ab', coalesce(verdict, 'hold'),
       coalesce(reason, 'evidence was gathered and never judged'), coalesce(scores, '{}'), body
FROM decisions FULL JOIN evidence USING (experiment_id, at)
ORDER BY at, experiment_id
"""
MOVE_ACTS: Final = """
INSERT INTO acts (look_id, what, at)
SELECT look_id, 'carried_out', decisions.acted_at FROM looks JOIN decisions USING (experiment_id, at)
WHERE decisions.acted_at IS NOT NULL
"""

# A promoted release may still be scored beside the one it beat while the next experiment runs.
SHADOWED: Final = "ALTER TABLE experiments ADD COLUMN shadowed boolean NOT NULL DEFAULT false"
ONE_OPEN: Final = """
CREATE UNIQUE INDEX one_open_experiment ON experiments (workload) WHERE ended_at IS NULL AND NOT shadowed
"""

# Which family answered: an answer from a posted history is no forecast that a release issued.
FAMILY: Final = "ALTER TABLE forecasts ADD COLUMN family text"

# Spans of any length instead of full hours, so that the guard's minutes are counted once too.
SPANS: Final = """
CREATE TABLE experiment_spans (
    experiment_id bigint NOT NULL REFERENCES experiments,
    stage_at timestamptz NOT NULL,
    until timestamptz NOT NULL,
    track text NOT NULL CHECK (track IN ('production', 'candidate')),
    since timestamptz NOT NULL,
    requests bigint NOT NULL,
    bad_requests bigint NOT NULL,
    fallbacks bigint NOT NULL,
    new_clients bigint NOT NULL,
    PRIMARY KEY (experiment_id, stage_at, until, track)
)
"""
CLIENTS_SINCE: Final = "ALTER TABLE experiment_clients RENAME COLUMN first_hour TO first_at"


def upgrade() -> None:
    for statement in (LOOKS, POLICIES, ACTS, MOVE, MOVE_ACTS, IMMUTABLE, GUARDED):
        op.execute(statement)
    op.execute("DROP TABLE decisions, evidence, experiment_hours")
    op.execute("DROP INDEX one_open_experiment")
    for statement in (SHADOWED, ONE_OPEN, FAMILY, SPANS, CLIENTS_SINCE):
        op.execute(statement)


def downgrade() -> None:
    message = "looks cannot become evidence and decisions again: restore the backup from before the upgrade"
    raise NotImplementedError(message)
