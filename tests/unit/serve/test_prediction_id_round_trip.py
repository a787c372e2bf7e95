from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ratchet.contracts.ports import Track
from ratchet.serve.prediction_ids import Minted, mint, verify

MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(9000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
RELEASES = st.from_regex(r"[A-Za-z0-9-]{1,60}", fullmatch=True)
WORKLOADS = st.text(st.characters(codec="utf-8"), max_size=40)


@given(st.binary(min_size=1, max_size=64), MOMENTS, WORKLOADS, st.sampled_from(Track), RELEASES)
def test_what_was_minted_is_read_back_to_the_millisecond(secret, at, workload, track, release):
    made = mint(secret, at, workload=workload, track=track, release=release)
    found = verify(secret, made, workload=workload)
    assert found is not None
    assert (found.track, found.release) == (track, release)
    assert abs(found.at - at) <= timedelta(milliseconds=1)
    assert isinstance(found, Minted)


@given(st.data())
def test_any_other_string_is_nobodys(data):
    made = mint(
        b"a secret", datetime(2026, 1, 1, tzinfo=UTC), workload="parcels", track=Track.PRODUCTION, release="BO1"
    )
    place = data.draw(st.integers(0, len(made) - 1))
    other = data.draw(st.characters(codec="utf-8").filter(lambda letter: letter != made[place]))
    assert verify(b"a secret", made[:place] + other + made[place + 1 :], workload="parcels") is None
    assert verify(b"a secret", data.draw(st.text()), workload="parcels") is None
