"""The REST API's stars: pages that shift, and a list that ends before they do."""

import httpx
import pytest
from api_runs import NAME, counts, rows, run, walks

from code_host import moment
from ratchet.workloads.github_activity.sources.api_client import ApiClient
from ratchet.workloads.github_activity.sources.api_kinds import stargazers
from ratchet.workloads.github_activity.sources.api_pages import TruncatedError
from web import Reply


def test_stars_taken_back_shift_pages_and_no_new_star_is_missed(host, repo, tmp_path, clock):
    run(host, tmp_path, clock)
    del repo.stars[3:20]
    for who in range(50, 58):
        repo.star(who, 50 + who)
    run(host, tmp_path, clock)
    who = [row["item"]["user"]["id"] for row in rows(tmp_path) if row["kind"] == "stargazers"]
    assert sorted(who) == [*range(25), *range(50, 58)]


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
        if page == 400 and not linked:
            return httpx.Response(200, json=stars)
        pages = {"next": page + 1, "last": 1000 if linked else 400}
        links = ", ".join(
            f'<{request.url.copy_set_param("page", number)}>; rel="{name}"' for name, number in pages.items()
        )
        return httpx.Response(200, json=stars, headers={"Link": links})

    with httpx.Client(base_url="https://code.example.org", transport=httpx.MockTransport(answer)) as http:
        api, pages = ApiClient(http, clock=clock, sleep=clock.sleep), []
        with pytest.raises(TruncatedError, match="the first 40,000 stars only") as error:
            pages.extend(stargazers(api, "/repos/a/b", {"page": 399, "last": moment(39_950), "seen": [39_950]}))
    assert [len(page.items) for page in pages] == [100, 49]
    assert error.value.until == moment(40_099)


def test_stars_that_fit_before_the_end_of_the_list_land_with_it(host, repo, tmp_path, clock):
    run(host, tmp_path, clock)
    for who in range(25, 45):
        repo.star(who, who)
    host.star_pages = 3
    run(host, tmp_path, clock)
    assert counts(tmp_path)["stargazers"] == 30
    assert walks(tmp_path)[-1] == ("stargazers", moment(29))


def stars_of(bronze) -> list:
    return sorted(row["item"]["user"]["id"] for row in rows(bronze) if row["kind"] == "stargazers")


@pytest.mark.parametrize("at", range(1, 5))
def test_stars_taken_back_while_they_are_listed_hide_no_other(host, repo, tmp_path, clock, at):
    """Each takes all that follow it a place forward, one of them onto the page that was just read."""

    def take_back(asked) -> None:
        if asked.path.endswith("/stargazers") and len(seen) < at + 3:
            seen.append(1)
            if len(seen) >= at:
                del repo.stars[0]

    seen: list[int] = []
    for who in range(25, 60):
        repo.star(who, who)
    host.after = take_back
    run(host, tmp_path, clock)
    standing = {star["user"]["id"] for star in repo.stars}
    assert len(standing) < 60
    assert standing <= set(stars_of(tmp_path))


def test_stars_taken_back_between_two_halves_of_a_walk_hide_no_other(host, repo, tmp_path, clock):
    for who in range(25, 300):
        repo.star(who, who)
    host.after = lambda asked: (
        host.script.extend([("/stargazers", Reply(status=502))] * 5) if asked.query.get("page") == "15" else None
    )
    run(host, tmp_path, clock)
    assert "stargazers" not in dict(walks(tmp_path))
    half = len(stars_of(tmp_path))
    assert 0 < half < 300
    del repo.stars[:30]
    for who in range(300, 320):
        repo.star(who, who)
    host.after = lambda _: None
    for _ in range(2):
        run(host, tmp_path, clock)
    assert set(range(30, 320)) <= set(stars_of(tmp_path))
    assert len(stars_of(tmp_path)) <= 320 + 20


def test_new_stars_cost_their_own_pages_and_not_the_others(host, repo, tmp_path, clock):
    for who in range(25, 300):
        repo.star(who, who)
    run(host, tmp_path, clock)
    for who in range(300, 312):
        repo.star(who, who)
    _, asked = run(host, tmp_path, clock)
    assert [one.query["page"] for one in asked if one.path.endswith("/stargazers")] == ["30", "32", "31", "30"]
    assert stars_of(tmp_path) == [*range(312)]


def test_a_list_of_stars_that_has_become_much_shorter_is_found_again(host, repo, tmp_path, clock):
    for who in range(25, 100):
        repo.star(who, who)
    run(host, tmp_path, clock)
    del repo.stars[5:]
    repo.star(100, 100)
    for _ in range(2):
        run(host, tmp_path, clock)
    assert stars_of(tmp_path) == [*range(101)]
    repo.stars.clear()
    report, _ = run(host, tmp_path, clock)
    assert report.troubles == ()


def test_a_walk_that_an_earlier_version_left_half_way_goes_on(repo, clock):
    """Its cursor says up to which star everything has landed."""
    with httpx.Client(base_url="https://code.example.org", transport=httpx.MockTransport(lambda _: pages)) as http:
        pages = httpx.Response(200, json=repo.stars)
        cursor = {"page": 1, "last": moment(9), "seen": [9]}
        (page,) = stargazers(ApiClient(http, clock=clock, sleep=clock.sleep), "/repos/a/b", cursor)
    assert [star["user"]["id"] for star in page.items] == [*range(10, 25)]
