import base64
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


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 257, 999])
def test_any_number_of_ids_is_made_at_once(count):
    made = mint_many(SECRET, AT, count, workload="parcels", track=Track.CANDIDATE, release="CO12")
    assert len(set(made)) == count
    assert all(verify(SECRET, one.decode(), workload="parcels") for one in made)


def test_nobody_who_has_ids_of_a_batch_can_make_its_others():
    """Each has a signature of its own: the one of a neighbour, or of the same place elsewhere, does not do."""
    one, other = (mint_many(SECRET, AT, 8, workload="w", track=Track.CANDIDATE, release="CO1") for _ in range(2))
    raw = [base64.urlsafe_b64decode(each[:44]) for each in (*one, *other)]
    suffix = one[0][44:]
    for head in raw:
        for mac in raw:
            mixed = base64.urlsafe_b64encode(head[:17] + mac[17:]) + suffix
            assert (verify(SECRET, mixed.decode(), workload="w") is None) == (head is not mac)


def test_what_was_minted_before_batches_shared_their_digests_is_good():
    """Made with this secret by the code of before: feedback on it may still come."""
    given = "AaGapomTV1pH3tN_7lWYE_7k9u48O5hvFBdpvUEmaF4O.c.CO12"
    assert verify(SECRET, given, workload="parcels") == Minted(at=AT, track=Track.CANDIDATE, release="CO12")


def test_too_many_at_once_are_refused_rather_than_repeated():
    with pytest.raises(ValueError, match="told apart"):
        mint_many(SECRET, AT, 2**16 + 1, workload="parcels", track=Track.CANDIDATE, release="CO12")
