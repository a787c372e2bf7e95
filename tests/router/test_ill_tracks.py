"""What happens when a track is not well: the other one is asked, nobody's request fails, and no order is given twice."""

import json
import re
import signal
import time
from collections import Counter

import pytest
from two_tracks import PREDICT

pytestmark = pytest.mark.stack


@pytest.fixture(autouse=True)
def _router_that_knows_of_no_failure(house):
    """It leaves a track that was ill alone for seconds, in the next test too; one that starts has seen none."""
    house.rig.stop("router", signal.SIGQUIT)
    house.rig.start_router()


@pytest.mark.parametrize("ill", ["candidate", "production"])
def test_a_dead_track_fails_no_post(house, ill):
    house.tracks[ill].stop()
    client = house.client()
    statuses = Counter(house.ask(client, X_User_Id=f"user-{number}")[0] for number in range(300))
    assert statuses == {200: 300}


def test_a_connection_that_production_drops_is_tried_again_where_no_candidate_serves(house):
    house.rig.share(0)
    assert house.track_of(house.client()) == "production"
    production, candidate = house.tracks["production"], house.tracks["candidate"]
    candidate.status, production.drops = 503, 1
    try:
        assert house.track_of(house.client()) == "production"
        assert production.drops == 0
    finally:
        candidate.status = 200


def test_both_tracks_know_a_request_by_one_id_when_the_second_one_answers_it(house):
    house.rig.share(0)
    house.tracks["production"].drops = 1
    assert house.track_of(house.client()) == "candidate"
    first, second = (house.tracks[name].request_ids[-1] for name in ("production", "candidate"))
    assert first == second
    assert re.fullmatch("[0-9a-f]{24}", first)


def test_what_neither_track_can_answer_has_failed_on_both_whomever_it_was_meant_for(house):
    """A look takes it for nobody's harm, since it is in the counts of both."""
    house.rig.share(5)
    tracks, ids = house.tracks.values(), [f"{number:024x}" for number in range(100)]
    for track in tracks:
        track.status = 500
        track.request_ids.clear()
    try:
        statuses = [house.ask(house.client(), X_User_Id=name)[0] for name in ids]
    finally:
        for track in tracks:
            track.status = 200
    assert set(statuses) == {500}
    assert {track.name: len(set(track.request_ids)) for track in tracks} == {"production": 100, "candidate": 100}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_order_that_a_track_may_have_taken_is_not_given_to_the_other_one(house, method):
    house.rig.share(0)
    production, candidate = house.tracks["production"], house.tracks["candidate"]
    before = len(production.request_ids), len(candidate.request_ids)
    production.drops = 1
    status, headers, _ = house.ask(house.client(), path="/api/parcels/orders", method=method)
    seen = len(production.request_ids) - before[0], len(candidate.request_ids) - before[1]
    assert (status, headers["Retry-After"], seen) == {"POST": (503, "2", (1, 0)), "GET": (200, None, (1, 1))}[method]


def test_an_order_reaches_the_other_track_where_one_is_not_there(house):
    house.tracks["production"].stop()
    house.rig.share(0)
    status, _, body = house.ask(house.client(), path="/api/parcels/orders")
    assert (status, json.loads(body)["track"]) == (200, "candidate")


@pytest.mark.parametrize("ill", ["candidate", "production"])
def test_refusals_of_other_questions_move_nobody_to_the_other_track(house, ill):
    track, client = house.tracks[ill], house.client()
    users = [f"user-{number}" for number in range(50)]
    before = [house.track_of(client, X_User_Id=user) for user in users]
    whose = users[before.index(ill)]
    try:
        for track.status_of_others in (500, 503, 503, 503, 503):
            house.ask(client, method="GET", path="/api/parcels/series/detail", X_User_Id=whose)
            house.ask(client, path=PREDICT + "/batch", X_User_Id=whose)
    finally:
        track.status_of_others = 200
    assert [house.track_of(client, X_User_Id=user) for user in users] == before
    assert set(before) == {"candidate", "production"}


def test_a_hung_candidate_fails_no_post_and_costs_about_two_seconds(house):
    house.tracks["candidate"].hangs.set()
    client, started = house.client(), time.monotonic()
    users = [f"user-{number}" for number in range(100)]
    answers = [house.track_of(client, X_User_Id=user) for user in users]
    assert set(answers) == {"production"}
    assert time.monotonic() - started < 11, "three waits of two seconds, then the candidate is left alone for a while"


@pytest.mark.parametrize("path", ["/api/parcels/release", "/api/parcels/series?limit=3", "/api/ready", "/docs"])
def test_what_a_hung_candidate_would_say_from_memory_is_asked_of_production_two_seconds_later(house, path):
    client = house.client()
    users = (f"user-{number}" for number in range(100))
    theirs = next(user for user in users if house.predicted(f"user:{user}", 20) == "candidate")
    house.tracks["candidate"].hangs.set()
    started = time.monotonic()
    status, headers, _ = house.ask(client, path=path, method="GET", X_User_Id=theirs)
    assert (status, headers["X-Track"]) == (200, "production")
    assert 1.5 < time.monotonic() - started < 3
