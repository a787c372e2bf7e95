import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psycopg2
import pytest

from fakes import FakeFeedback, FakeRating
from ratchet.contracts.errors import MetricsError
from ratchet.contracts.ports import Ratings
from ratchet.observe import PostgresFeedback

SINCE = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
UNTIL = SINCE + 24 * HOUR


class FakeGiven:
    """Ratings given to the fake."""

    def __init__(self):
        self.feedback = FakeFeedback()

    def rate(self, workload, release_id, value, *, at, forecast_at, client="c"):
        given = FakeRating(
            workload=workload, release_id=release_id, value=value, at=at, forecast_at=forecast_at, client=client
        )
        self.feedback.given.append(given)


class PostgresGiven:
    """Ratings written to the tables as serving writes them."""

    def __init__(self, uri):
        self.uri = uri
        self.feedback = PostgresFeedback(uri)

    def rate(self, workload, release_id, value, *, at, forecast_at, kind="rating", client="c"):
        number = uuid4().hex
        self.execute("SELECT ensure_forecast_day(%s)", forecast_at.date())
        forecast = "INSERT INTO forecasts (prediction_id, at, workload, release_id) VALUES (%s, %s, %s, %s)"
        self.execute(forecast, number, forecast_at, workload, release_id)
        feedback = (
            "INSERT INTO feedback (prediction_id, kind, client, workload, value, at) VALUES (%s, %s, %s, %s, %s, %s)"
        )
        self.execute(feedback, number, kind, client, workload, json.dumps(value), at)

    def execute(self, statement, *values):
        connection = psycopg2.connect(self.uri)
        with connection, connection.cursor() as cursor:
            cursor.execute(statement, values)
        connection.close()


@pytest.fixture(params=["fake", "postgres"])
def given(request):
    return FakeGiven() if request.param == "fake" else PostgresGiven(request.getfixturevalue("postgres"))


@pytest.fixture
def workload():
    return f"feedback-{uuid4().hex[:8]}"


def ratings(given, workload, release_id="new"):
    return given.feedback.ratings(workload, release_id, since=SINCE, until=UNTIL)


def test_nobody_rated_is_a_count_of_zero_without_a_mean(given, workload):
    assert ratings(given, workload) == Ratings(count=0, mean=None)


def test_ratings_of_one_release_are_counted_and_averaged(given, workload):
    for client, value in enumerate((5, 4, 4.5)):
        given.rate(workload, "new", value, at=SINCE + HOUR, forecast_at=SINCE, client=f"c{client}")
    given.rate(workload, "old", 1, at=SINCE + HOUR, forecast_at=SINCE)
    given.rate(f"{workload}-b", "new", 1, at=SINCE + HOUR, forecast_at=SINCE)
    assert ratings(given, workload) == Ratings(count=3, mean=4.5)


def test_a_flood_of_one_clients_ratings_is_one_vote_a_day_the_first(given, workload):
    given.rate(workload, "new", 2, at=SINCE + HOUR, forecast_at=SINCE, client="calm")
    for minute in range(50):
        given.rate(workload, "new", 5 if minute else 4, at=SINCE + minute * HOUR / 60, forecast_at=SINCE, client="loud")
    assert ratings(given, workload) == Ratings(count=2, mean=3.0)
    given.rate(workload, "new", 3, at=SINCE + 13 * HOUR, forecast_at=SINCE, client="loud")
    assert ratings(given, workload) == Ratings(count=3, mean=3.0)


@pytest.mark.parametrize(
    ("forecast_at", "at", "count"),
    [
        pytest.param(SINCE, SINCE, 1, id="from its first moment"),
        pytest.param(SINCE - HOUR, SINCE + HOUR, 0, id="not for a forecast from before"),
        pytest.param(SINCE - HOUR, SINCE - HOUR, 0, id="not from before"),
        pytest.param(UNTIL - HOUR, UNTIL, 0, id="not at its end"),
        pytest.param(SINCE, UNTIL - timedelta(microseconds=1), 1, id="until just before its end"),
    ],
)
def test_only_what_happened_in_the_window_counts(given, workload, forecast_at, at, count):
    given.rate(workload, "new", 3, at=at, forecast_at=forecast_at)
    assert ratings(given, workload).count == count


def test_other_feedback_is_no_rating(postgres, workload):
    given = PostgresGiven(postgres)
    given.rate(workload, "new", 3, at=SINCE, forecast_at=SINCE)
    given.rate(workload, "new", 917, at=SINCE, forecast_at=SINCE, kind="actual")
    given.rate(workload, "new", "five", at=SINCE, forecast_at=SINCE)
    assert ratings(given, workload) == Ratings(count=1, mean=3.0)


def test_a_database_that_is_away_is_no_zero():
    feedback = PostgresFeedback("postgresql://ratchet:hunter2@127.0.0.1:1/ratchet")
    with pytest.raises(MetricsError, match="feedback is away: Connection refused"):
        feedback.ratings("w", "new", since=SINCE, until=UNTIL)
