"""The REST API's stars: pages that shift, and a list that ends before they do."""

import httpx
import pytest
from api_runs import NAME, counts, rows, run, walks

from code_host import moment
from ratchet.workloads.github_activity.sources.api_client import ApiClient
from ratchet.workloads.github_activity.sources.api_kinds import TruncatedError, stargazers


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
