import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from traceback import format_exception
from uuid import uuid4

import psycopg2
import pytest

from fakes import FakeJournal
from ratchet.contracts.errors import JournalError
from ratchet.contracts.policy import Decision, Evidence, TrackEvidence, Verdict
from ratchet.observe import PostgresJournal

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
PASSWORD = "hunter2"
SEEN = TrackEvidence(release="BO1", requests=800, errors=None, latency_ms=12.3456789, ratings=100, rating=4.1)
HOLD = Decision(verdict=Verdict.HOLD, reason="too few ratings", scores={"candidate": 0.1 + 0.2})
PROMOTE = Decision(verdict=Verdict.PROMOTE, reason="better", scores={})


@pytest.fixture(params=["fake", "postgres"])
def journal(request):
    if request.param == "fake":
        return FakeJournal()
    return PostgresJournal(request.getfixturevalue("postgres"))


@pytest.fixture
def workload():
    return f"journal-{uuid4().hex[:8]}"


@pytest.fixture
def experiment(journal, workload):
    return journal.open_experiment(workload, production="old", candidate="new", at=AT)


def evidence(experiment, at=AT + HOUR, **candidate):
    return Evidence(
        experiment_id=experiment.experiment_id,
        at=at,
        since=experiment.started_at,
        production=SEEN,
        candidate=replace(SEEN, release="CO2", **candidate),
    )


def test_an_experiment_opens_once(journal, workload, experiment):
    again = journal.open_experiment(workload, production="old", candidate="new", at=AT + HOUR)
    assert again == experiment == journal.current(workload)
    assert (again.started_at, again.ended_at, again.verdict) == (AT, None, None)


def test_nothing_is_current_before_the_first_experiment(journal, workload):
    assert journal.current(workload) is None


def test_a_second_experiment_waits_for_the_first_to_end(journal, workload, experiment):
    with pytest.raises(JournalError, match="still open"):
        journal.open_experiment(workload, production="old", candidate="newer", at=AT)
    journal.close_experiment(experiment.experiment_id, verdict="rollback", at=AT + HOUR)
    assert journal.current(workload) is None
    following = journal.open_experiment(workload, production="old", candidate="newer", at=AT + HOUR)
    assert following.experiment_id != experiment.experiment_id
    assert journal.current(workload) == following


def test_two_releases_that_had_their_experiment_get_no_other(journal, workload, experiment):
    journal.close_experiment(experiment.experiment_id, verdict="rollback", at=AT + HOUR)
    with pytest.raises(JournalError, match="ended: rollback"):
        journal.open_experiment(workload, production="old", candidate="new", at=AT + HOUR)


def test_ending_twice_changes_nothing(journal, experiment):
    journal.close_experiment(experiment.experiment_id, verdict="rollback", at=AT + HOUR)
    journal.close_experiment(experiment.experiment_id, verdict="promote", at=AT + 2 * HOUR)
    ended = journal.experiment(experiment.experiment_id)
    assert (ended.ended_at, ended.verdict) == (AT + HOUR, "rollback")


def test_workloads_do_not_meet(journal, workload, experiment):
    journal.record_decision(evidence(experiment), HOLD, at=AT)
    other = journal.open_experiment(f"{workload}-b", production="old", candidate="new", at=AT)
    assert other.experiment_id != experiment.experiment_id
    assert journal.decisions(f"{workload}-b", limit=9) == journal.pending(f"{workload}-b") == []


def test_the_first_evidence_of_a_moment_stands(journal, experiment):
    first = evidence(experiment, rating=None, ratings=0)
    assert journal.record_evidence(first) == first
    assert journal.record_evidence(evidence(experiment, rating=5.0)) == first
    later = evidence(experiment, at=AT + 2 * HOUR)
    assert journal.record_evidence(later) == later


def test_evidence_of_a_moment_is_found_again(journal, experiment):
    number = experiment.experiment_id
    assert journal.evidence(number, at=AT + HOUR) is None
    kept = journal.record_evidence(evidence(experiment))
    assert journal.evidence(number, at=AT + HOUR) == kept
    assert journal.evidence(number, at=AT) is None


def test_an_experiment_is_found_open_and_ended(journal, experiment):
    assert journal.experiment(experiment.experiment_id) == experiment
    journal.close_experiment(experiment.experiment_id, verdict="promote", at=AT + HOUR)
    ended = journal.experiment(experiment.experiment_id)
    assert (ended.ended_at, ended.verdict) == (AT + HOUR, "promote")


def test_one_holder_at_a_time_per_workload(journal, workload):
    inside, most = [], []

    def hold(number):
        with journal.alone(workload), journal.alone(f"{workload}-{number}"):
            inside.append(number)
            most.append(len(inside))
            time.sleep(0.05)
            inside.remove(number)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(hold, range(4)))
    assert most == [1, 1, 1, 1]


def test_a_holder_that_fails_lets_go(journal, workload):
    with pytest.raises(ZeroDivisionError), journal.alone(workload):
        raise ZeroDivisionError
    with journal.alone(workload):
        pass


def test_the_first_decision_of_a_moment_stands(journal, workload, experiment):
    first = journal.record_decision(evidence(experiment), HOLD, at=AT + HOUR)
    again = journal.record_decision(evidence(experiment), PROMOTE, at=AT + 2 * HOUR)
    assert again == first
    assert (first.decision, first.at, first.decided_at, first.acted_at) == (HOLD, AT + HOUR, AT + HOUR, None)
    assert journal.decisions(workload, limit=9) == [first]


def test_a_decision_is_pending_until_it_was_carried_out(journal, workload, experiment):
    rows = [
        journal.record_decision(evidence(experiment, at=AT + hour * HOUR), HOLD, at=AT + hour * HOUR) for hour in (2, 1)
    ]
    assert [row.at for row in journal.pending(workload)] == [AT + HOUR, AT + 2 * HOUR]
    journal.acted(rows[1].decision_id, at=AT + 3 * HOUR)
    journal.acted(rows[1].decision_id, at=AT + 4 * HOUR)
    assert journal.pending(workload) == [rows[0]]
    newest = journal.decisions(workload, limit=9)
    assert [row.acted_at for row in newest] == [None, AT + 3 * HOUR]
    assert journal.decisions(workload, limit=1) == newest[:1]


def test_a_decision_stays_pending_after_its_experiment_ended(journal, workload, experiment):
    row = journal.record_decision(evidence(experiment), PROMOTE, at=AT)
    journal.close_experiment(experiment.experiment_id, verdict="promote", at=AT + HOUR)
    assert journal.pending(workload) == [row]


def test_what_nobody_opened_is_refused(journal, experiment):
    nowhere = replace(experiment, experiment_id=10**9)
    for write in (
        lambda: journal.close_experiment(10**9, verdict="hold", at=AT),
        lambda: journal.record_evidence(evidence(nowhere)),
        lambda: journal.record_decision(evidence(nowhere), HOLD, at=AT),
        lambda: journal.acted(10**9, at=AT),
        lambda: journal.experiment(10**9),
    ):
        with pytest.raises(JournalError):
            write()


def test_a_figure_that_is_not_a_number_is_kept_as_missing(postgres, workload):
    journal = PostgresJournal(postgres)
    experiment = journal.open_experiment(workload, production="old", candidate="new", at=AT)
    kept = journal.record_evidence(evidence(experiment, rating=float("nan")))
    assert kept.candidate.rating is None


def test_two_writers_at_once_end_with_one_row(postgres, workload):
    def write(number):
        journal = PostgresJournal(postgres)
        experiment = journal.open_experiment(workload, production="old", candidate="new", at=AT)
        seen = journal.record_evidence(evidence(experiment, requests=number))
        row = journal.record_decision(seen, replace(HOLD, reason=str(number)), at=AT)
        return experiment, seen, row

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(write, range(8)))
    assert all(result == results[0] for result in results)
    with psycopg2.connect(postgres) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM experiments WHERE workload = %s", (workload,))
        assert cursor.fetchone() == (1,)
    connection.close()


def test_two_candidates_at_once_end_with_one_experiment(postgres, workload):
    def start(candidate):
        try:
            return PostgresJournal(postgres).open_experiment(workload, production="old", candidate=candidate, at=AT)
        except JournalError:
            return None

    with ThreadPoolExecutor(4) as pool:
        started = [experiment for experiment in pool.map(start, "abcd") if experiment]
    assert len(started) == 1


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        pytest.param("127.0.0.1:1", "Connection refused", id="nobody listens"),
        pytest.param(f"127.0.0.1:{PASSWORD}", "cannot be used", id="unreadable address"),
    ],
)
def test_a_journal_that_is_away_says_so_and_keeps_the_password(url, reason):
    with pytest.raises(JournalError, match=reason) as caught:
        PostgresJournal(f"postgresql://ratchet:{PASSWORD}@{url}/ratchet").current("w")
    assert PASSWORD not in "".join(format_exception(caught.value))


def test_errors_of_a_statement_name_no_sql(postgres, workload):
    with pytest.raises(JournalError, match=r"^the journal failed: InvalidRowCountInLimitClause 2201W$"):
        PostgresJournal(postgres).decisions(workload, limit=-1)
