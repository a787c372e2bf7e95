import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from traceback import format_exception
from uuid import uuid4

import psycopg2
import pytest

from fakes import FakeJournal
from ratchet.contracts.errors import BusyError, JournalError
from ratchet.contracts.policy import Decision, Evidence, TrackEvidence, Verdict
from ratchet.contracts.ports import NewLook
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


def new(at=AT + HOUR, decision=HOLD, **changes):
    """A look, judged."""
    policy = changes.pop("policy", "digest")
    return NewLook(
        at=at,
        actor=changes.pop("actor", "a test"),
        policy=policy,
        policy_body=f'{{"named": "{policy}"}}',
        stage=changes.pop("stage", "ab"),
        decision=decision,
        evidence=changes.pop("evidence", None),
        body=changes.pop("body", '{"b": 1,  "a": 0.30000000000000004}'),
    )


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


def test_a_revert_has_the_last_word_on_an_experiment_that_ended(journal, experiment):
    journal.close_experiment(experiment.experiment_id, verdict="promote", at=AT + HOUR)
    journal.close_experiment(experiment.experiment_id, verdict="revert", at=AT + 2 * HOUR)
    ended = journal.experiment(experiment.experiment_id)
    assert (ended.ended_at, ended.verdict) == (AT + HOUR, "revert")


def test_workloads_do_not_meet(journal, workload, experiment):
    journal.record(experiment.experiment_id, new(), at=AT)
    other = journal.open_experiment(f"{workload}-b", production="old", candidate="new", at=AT)
    assert other.experiment_id != experiment.experiment_id
    assert journal.looks(f"{workload}-b", limit=9) == journal.pending(f"{workload}-b") == []
    assert (journal.stage(workload), journal.stage(f"{workload}-b"), journal.stage("nobody's")) == ("ab", "queued", "")


def test_an_experiment_that_only_scores_leaves_the_tracks_to_the_next(journal, workload, experiment):
    journal.shadow(experiment.experiment_id)
    journal.shadow(experiment.experiment_id)
    assert (journal.current(workload), journal.shadows(workload)) == (None, [experiment])
    following = journal.open_experiment(workload, production="new", candidate="newer", at=AT + HOUR)
    assert (journal.current(workload), journal.shadows(workload)) == (following, [experiment])
    journal.close_experiment(experiment.experiment_id, verdict="promote", at=AT + HOUR)
    assert journal.shadows(workload) == []


def test_the_past_is_told_newest_first(journal, workload):
    for number, name in enumerate("abc"):
        opened = journal.open_experiment(workload, production="old", candidate=name, at=AT)
        journal.close_experiment(opened.experiment_id, verdict="rollback", at=AT + number * HOUR)
    assert [one.candidate for one in journal.past(workload, limit=2)] == ["c", "b"]


def test_promotions_are_told_newest_first_however_they_stand_and_whatever_was_called_off_since(journal, workload):
    def end(candidate, verdict, *, after):
        opened = journal.open_experiment(workload, production="old", candidate=candidate, at=AT)
        journal.close_experiment(opened.experiment_id, verdict=verdict, at=AT + after * HOUR)
        return opened

    def told(limit=9):
        return [one.candidate for one in journal.promotions(workload, limit=limit)]

    first = journal.open_experiment(workload, production="old", candidate="a", at=AT)
    assert told() == [], "it is on trial"
    journal.shadow(first.experiment_id)
    assert told() == ["a"]
    second = end("b", "promote", after=1)
    journal.close_experiment(first.experiment_id, verdict="promote", at=AT + 2 * HOUR)  # its last word came later
    for name in "cd":
        end(name, "rollback", after=3)
    assert (told(), told(1)) == (["b", "a"], ["b"])
    journal.close_experiment(second.experiment_id, verdict="revert", at=AT + 4 * HOUR)
    assert told() == ["a"]


def test_the_database_has_a_time_of_its_own(postgres):
    assert abs(PostgresJournal(postgres).clock() - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_look_is_kept_to_the_byte(journal, experiment):
    kept = journal.record(experiment.experiment_id, new(), at=AT + 2 * HOUR)
    assert kept == journal.look(experiment.experiment_id, at=AT + HOUR) == journal.newest(experiment.experiment_id)
    assert (kept.body, kept.policy, kept.actor, kept.stage) == (new().body, "digest", "a test", "ab")
    assert (kept.decision, kept.at, kept.decided_at, kept.acted_at) == (HOLD, AT + HOUR, AT + 2 * HOUR, None)
    assert journal.look(experiment.experiment_id, at=AT) is None


def test_the_history_is_told_oldest_first_with_the_policies_that_judged(journal, experiment):
    number = experiment.experiment_id
    assert (journal.newest(number), journal.history(number)) == (None, [])
    for hour, policy in ((2, "second"), (1, "first")):
        journal.record(number, new(AT + hour * HOUR, policy=policy), at=AT + 3 * HOUR)
    assert [row.policy for row in journal.history(number)] == ["first", "second"]
    assert journal.newest(number).policy == "second"
    assert {**journal.policies()}.items() >= {"first": '{"named": "first"}', "second": '{"named": "second"}'}.items()


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


def test_the_first_look_of_a_moment_stands(journal, workload, experiment):
    first = journal.record(experiment.experiment_id, new(), at=AT + HOUR)
    again = journal.record(experiment.experiment_id, new(decision=PROMOTE, body="{}"), at=AT + 2 * HOUR)
    assert again == first
    assert [row.look_id for row in journal.looks(workload, limit=9)] == [first.look_id]


def test_a_look_is_pending_until_it_was_carried_out(journal, workload, experiment):
    number = experiment.experiment_id
    rows = [journal.record(number, new(AT + hour * HOUR), at=AT + hour * HOUR) for hour in (2, 1)]
    assert [row.at for row in journal.pending(workload)] == [AT + HOUR, AT + 2 * HOUR]
    journal.acted(rows[1].look_id, at=AT + 3 * HOUR)
    journal.acted(rows[1].look_id, at=AT + 4 * HOUR)
    assert [row.look_id for row in journal.pending(workload)] == [rows[0].look_id]
    newest = journal.looks(workload, limit=9)
    assert [row.acted_at for row in newest] == [None, AT + 3 * HOUR]
    assert journal.looks(workload, limit=1) == newest[:1]


def test_a_look_stays_pending_after_its_experiment_ended(journal, workload, experiment):
    row = journal.record(experiment.experiment_id, new(decision=PROMOTE), at=AT)
    journal.close_experiment(experiment.experiment_id, verdict="promote", at=AT + HOUR)
    assert [pending.look_id for pending in journal.pending(workload)] == [row.look_id]


def test_a_rollback_is_unanswered_until_another_candidate_was_asked_for(journal, workload, experiment):
    number = experiment.experiment_id
    assert journal.unanswered(workload) is None
    refused = Decision(verdict=Verdict.ROLLBACK, reason="not possible", scores={})
    journal.record(number, new(AT, decision=refused), at=AT)
    row = journal.record(number, new(decision=refused, stage="rolled_back"), at=AT)
    assert journal.unanswered(workload).look_id == row.look_id
    journal.acted(row.look_id, at=AT, what="answered")
    assert journal.unanswered(workload) is None
    assert len(journal.pending(workload)) == 2


def test_a_candidate_that_was_asked_for_answers_what_was_called_off_before_it(journal, workload, experiment):
    number = experiment.experiment_id
    called_off = Decision(verdict=Verdict.ROLLBACK, reason="worse", scores={})
    rows = [
        journal.record(number, new(AT + hours * HOUR, decision=called_off, stage="rolled_back"), at=AT)
        for hours in (1, 2)
    ]
    assert journal.unanswered(workload).look_id == rows[1].look_id
    journal.acted(rows[1].look_id, at=AT, what="answered")
    assert journal.unanswered(workload) is None
    later = journal.record(number, new(AT + 3 * HOUR, decision=called_off, stage="rolled_back"), at=AT)
    assert journal.unanswered(workload).look_id == later.look_id


def test_whoever_waits_too_long_for_another_run_is_told_so(postgres, workload):
    journal = PostgresJournal(postgres)
    journal._transaction = partial(journal._transaction, statement_seconds=1)
    with (
        journal.alone(workload),
        pytest.raises(BusyError, match=f"another run is at work on {workload}"),
        journal.alone(workload),
    ):
        pytest.fail("two held the lock")


def test_what_nobody_opened_is_refused(journal):
    for write in (
        lambda: journal.close_experiment(10**9, verdict="hold", at=AT),
        lambda: journal.record(10**9, new(), at=AT),
        lambda: journal.shadow(10**9),
        lambda: journal.acted(10**9, at=AT),
        lambda: journal.experiment(10**9),
    ):
        with pytest.raises(JournalError):
            write()


def test_no_look_can_be_changed_or_taken_away(postgres, workload):
    journal = PostgresJournal(postgres)
    experiment = journal.open_experiment(workload, production="old", candidate="new", at=AT)
    row = journal.record(experiment.experiment_id, new(evidence=evidence(experiment, rating=float("nan"))), at=AT)
    for statement in (
        "UPDATE looks SET verdict = 'promote' WHERE look_id = %s",
        "DELETE FROM looks WHERE look_id = %s",
    ):
        connection = psycopg2.connect(postgres)
        with pytest.raises(psycopg2.Error, match="a look is never changed"), connection, connection.cursor() as cursor:
            cursor.execute(statement, (row.look_id,))
        connection.close()


def test_two_writers_at_once_end_with_one_row(postgres, workload):
    def write(number):
        journal = PostgresJournal(postgres)
        experiment = journal.open_experiment(workload, production="old", candidate="new", at=AT)
        row = journal.record(experiment.experiment_id, new(decision=replace(HOLD, reason=str(number))), at=AT)
        return experiment, row

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
        PostgresJournal(postgres).looks(workload, limit=-1)
