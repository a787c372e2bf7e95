"""What users said, from the table `feedback`."""

from datetime import datetime
from typing import Final

from ratchet.contracts.errors import MetricsError
from ratchet.contracts.ports import Ratings
from ratchet.observe.database import transaction

# Forecasts of the window alone: both tracks are rated for the same time, and only its partitions are read.
# One client has one vote a day, its first: a flood of ratings decides nothing. Strings and other things that are no number are no ratings.
RATINGS: Final = """
SELECT count(*), avg(rating) FROM (
SELECT DISTINCT ON (feedback.client, (feedback.at AT TIME ZONE 'UTC')::date)
       (feedback.value #>> '{}')::double precision AS rating
FROM feedback
WHERE feedback.workload = %(workload)s
  AND feedback.kind = 'rating'
  AND jsonb_typeof(feedback.value) = 'number'
  AND feedback.at >= %(since)s AND feedback.at < %(until)s
  AND EXISTS (
      SELECT FROM forecasts
      WHERE forecasts.prediction_id = feedback.prediction_id
        AND forecasts.workload = %(workload)s
        AND forecasts.release_id = %(release_id)s
        AND forecasts.at >= %(since)s AND forecasts.at < %(until)s
  )
ORDER BY feedback.client, (feedback.at AT TIME ZONE 'UTC')::date, feedback.at, feedback.prediction_id
) AS votes
"""


class PostgresFeedback:
    """`Feedback` from the database `ratchet`. `MetricsError` where nobody can say."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url

    def ratings(self, workload: str, release_id: str, *, since: datetime, until: datetime) -> Ratings:
        """Count and average the votes that this release's forecasts of the window got within it: one per client and day."""
        values = {"workload": workload, "release_id": release_id, "since": since, "until": until}
        with transaction(self._database_url, what="feedback", error=MetricsError) as cursor:
            cursor.execute(RATINGS, values)
            count, mean = cursor.fetchone() or (0, None)
        return Ratings(count=count, mean=mean)
