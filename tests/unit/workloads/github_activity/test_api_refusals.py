"""The REST API's limits, redirects and failures: what stops a run, what it waits for, and what stops nothing else."""

import json
import logging
from contextlib import suppress
from datetime import timedelta

import pytest
from api_runs import NAME, NOW, counts, run, walks

from code_host import Repo
from ratchet.contracts.errors import SourceError
from ratchet.ingest import manifest
from web import Asked, Reply, serve


def test_a_repository_that_is_not_there_does_not_stop_the_others(host, tmp_path, clock):
    report, _ = run(host, tmp_path, clock, "no/such", NAME)
    assert [(trouble.what, trouble.name) for trouble in report.troubles] == [("missing", "no/such")]
    assert counts(tmp_path)["commits"] == 25


@pytest.mark.parametrize("status", [403, 451])
def test_a_repository_that_refuses_does_not_stop_the_others(host, tmp_path, clock, status):
    words = b'{"message": "Resource protected by organization SAML enforcement."}'
    host.script = [("/repos/my/secret", Reply(status=status, body=words))]
    report, _ = run(host, tmp_path, clock, "my/secret", NAME)
    assert [(trouble.what, trouble.name) for trouble in report.troubles] == [("refused", "my/secret")]
    assert f"HTTP {status}: Resource protected" in report.troubles[0].reason
    assert counts(tmp_path)["commits"] == 25


def test_refusals_that_last_are_no_sign_that_the_api_is_away(host, repo, tmp_path, clock):
    for at in range(4):
        popular = Repo(full_name=f"pop/{at}", repo_id=at)
        popular.stars = repo.stars
        host.repositories[popular.full_name] = popular
    host.star_pages = 1
    names = [*(f"pop/{at}" for at in range(4)), NAME]
    for _ in range(2):  # the second time there is nothing new between one refusal and the next
        report, _ = run(host, tmp_path, clock, *names)
        assert [trouble.name for trouble in report.troubles] == [f"{name}/stargazers" for name in names]
    assert counts(tmp_path)["commits"] == 25


def test_an_api_that_is_away_ends_the_run_after_three_names(host, tmp_path, clock):
    host.script = [("*", Reply(status=502))] * 100
    with pytest.raises(SourceError, match=r"github_api is away: c/d: .*HTTP 502"):
        run(host, tmp_path, clock, "a/b", "b/c", "c/d", "d/e", NAME)


def test_a_repository_that_always_fails_stands_in_the_way_of_none_after_it(host, tmp_path, clock):
    host.repositories["a/heavy"] = Repo(full_name="a/heavy", repo_id=1)
    for _ in range(2):
        host.script = [("/repos/a/heavy/", Reply(status=502))] * 20
        with suppress(SourceError):
            run(host, tmp_path, clock, "a/heavy", NAME)
    assert counts(tmp_path) == dict.fromkeys(("commits", "issues", "pull_requests", "stargazers"), 25)


def limited(status: int, message: str, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status=status, body=json.dumps({"message": message}).encode(), headers=named)


@pytest.mark.parametrize(
    ("reply", "waited"),
    [
        pytest.param(
            limited(
                403,
                "API rate limit exceeded",
                X_RateLimit_Remaining="0",
                X_RateLimit_Reset=str(int(NOW.timestamp()) + 600),
            ),
            601,
            id="primary, 403 with reset",
        ),
        pytest.param(
            limited(
                429,
                "API rate limit exceeded",
                X_RateLimit_Remaining="0",
                X_RateLimit_Reset=str(int(NOW.timestamp()) + 60),
            ),
            61,
            id="primary, 429 with reset",
        ),
        pytest.param(limited(429, "slow down", Retry_After="17"), 17, id="secondary, with retry-after"),
        pytest.param(
            limited(403, "You have exceeded a secondary rate limit. Please wait a few minutes."),
            60,
            id="secondary, without",
        ),
        pytest.param(limited(429, "slow down", Retry_After="\xb2"), 60, id="secondary, with what looks like a digit"),
    ],
)
def test_a_rate_limit_is_waited_for_and_says_how_long(host, tmp_path, clock, caplog, reply, waited):
    host.script = [("/pulls", reply)]
    report, _ = run(host, tmp_path, clock)
    assert report.troubles == ()
    assert clock.sleeps == [pytest.approx(waited, abs=1)]
    assert f"rate limit: waiting {timedelta(seconds=clock.sleeps[0])}, until" in caplog.text
    assert counts(tmp_path) == dict.fromkeys(("commits", "issues", "pull_requests", "stargazers"), 25)


@pytest.mark.parametrize("apart", [timedelta(days=8), timedelta(hours=-2)], ids=["behind", "ahead"])
def test_a_clock_that_is_not_the_apis_lands_nothing_until_it_is_set(host, tmp_path, clock, apart):
    """Ahead, weeks would be known that are still to come; behind, what is new would be rejected, and not be asked for again."""
    there = NOW + apart
    host.headers = {"Date": f"{there:%a, %d %b %Y %H:%M:%S} GMT"}
    with pytest.raises(
        SourceError, match=f"it is {there:%Y-%m-%d %H:%M} UTC at the API and 2026-02-01 10:30 here: set the clock"
    ):
        run(host, tmp_path, clock, "no/such", NAME)
    assert not (tmp_path / "github_api" / "manifest.jsonl").exists()
    clock.now = there
    report, _ = run(host, tmp_path, clock)
    assert report.troubles == ()
    assert counts(tmp_path) == dict.fromkeys(("commits", "issues", "pull_requests", "stargazers"), 25)


@pytest.mark.parametrize("word", ["/commits", "/stargazers"])
def test_what_came_before_the_clock_went_wrong_is_of_its_own_hour(host, tmp_path, clock, word):
    """It would be told as known until then, and no week would be over for a year but those that nobody has seen."""
    host.headers = {"Date": f"{NOW:%a, %d %b %Y %H:%M:%S} GMT"}

    def go_wrong(asked: Asked) -> None:
        if asked.path.endswith(word) and asked.query.get("page") == "2":
            clock.now += timedelta(days=365)

    host.after = go_wrong
    with pytest.raises(SourceError, match="set the clock"):
        run(host, tmp_path, clock)
    hours = {entry.hour for entry in manifest.read(tmp_path / "github_api")}
    assert hours == {NOW.replace(minute=0)}
    clock.now, host.after = NOW, lambda _: None
    run(host, tmp_path, clock)
    assert counts(tmp_path) == dict.fromkeys(("commits", "issues", "pull_requests", "stargazers"), 25)


@pytest.mark.parametrize("date", ["yesterday", "Sun, 99 Feb 2026 99:00:00 GMT", "Fri, 31 Dec 9999 23:00:00 -2300"])
def test_a_date_that_cannot_be_read_says_nothing_of_the_clock(host, tmp_path, clock, date):
    host.headers = {"Date": date}
    report, _ = run(host, tmp_path, clock)
    assert report.troubles == ()


def test_the_last_request_of_the_hour_is_noticed_before_the_next_one(host, tmp_path, clock):
    reset = str(int(NOW.timestamp()) + 300)
    last = Reply(
        body=b'{"id": 596892, "full_name": "pallets/flask"}',
        headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset},
    )
    host.script = [("*", last)]
    run(host, tmp_path, clock)
    assert clock.sleeps == [pytest.approx(301, abs=1)]


def test_a_limit_longer_than_an_hour_ends_the_run_and_the_next_goes_on(host, tmp_path, clock):
    reset = str(int(NOW.timestamp()) + 9000)
    host.script = [("/issues", limited(403, "limit", X_RateLimit_Remaining="0", X_RateLimit_Reset=reset))]
    with pytest.raises(SourceError, match=r"rate limit until 13:00:0\d UTC, 2:30:0\d from now; what landed stays"):
        run(host, tmp_path, clock)
    assert counts(tmp_path) == {"commits": 25}
    assert walks(tmp_path) == [("commits", "2026-02-01T10:00:00Z")]
    run(host, tmp_path, clock)
    assert counts(tmp_path) == dict.fromkeys(("commits", "issues", "pull_requests", "stargazers"), 25)


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(
            {"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": f"{NOW.timestamp():.0f}000"}, id="milliseconds"
        ),
        pytest.param({"Retry_After": "9" * 400}, id="for ever"),
    ],
)
def test_a_limit_beyond_all_calendars_ends_the_run_like_any_long_one(host, tmp_path, clock, headers):
    host.script = [("/issues", limited(429, "limit", **headers))]
    with pytest.raises(SourceError, match="what landed stays, run it again then"):
        run(host, tmp_path, clock)
    assert counts(tmp_path) == {"commits": 25}


def test_a_secondary_limit_that_does_not_end_is_given_up_after_growing_waits(host, tmp_path, clock):
    host.script = [("*", limited(403, "You have exceeded a secondary rate limit"))] * 9
    with pytest.raises(SourceError, match="still limited after 5 waits"):
        run(host, tmp_path, clock)
    assert clock.sleeps == [60, 120, 240, 480]


def test_server_errors_are_tried_again(host, tmp_path, clock):
    host.script = [
        ("/commits", Reply(status=502, body=b"<html>")),
        ("/stargazers", Reply(status=500)),
        ("/stargazers", Reply(status=503)),
    ]
    report, _ = run(host, tmp_path, clock)
    assert (report.troubles, clock.sleeps) == ((), [1, 1, 2])
    assert counts(tmp_path) == dict.fromkeys(("commits", "issues", "pull_requests", "stargazers"), 25)


def test_a_kind_that_keeps_failing_is_named_and_the_others_land(host, tmp_path, clock):
    host.script = [("/issues", Reply(status=502))] * 5
    report, _ = run(host, tmp_path, clock)
    assert [(trouble.what, trouble.name) for trouble in report.troubles] == [("failed", f"{NAME}/issues")]
    assert "HTTP 502" in report.troubles[0].reason
    assert [kind for kind, _ in walks(tmp_path)] == ["commits", "pull_requests", "stargazers"]
    assert counts(tmp_path) == dict.fromkeys(("commits", "pull_requests", "stargazers"), 25)
    run(host, tmp_path, clock)
    assert counts(tmp_path)["issues"] == 25


@pytest.mark.parametrize(
    "body",
    [
        *(b"<html>Please log in", b"", b"null", b"{}", b'{"message": "ok"}', b"[null]", b"[{}]"),
        b'[{"sha": 5, "number": "x", "updated_at": 7, "starred_at": 7}]',
    ],
)
@pytest.mark.parametrize("kind", ["commits", "issues", "pull_requests", "stargazers"])
def test_what_is_no_answer_of_the_api_is_named_and_knows_of_no_quiet_week(host, tmp_path, clock, kind, body):
    host.script = [({"pull_requests": "/pulls"}.get(kind, f"/{kind}"), Reply(body=body))]
    report, _ = run(host, tmp_path, clock)
    assert [(trouble.what, trouble.name) for trouble in report.troubles] == [("failed", f"{NAME}/{kind}")]
    assert "HTTP 200, but no answer of the API: " in report.troubles[0].reason
    assert kind not in dict(walks(tmp_path))
    run(host, tmp_path, clock)
    assert counts(tmp_path) == dict.fromkeys(("commits", "issues", "pull_requests", "stargazers"), 25)


@pytest.mark.parametrize(
    "body", [b"<html>Please log in", b"", b"null", b"{}", b"[]", b'[{"id": 1}]', b'{"id": "x", "full_name": 5}']
)
def test_a_repository_is_known_by_an_answer_of_the_api_alone(host, tmp_path, clock, body):
    host.script = [("/repos/a/b", Reply(body=body))]
    report, _ = run(host, tmp_path, clock, "a/b", NAME)
    assert [(trouble.what, trouble.name) for trouble in report.troubles] == [("failed", "a/b")]
    assert counts(tmp_path)["commits"] == 25


def test_a_token_is_sent_and_never_shown(host, tmp_path, clock, caplog):
    caplog.set_level(logging.DEBUG)
    host.token = "hunter2"
    run(host, tmp_path, clock, token="hunter2")
    with pytest.raises(SourceError, match="does not accept GITHUB_TOKEN") as refusal:
        run(host, tmp_path, clock, token="hunter3")
    assert "hunter" not in caplog.text + str(refusal.value)
    everything = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"hunter" not in everything


def test_a_token_goes_nowhere_else(host, tmp_path, clock):
    elsewhere = []
    with serve(lambda asked: elsewhere.append(asked) or Reply(body=b"[]")) as other:
        host.script = [("/commits", Reply(status=302, headers={"Location": f"{other.address}/x"}))]
        report, _ = run(host, tmp_path, clock, token="hunter2")
    assert "leads away" in report.troubles[0].reason
    assert elsewhere == []


def test_a_half_of_a_character_and_an_account_of_no_kind_spoil_nothing(host, tmp_path, clock):
    issue = {"number": 1, "id": 3, "updated_at": "2026-01-01T00:00:00Z", "created_at": "2026-01-01T00:00:00Z"}
    star = {"starred_at": "2026-01-01T00:00:00Z", "user": {"id": "x"}}
    host.script = [
        ("/issues", Reply(body=json.dumps([{**issue, "title": "\ud800"}]).encode())),
        ("/stargazers", Reply(body=json.dumps([star, {**star, "user": "x"}]).encode())),
    ]
    report, _ = run(host, tmp_path, clock)
    assert report.troubles == ()
    assert (counts(tmp_path)["issues"], counts(tmp_path)["stargazers"]) == (1, 2)
