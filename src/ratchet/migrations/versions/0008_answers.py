"""What is answered is kept once a day, not with every forecast: most forecasts are asked for many times."""

from typing import Final

from alembic import op

revision: Final = "0008"
down_revision: Final = "0007"

ANSWERS: Final = """
CREATE TABLE answers (
    day date NOT NULL,
    answer_id uuid NOT NULL,
    weeks jsonb NOT NULL,
    PRIMARY KEY (day, answer_id)
)
"""
POINT: Final = "ALTER TABLE forecasts ADD COLUMN answer_id uuid"
NAME: Final = "UPDATE forecasts SET answer_id = md5(weeks::text)::uuid WHERE weeks IS NOT NULL"
MOVE: Final = """
INSERT INTO answers (day, answer_id, weeks)
SELECT DISTINCT ON (1, 2) (at AT TIME ZONE 'UTC')::date, answer_id, weeks FROM forecasts WHERE answer_id IS NOT NULL
"""
LEAVE: Final = "ALTER TABLE forecasts DROP COLUMN weeks"
# The days are UTC's, as those of the partitions are. A reader who asks for no weeks pays for no join.
LOG: Final = """
CREATE VIEW forecast_log AS
SELECT forecasts.*, answers.weeks
FROM forecasts LEFT JOIN answers
  ON answers.day = (forecasts.at AT TIME ZONE 'UTC')::date AND answers.answer_id = forecasts.answer_id
"""

BACK: Final = """
UPDATE forecasts SET weeks = answers.weeks FROM answers
WHERE answers.day = (forecasts.at AT TIME ZONE 'UTC')::date AND answers.answer_id = forecasts.answer_id
"""


def upgrade() -> None:
    op.execute(ANSWERS)
    op.execute(POINT)
    op.execute(NAME)
    op.execute(MOVE)
    op.execute(LEAVE)
    op.execute(LOG)


def downgrade() -> None:
    op.execute("DROP VIEW forecast_log")
    op.execute("ALTER TABLE forecasts ADD COLUMN weeks jsonb")
    op.execute(BACK)
    op.execute("ALTER TABLE forecasts DROP COLUMN answer_id")
    op.execute("DROP TABLE answers")
