import string
from datetime import UTC, datetime, timedelta

import pytest

from ratchet.contracts.ports import Track
from ratchet.serve.prediction_ids import Minted, mint, mint_many, verify

SECRET = b"a secret"
AT = datetime(2026, 11, 2, 5, 6, 7, 891000, tzinfo=UTC)


@pytest.fixture
def prediction_id():
    return mint(SECRET, AT, workload="parcels", track=Track.CANDIDATE, release="CO12")


def test_an_id_says_when_and_by_what_it_was_answered(prediction_id):
    minted = verify(SECRET, prediction_id, workload="parcels")
    assert minted == Minted(at=AT, track=Track.CANDIDATE, release="CO12")


def test_an_id_needs_no_escaping_in_a_url(prediction_id):
    assert set(prediction_id) <= set(string.ascii_letters + string.digits + "-_.")
    assert len(prediction_id) < 64


def test_no_two_ids_are_equal():
    made = {mint(SECRET, AT, workload="parcels", track=Track.PRODUCTION, release="BO1") for _ in range(10_000)}
    assert len(made) == 10_000


def test_another_secret_or_workload_makes_it_foreign(prediction_id):
    assert verify(b"other", prediction_id, workload="parcels") is None
    assert verify(SECRET, prediction_id, workload="letters") is None


def test_no_other_spelling_of_an_id_counts(prediction_id):
    alphabet = string.ascii_letters + string.digits + "-_.+/= \n"
    for place in range(len(prediction_id)):
        for letter in alphabet:
            other = prediction_id[:place] + letter + prediction_id[place + 1 :]
            assert (verify(SECRET, other, workload="parcels") is None) == (other != prediction_id), other


@pytest.mark.parametrize(
    "other", ["", ".", "..", "x", "ä" * 44 + ".c.CO12", "A" * 44, "A" * 44 + ".c.CO12", "A" * 10_000, "\x00" * 44]
)
def test_anything_else_is_no_id(other):
    assert verify(SECRET, other, workload="parcels") is None


def test_more_or_less_of_an_id_is_none(prediction_id):
    for other in (
        prediction_id + "0",
        prediction_id[:-1],
        "A" + prediction_id,
        prediction_id + "\n",
        prediction_id[1:],
    ):
        assert verify(SECRET, other, workload="parcels") is None


def test_a_clock_that_jumps_makes_no_id_twice_and_none_invalid():
    times = [AT, AT + timedelta(hours=1), AT, AT, AT - timedelta(days=1)]
    ids = [mint(SECRET, at, workload="w", track=Track.CANDIDATE, release="CO1") for at in times for _ in range(50)]
    assert len(set(ids)) == len(ids)
    assert all(verify(SECRET, each, workload="w") for each in ids)


def test_ids_made_at_once_are_as_good_as_those_made_one_by_one():
    made = mint_many(SECRET, AT, 1000, workload="parcels", track=Track.CANDIDATE, release="CO12")
    assert len(set(made)) == 1000
    minted = {verify(SECRET, one.decode(), workload="parcels") for one in made}
    assert minted == {
        verify(SECRET, mint(SECRET, AT, workload="parcels", track=Track.CANDIDATE, release="CO12"), workload="parcels")
    }
    assert mint_many(SECRET, AT, 0, workload="parcels", track=Track.CANDIDATE, release="CO12") == []
