"""The REST API's pull requests: pages that shift while they are listed."""

import httpx
import pytest
from api_runs import counts, rows, run

from code_host import moment
from ratchet.workloads.github_activity.sources.api_client import ApiClient
from ratchet.workloads.github_activity.sources.api_kinds import pull_requests


def numbers(bronze) -> set[int]:
    return {row["item"]["number"] for row in rows(bronze) if row["kind"] == "pull_requests"}


@pytest.mark.parametrize("at", range(1, 4))
@pytest.mark.parametrize("newest", [False, True])
def test_pull_requests_that_are_hidden_while_they_are_listed_hide_no_other(host, repo, tmp_path, clock, at, newest):
    """As those of an account that is found to be spam are, all at once; each takes others a place forward."""

    def hide(asked) -> None:
        if asked.path.endswith("/pulls"):
            seen.append(1)
            if len(seen) == at:
                pulls = sorted((one for one in repo.things if one["pull"]), key=lambda one: one["updated"])
                for one in pulls[-4:] if newest else pulls[:4]:
                    repo.things.remove(one)

    seen: list[int] = []
    host.after = hide
    run(host, tmp_path, clock)
    host.after = lambda _: None
    run(host, tmp_path, clock)
    assert {one["number"] for one in repo.things if one["pull"]} <= numbers(tmp_path)


def test_a_changed_pull_request_costs_the_last_pages_and_not_the_others(host, repo, tmp_path, clock):
    run(host, tmp_path, clock)
    repo.touch(2, 61, merged=True)
    _, asked = run(host, tmp_path, clock)
    assert [one.query["page"] for one in asked if one.path.endswith("/pulls")] == ["3"]
    assert counts(tmp_path)["pull_requests"] == 26


def test_what_an_earlier_version_has_walked_through_is_not_walked_through_again(clock):
    pulls = [{"number": at, "updated_at": moment(at)} for at in range(25)]
    cursor = {"floor": moment(20), "seen": [20], "mark": moment(24), "at_mark": [24], "next": "/repos/a/b/pulls?page=2"}
    with httpx.Client(
        base_url="https://code.example.org", transport=httpx.MockTransport(lambda _: httpx.Response(200, json=pulls))
    ) as http:
        (page,) = pull_requests(ApiClient(http, clock=clock, sleep=clock.sleep), "/repos/a/b", cursor)
    assert [one["number"] for one in page.items] == [21, 22, 23, 24]
    assert page.cursor["last"] == moment(24)
