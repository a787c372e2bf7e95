"""What lands of the REST API, from a local server with its shapes and links, and what it is known until."""

import logging
from datetime import timedelta

import httpx
from api_runs import NAME, counts, rows, run, walks

from code_host import CodeHost, Repo, moment
from ratchet.ingest import manifest
from ratchet.workloads.github_activity.sources.api_client import ApiClient


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


def test_what_follows_a_full_page_of_one_second_is_not_missed_where_etags_tell_of_no_links(host, repo, tmp_path, clock):
    """As after an import: the page stays as it was when a next one opens."""
    host.page, host.etags_tell_links = 100, False
    for number in range(200, 300):
        repo.open(number, 70)
    for _ in range(2):
        run(host, tmp_path, clock)
    repo.open(300, 71)
    run(host, tmp_path, clock)
    assert counts(tmp_path)["issues"] == 126


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
