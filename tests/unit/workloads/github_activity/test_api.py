"""The REST API's source against a local server with its shapes, links, limits, redirects and failures."""

import gzip
import json
import logging
import os
import signal
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from code_host import CodeHost, Repo, moment
from ratchet.contracts.errors import SourceError
from ratchet.ingest import land, manifest
from ratchet.workloads.github_activity.sources.api import RepositoryApi
from ratchet.workloads.github_activity.sources.api_client import ApiClient
from ratchet.workloads.github_activity.sources.api_kinds import TruncatedError, stargazers
from web import Reply, serve

NOW = datetime(2026, 2, 1, 10, 30, tzinfo=UTC)
NAME = "pallets/flask"


class Clock:
    """Time that passes when someone sleeps."""

    def __init__(self) -> None:
        self.now = NOW
        self.sleeps: list[float] = []

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def repo() -> Repo:
    found = Repo(full_name=NAME, repo_id=596892)
    for at in range(25):
        found.commit(f"c{at}")
        found.open(at * 2 + 1, at)
        found.open(at * 2 + 2, at + 0.5, pull=True)
        found.star(at, at)
    return found


@pytest.fixture
def host(repo) -> CodeHost:
    return CodeHost(repo, page=10)


def run(host: CodeHost, bronze, clock: Clock, *names: str, token: str = "", expect: int | None = None):
    """Land once; everything that the run asked."""
    with serve(host) as web:
        host.address = web.address
        source = RepositoryApi(
            name="github_api",
            repositories=names or (NAME,),
            address=web.address,
            token=token,
            clock=clock,
            sleep=clock.sleep,
        )
        report = land(source, bronze=bronze)
    if expect is not None:
        assert report.troubles == ()
        assert len(web.asked) == expect
    return report, web.asked


def everything(bronze) -> list[dict]:
    folder = bronze / "github_api"
    return [
        json.loads(line)
        for entry in manifest.read(folder)
        for line in gzip.decompress((folder / entry.file).read_bytes()).splitlines()
    ]


def rows(bronze) -> list[dict]:
    return [row for row in everything(bronze) if row["kind"] != "walk"]


def walks(bronze) -> list[tuple[str, str]]:
    """What each walk has told: of which kind until when."""
    return [(row["item"]["kind"], row["item"]["until"]) for row in everything(bronze) if row["kind"] == "walk"]


def counts(bronze) -> Counter:
    return Counter(row["kind"] for row in rows(bronze))


def test_everything_of_a_repository_lands_with_where_it_is_from(host, tmp_path, clock):
    report, asked = run(host, tmp_path, clock)
    assert report.troubles == ()
    assert counts(tmp_path) == {"commits": 25, "issues": 25, "pull_requests": 25, "stargazers": 25}
    first = rows(tmp_path)[0]
    assert {name: first[name] for name in ("repository", "repo_id", "kind", "fetched_at")} == {
        "repository": NAME,
        "repo_id": 596892,
        "kind": "commits",
        "fetched_at": "2026-02-01T10:30:00Z",
    }
    assert first["item"]["sha"] == "c24"
    assert all("pull_request" not in row["item"] for row in rows(tmp_path) if row["kind"] == "issues")
    assert all(row["item"]["starred_at"] for row in rows(tmp_path) if row["kind"] == "stargazers")
    entries = manifest.read(tmp_path / "github_api")
    assert [(entry.part, entry.file) for entry in entries] == [
        (f"{NAME}/commits", "2026-02-01/10.json.gz"),
        (f"{NAME}/issues", "2026-02-01/10-1.json.gz"),
        (f"{NAME}/pull_requests", "2026-02-01/10-2.json.gz"),
        (f"{NAME}/stargazers", "2026-02-01/10-3.json.gz"),
        ("walks", "2026-02-01/10-4.json.gz"),
    ]
    assert all(one.headers["x-github-api-version"] for one in asked)


def test_a_run_without_anything_new_lands_nothing_and_soon_costs_nothing(host, tmp_path, clock):
    run(host, tmp_path, clock)
    before = rows(tmp_path)
    run(
        host, tmp_path, clock
    )  # the issues' question has moved on to the last change: this answer's ETag is the one to keep
    spent = host.spent
    report, asked = run(host, tmp_path, clock, expect=5)
    assert (report.landed, host.spent - spent) == (0, 0)
    assert all("if-none-match" in one.headers for one in asked)
    assert rows(tmp_path) == before


def test_only_what_is_new_lands_the_next_time(host, repo, tmp_path, clock):
    run(host, tmp_path, clock)
    known = len(rows(tmp_path))
    repo.commit("new")
    repo.open(101, 60)
    repo.open(102, 60, pull=True)
    repo.touch(2, 61, merged=True)
    repo.star(99, 60)
    run(host, tmp_path, clock)
    new = [
        (row["kind"], row["item"].get("sha") or row["item"].get("number") or row["item"]["user"]["id"])
        for row in rows(tmp_path)
    ]
    assert sorted(new[known:], key=str) == sorted(
        [("commits", "new"), ("issues", 101), ("pull_requests", 2), ("pull_requests", 102), ("stargazers", 99)], key=str
    )
    assert rows(tmp_path)[-2]["item"]["merged_at"] in {moment(61), None}


def test_commits_that_a_merge_brings_are_not_missed_though_they_are_older(host, repo, tmp_path, clock):
    run(host, tmp_path, clock)
    repo.parents["old1"] = ["c3"]
    repo.parents["old2"] = ["old1"]
    repo.commit("merge", "c24", "old2")
    run(host, tmp_path, clock)
    shas = [row["item"]["sha"] for row in rows(tmp_path) if row["kind"] == "commits"]
    assert (len(shas), set(shas[25:])) == (28, {"old1", "old2", "merge"})


def test_after_a_rewritten_history_all_of_it_lands_again(host, repo, tmp_path, clock):
    run(host, tmp_path, clock)
    repo.parents = {f"r{at}": [f"r{at - 1}"] if at else [] for at in range(5)}
    repo.head = "r4"
    run(host, tmp_path, clock)
    shas = [row["item"]["sha"] for row in rows(tmp_path) if row["kind"] == "commits"]
    assert set(shas[25:]) == set(repo.parents)


def test_things_that_change_while_they_are_listed_are_not_missed(host, repo, tmp_path, clock):
    def change(asked) -> None:
        if asked.path.endswith(("/issues", "/pulls")) and len(changed) < 6:
            changed.append(1)
            repo.touch(len(changed), 100 + len(changed))

    changed: list[int] = []
    host.after = change
    run(host, tmp_path, clock)
    host.after = lambda _: None
    run(host, tmp_path, clock)
    newest = {
        (row["kind"], row["item"]["number"]): row["item"]["updated_at"]
        for row in rows(tmp_path)
        if "number" in row["item"]
    }
    assert len(newest) == 50
    for number in range(1, 7):
        kind = "pull_requests" if number % 2 == 0 else "issues"
        assert newest[kind, number] == moment(100 + number)


def test_more_changes_in_one_second_than_a_page_holds_are_followed_by_link(host, repo, tmp_path, clock):
    for number in range(200, 235):
        repo.open(number, 70)
    run(host, tmp_path, clock)
    assert counts(tmp_path)["issues"] == 60
    repo.open(300, 70)
    run(host, tmp_path, clock)
    assert counts(tmp_path)["issues"] == 61


def test_stars_taken_back_shift_pages_and_no_new_star_is_missed(host, repo, tmp_path, clock):
    run(host, tmp_path, clock)
    del repo.stars[3:20]
    for who in range(50, 58):
        repo.star(who, 50 + who)
    run(host, tmp_path, clock)
    who = [row["item"]["user"]["id"] for row in rows(tmp_path) if row["kind"] == "stargazers"]
    assert who == [*range(25), *range(50, 58)]


def test_two_stars_in_one_second_are_two(host, repo, tmp_path, clock):
    run(host, tmp_path, clock)
    repo.star(70, 24)
    run(host, tmp_path, clock)
    assert counts(tmp_path)["stargazers"] == 26


def test_stars_beyond_what_the_api_lists_are_said_and_the_rest_lands(host, repo, tmp_path, clock):
    host.star_pages = 2
    report, _ = run(host, tmp_path, clock)
    assert [(trouble.what, trouble.name) for trouble in report.troubles] == [("refused", f"{NAME}/stargazers")]
    assert "stars only" in report.troubles[0].reason
    assert counts(tmp_path)["commits"] == 25
    assert dict(walks(tmp_path))["stargazers"] == moment(19)
    repo.commit("new")
    report, _ = run(host, tmp_path, clock)
    assert report.landed == 1, "what was told of the stars still stands"


@pytest.mark.parametrize("linked", [True, False])
def test_a_list_of_stars_ends_at_its_four_hundredth_page_whether_or_not_a_link_leads_on(linked, clock):
    def answer(request: httpx.Request) -> httpx.Response:
        page = int(request.url.params["page"])
        if page > 400:
            return httpx.Response(422, json={"message": "pagination is limited"})
        stars = [{"starred_at": moment(page * 100 + at), "user": {"id": page * 100 + at}} for at in range(100)]
        last = page == 400 and not linked
        return httpx.Response(200, json=stars, headers={} if last else {"Link": f'<{request.url}>; rel="next"'})

    with httpx.Client(base_url="https://code.example.org", transport=httpx.MockTransport(answer)) as http:
        api, pages = ApiClient(http, clock=clock, sleep=clock.sleep), []
        with pytest.raises(TruncatedError, match="the first 40,000 stars only") as error:
            pages.extend(stargazers(api, "/repos/a/b", {"page": 399, "last": moment(39_950), "seen": [39_950]}))
    assert [len(page.items) for page in pages] == [49, 100]
    assert error.value.until == moment(40_099)


def test_stars_that_fit_before_the_end_of_the_list_land_with_it(host, repo, tmp_path, clock):
    run(host, tmp_path, clock)
    for who in range(25, 45):
        repo.star(who, who)
    host.star_pages = 3
    run(host, tmp_path, clock)
    assert counts(tmp_path)["stargazers"] == 30
    assert walks(tmp_path)[-1] == ("stargazers", moment(29))


def test_an_empty_repository_and_one_without_issues_are_no_trouble(tmp_path, clock):
    empty = Repo(full_name=NAME, repo_id=1, issues_are_on=False)
    report, _ = run(CodeHost(empty), tmp_path, clock)
    assert (report.landed, report.troubles, rows(tmp_path)) == (1, (), [])
    assert {until for _, until in walks(tmp_path)} == {"2026-02-01T10:00:00Z"}


def test_a_run_tells_until_when_each_kind_is_known_even_if_nothing_is_new(host, tmp_path, clock):
    run(host, tmp_path, clock)
    kinds = ["commits", "issues", "pull_requests", "stargazers"]
    assert walks(tmp_path) == [(kind, "2026-02-01T10:00:00Z") for kind in kinds]
    before = rows(tmp_path)
    clock.now += timedelta(hours=5)
    report, _ = run(host, tmp_path, clock)
    assert (report.landed, rows(tmp_path)) == (1, before)
    assert walks(tmp_path)[4:] == [(kind, "2026-02-01T15:00:00Z") for kind in kinds]


def test_what_was_told_is_not_told_again_within_the_hour_even_if_notes_were_lost(host, tmp_path, clock):
    run(host, tmp_path, clock)
    (tmp_path / "github_api" / "notes.json").unlink()
    report, _ = run(host, tmp_path, clock)
    assert (report.landed, len(walks(tmp_path))) == (0, 4)


def test_a_renamed_repository_is_followed_by_its_id(host, repo, tmp_path, clock, caplog):
    caplog.set_level(logging.INFO)
    run(host, tmp_path, clock)
    host.repositories = {"pocoo/flask": repo}
    host.renamed = {NAME: repo}
    repo.full_name = "pocoo/flask"
    repo.commit("new")
    report, asked = run(host, tmp_path, clock)
    last = rows(tmp_path)[-1]
    assert (report.troubles, last["repository"], last["repo_id"], last["item"]["sha"]) == (
        (),
        "pocoo/flask",
        596892,
        "new",
    )
    assert counts(tmp_path)["commits"] == 26
    assert f"{NAME} is called pocoo/flask now" in caplog.text
    assert [one.path for one in asked[:3]] == [f"/repos/{NAME}", "/repositories/596892", "/repos/pocoo/flask/commits"]


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
    ],
)
def test_a_rate_limit_is_waited_for_and_says_how_long(host, tmp_path, clock, caplog, reply, waited):
    host.script = [("/pulls", reply)]
    report, _ = run(host, tmp_path, clock)
    assert report.troubles == ()
    assert clock.sleeps == [pytest.approx(waited, abs=1)]
    assert f"rate limit: waiting {timedelta(seconds=clock.sleeps[0])}, until" in caplog.text
    assert counts(tmp_path) == dict.fromkeys(("commits", "issues", "pull_requests", "stargazers"), 25)


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


def test_walks_that_are_cut_off_again_and_again_go_on_and_miss_nothing(host, repo, tmp_path, clock):
    for at in range(25, 150):
        repo.commit(f"c{at}")
        repo.star(at, at)
        repo.open(1000 + at, at, pull=True)
    _, asked = run(host, tmp_path / "whole", clock)
    dying, runs = tmp_path / "dying", 0
    while True:
        runs += 1
        host.token, requests = "right", iter(range(16))
        host.after = lambda _, left=requests: setattr(host, "token", "right" if next(left, None) else "wrong")
        next(requests)
        try:
            run(host, dying, clock, token="right")
        except SourceError as error:
            assert "GITHUB_TOKEN" in str(error)  # noqa: PT017  # the request at which this run was cut off
        else:
            break
    found = [
        sorted(json.dumps([row["kind"], row["item"]]) for row in rows(tmp_path / name)) for name in ("dying", "whole")
    ]
    assert set(found[0]) == set(found[1])
    assert len(found[0]) <= len(found[1]) * 1.1
    assert 4 < runs < len(asked)


KILLED = """
import os, signal, sys
from pathlib import Path
from ratchet.ingest import land, manifest
from ratchet.workloads.github_activity.sources.api import RepositoryApi
from ratchet.workloads.github_activity.sources.api_client import ApiClient

append = manifest.Manifest.append

def kill_after(self, landed):
    append(self, landed)
    if len(self.entries()) == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)

manifest.Manifest.append = kill_after
land(RepositoryApi(name="github_api", repositories=("pallets/flask",), address=sys.argv[2]), bronze=Path(sys.argv[1]))
"""


def test_a_killed_run_has_its_cursor_with_its_data(host, repo, tmp_path, clock):
    for at in range(25, 250):
        repo.commit(f"c{at}")
    with serve(host) as web:
        host.address = web.address
        command = [sys.executable, "-c", KILLED, str(tmp_path), web.address, "2"]
        killed = subprocess.run(command, check=False, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    assert killed.returncode == -signal.SIGKILL
    assert counts(tmp_path) == {"commits": 200}
    assert walks(tmp_path) == []
    _, asked = run(host, tmp_path, clock)
    pages = [one.query["page"] for one in asked if one.path.endswith("/commits") and "sha" in one.query]
    assert pages == ["21", "22", "23", "24", "25"]
    assert counts(tmp_path)["commits"] == 250
    told = dict(walks(tmp_path))
    assert told["issues"] == "2026-02-01T10:00:00Z"
    assert told["commits"] > "2026-08", "it went on to the head of the killed run, whose clock was not this one"


def test_an_api_below_a_path_of_its_own_is_walked_there(clock):
    """As an enterprise server has it: https://host/api/v3."""
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        links = {"Link": '<https://code.example.org/api/v3/repositories/1/commits?page=2>; rel="next"'}
        return httpx.Response(200, json=[], headers=links if len(asked) == 1 else {})

    with httpx.Client(base_url="https://code.example.org/api/v3", transport=httpx.MockTransport(answer)) as http:
        api = ApiClient(http, clock=clock, sleep=clock.sleep)
        first = api.get("/repos/a/b/commits", per_page="1")
        api.get(first.next_url)
    assert first.next_url == "/repositories/1/commits?page=2"
    assert asked == [
        "https://code.example.org/api/v3/repos/a/b/commits?per_page=1",
        "https://code.example.org/api/v3/repositories/1/commits?page=2",
    ]
