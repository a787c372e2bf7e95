"""History that is rewritten: what the default branch no longer holds is said to be gone, and nothing else ever is."""

import itertools
from datetime import timedelta

import pytest
from api_runs import everything, rows, run

from code_host import CodeHost, Repo
from ratchet.contracts.errors import SourceError
from web import Asked, Reply


def standing(bronze) -> set[str]:
    """The commits that what has landed so far says are there, as silver reads it."""
    anew = max((row["item"]["anew"] for row in everything(bronze) if "anew" in row["item"]), default="")
    found = sorted((row for row in rows(bronze) if row["kind"] == "commits"), key=lambda row: row["fetched_at"])
    newest = {row["item"]["sha"]: row for row in found if row["fetched_at"] >= anew}
    return {sha for sha, row in newest.items() if not row.get("gone")}


def rebase(repo: Repo, *, keep: str, names: str, count: int) -> None:
    """Replace what follows the commit `keep` by so many others."""
    repo.head = keep
    for at in range(count):
        repo.commit(f"{names}{at}")


def root_anew(repo: Repo) -> None:
    """Rewrite all of it, from the first commit on, as a filter does."""
    repo.head = ""
    for at in range(20):
        repo.commit(f"new{at}")


def take_back(repo: Repo) -> None:
    repo.head = "c4"


def turn_to_a_branch(repo: Repo) -> None:
    repo.commit("branched", "c3")
    repo.commit("twice", "branched")


def squash(repo: Repo) -> None:
    rebase(repo, keep="c2", names="squashed", count=1)


def rewrite_much(repo: Repo) -> None:
    rebase(repo, keep="c0", names="other", count=200)


REWRITINGS = [root_anew, take_back, turn_to_a_branch, squash, rewrite_much]


@pytest.mark.parametrize("rewrite", REWRITINGS)
def test_after_a_rewritten_history_only_what_the_branch_holds_is_there(host, repo, tmp_path, clock, rewrite):
    run(host, tmp_path, clock)
    before = set(repo.reachable(repo.head))
    rewrite(repo)
    clock.now += timedelta(hours=1)
    report, _ = run(host, tmp_path, clock)
    assert report.troubles == ()
    assert standing(tmp_path) == set(repo.reachable(repo.head))
    repo.head = "c24"  # and back: what was gone is there again
    clock.now += timedelta(hours=1)
    run(host, tmp_path, clock)
    assert standing(tmp_path) == before


def test_of_a_history_whose_old_head_was_swept_away_only_the_new_one_is_there(host, repo, tmp_path, clock):
    run(host, tmp_path, clock)
    repo.parents = {f"r{at}": [f"r{at - 1}"] if at else [] for at in range(5)}
    repo.head = "r4"
    clock.now += timedelta(hours=1)
    run(host, tmp_path, clock)
    assert standing(tmp_path) == set(repo.parents)
    repo.commit("new")
    clock.now += timedelta(hours=1)
    run(host, tmp_path, clock)
    assert standing(tmp_path) == set(repo.parents)


def test_a_rewriting_costs_a_request_for_each_hundred_commits_that_went(host, repo, tmp_path, clock):
    host.page = 100
    for at in range(25, 1000):
        repo.commit(f"c{at}")
    run(host, tmp_path, clock)
    rebase(repo, keep="c850", names="other", count=50)
    _, asked = run(host, tmp_path, clock)
    compared = [one.path.rpartition("/")[2] for one in asked if "/compare/" in one.path]
    assert compared == ["c999...other49", "other49...c999", "other49...c999"]
    assert not [one for one in asked if "sha" in one.query]


@pytest.mark.parametrize("rewrite", REWRITINGS)
def test_wherever_a_walk_is_cut_off_no_commit_of_the_branch_is_forgotten(host, repo, tmp_path, clock, rewrite):
    run(host, tmp_path, clock)
    before = set(repo.reachable(repo.head))
    rewrite(repo)
    now = set(repo.reachable(repo.head))
    for left in itertools.count(1):
        host.token, requests = "right", iter(range(left))
        host.after = lambda _, left=requests: setattr(host, "token", "right" if next(left, None) else "wrong")
        next(requests)
        clock.now += timedelta(minutes=10)
        try:
            run(host, tmp_path, clock, token="right")
        except SourceError:
            assert standing(tmp_path) >= before & now
        else:
            break
    assert left > 3
    assert standing(tmp_path) == now


def sweep_away(repo: Repo) -> None:
    """All of it is rewritten, and what was there before is nowhere any more."""
    repo.parents, repo.head = {}, ""
    for at in range(25):
        repo.commit(f"n{at}")


@pytest.mark.parametrize("status", [404, 422])
@pytest.mark.parametrize("page", [1, 2])
def test_a_first_walk_whose_head_is_swept_away_meanwhile_goes_on_with_the_head_of_today(
    host, repo, tmp_path, clock, page, status
):
    host.no_such_commit = status
    host.after = lambda asked: (
        sweep_away(repo) if "sha" in asked.query and asked.query.get("page", "1") == str(page) else None
    )
    for _ in range(3):
        report, _ = run(host, tmp_path, clock)
        assert report.troubles == ()
        assert standing(tmp_path) >= set(repo.reachable(repo.head))
        host.after = lambda _: None
        clock.now += timedelta(hours=1)
    assert standing(tmp_path) == set(repo.reachable(repo.head))


@pytest.mark.parametrize("status", [404, 422])
def test_a_walk_that_was_cut_off_and_whose_head_is_gone_goes_on_in_the_next_run(host, repo, tmp_path, clock, status):
    host.no_such_commit, host.script = status, []
    host.after = lambda asked: host.script.append(("*", Reply(status=401))) if "sha" in asked.query else None
    with pytest.raises(SourceError):
        run(host, tmp_path, clock)
    host.after, host.script = lambda _: None, []
    sweep_away(repo)
    clock.now += timedelta(hours=1)
    report, _ = run(host, tmp_path, clock)
    assert report.troubles == ()
    assert standing(tmp_path) == set(repo.reachable(repo.head))
    repo.commit("new")
    report, _ = run(host, tmp_path, clock)
    assert standing(tmp_path) == set(repo.reachable(repo.head))


def test_a_head_that_stands_and_is_not_told_is_missing_as_before(host, tmp_path, clock):
    def refuse_the_list(asked: Asked) -> None:
        if asked.query.get("per_page") == "1" and "sha" not in asked.query:
            host.script = [("/commits", Reply(status=404))]

    host.after = refuse_the_list
    report, _ = run(host, tmp_path, clock)
    assert [(trouble.what, trouble.name) for trouble in report.troubles] == [("missing", "pallets/flask")]
    assert not [row for row in everything(tmp_path) if "anew" in row["item"]]


@pytest.mark.parametrize(
    ("path", "status"),
    [("/compare/", 500), ("/compare/", 403), ("/commits", 500), ("/commits", 403), ("/commits", 409)],
)
def test_an_answer_that_fails_says_of_nothing_that_it_is_gone(host, repo, tmp_path, clock, path, status):
    run(host, tmp_path, clock)
    before = standing(tmp_path)
    repo.commit("new")
    host.script = [(path, Reply(status=status, body=b'{"message": "no"}'))] * 5
    run(host, tmp_path, clock)
    assert standing(tmp_path) == before
    host.script = []
    run(host, tmp_path, clock)
    assert standing(tmp_path) == before | {"new"}


def compare_in_vain(host: CodeHost, bronze, clock, runs: int, *, how: Reply) -> list[str]:
    """Run so many times while no comparison is answered; what was said of it each time."""
    said = []
    for _ in range(runs):
        host.script = [("/compare/", how)] * 50
        clock.now += timedelta(hours=1)
        report, _ = run(host, bronze, clock)
        said += [trouble.reason for trouble in report.troubles]
    host.script = []
    return said


@pytest.mark.parametrize("rewrite", [*REWRITINGS, lambda repo: repo.commit("new")])
def test_where_a_comparison_always_fails_the_third_run_walks_through_all_there_is(host, repo, tmp_path, clock, rewrite):
    run(host, tmp_path, clock)
    before = standing(tmp_path)
    rewrite(repo)
    said = compare_in_vain(host, tmp_path, clock, 2, how=Reply(status=500))
    assert ["HTTP 500" in reason for reason in said] == [True, True]
    assert standing(tmp_path) == before
    assert compare_in_vain(host, tmp_path, clock, 1, how=Reply(status=500)) == []
    assert standing(tmp_path) == set(repo.reachable(repo.head))
    repo.commit("newer")
    clock.now += timedelta(hours=1)
    run(host, tmp_path, clock)
    assert standing(tmp_path) == set(repo.reachable(repo.head))


@pytest.mark.parametrize("keep", ["c24", "c0"], ids=["came", "went"])
def test_more_commits_than_a_comparison_lists_are_walked_through(host, repo, tmp_path, clock, monkeypatch, keep):
    host.most_compared = 20
    monkeypatch.setattr("ratchet.workloads.github_activity.sources.api_kinds._MOST_COMPARED", 20)
    run(host, tmp_path, clock)
    rebase(repo, keep=keep, names="new", count=21 if keep == "c24" else 1)
    clock.now += timedelta(hours=1)
    report, _ = run(host, tmp_path, clock)
    assert report.troubles == ()
    assert standing(tmp_path) == set(repo.reachable(repo.head))
    repo.commit("newer")
    _, asked = run(host, tmp_path, clock)
    assert not [one for one in asked if "sha" in one.query], "what is few again is compared again"
    assert standing(tmp_path) == set(repo.reachable(repo.head))


def test_a_comparison_that_is_refused_or_limited_is_waited_for(host, repo, tmp_path, clock):
    run(host, tmp_path, clock)
    before = standing(tmp_path)
    repo.commit("new")
    said = compare_in_vain(host, tmp_path, clock, 4, how=Reply(status=403, body=b'{"message": "no"}'))
    assert len(said) == 4
    assert standing(tmp_path) == before
    assert not [row for row in everything(tmp_path) if "anew" in row["item"]]
    run(host, tmp_path, clock)
    assert standing(tmp_path) == before | {"new"}


def test_what_is_there_again_counts_though_the_clock_was_set_back_since_it_went(host, repo, tmp_path, clock):
    run(host, tmp_path, clock)
    for rewrite in (take_back, lambda repo: setattr(repo, "head", "c24")):
        rewrite(repo)
        clock.now -= timedelta(minutes=10)
        run(host, tmp_path, clock)
        assert standing(tmp_path) == set(repo.reachable(repo.head))


def test_a_clock_that_goes_back_within_a_walk_forgets_nothing(host, repo, tmp_path, clock):
    run(host, tmp_path, clock)
    root_anew(repo)
    clock.now += timedelta(hours=1)
    host.after = lambda asked: (
        setattr(clock, "now", clock.now - timedelta(seconds=90)) if "sha" in asked.query else None
    )
    run(host, tmp_path, clock)
    assert standing(tmp_path) == set(repo.reachable(repo.head))


def test_what_was_seen_while_the_clock_was_ahead_is_gone_too_when_all_of_it_is_rewritten(host, repo, tmp_path, clock):
    """It was set right, before or while history was walked through anew."""
    run(host, tmp_path, clock)
    root_anew(repo)
    clock.now -= timedelta(minutes=40)
    run(host, tmp_path, clock)
    assert standing(tmp_path) == set(repo.reachable(repo.head))
    repo.head = ""
    repo.commit("once more")
    host.after = lambda _: setattr(clock, "now", clock.now - timedelta(seconds=90))
    run(host, tmp_path, clock)
    assert standing(tmp_path) == {"once more"}


def test_of_two_rewritings_within_a_second_only_the_later_ones_commits_are_there(host, repo, tmp_path, clock):
    run(host, tmp_path, clock)
    root_anew(repo)

    def sweep_away_behind_the_first_page(asked: Asked) -> None:
        if "sha" in asked.query and "page" not in asked.query:
            repo.parents = {f"later{at}": [f"later{at - 1}"] if at else [] for at in range(5)}
            repo.head, host.after = "later4", lambda _: None

    host.after = sweep_away_behind_the_first_page
    run(host, tmp_path, clock)
    assert standing(tmp_path) == set(repo.parents)


def test_a_name_that_another_repository_has_now_is_walked_through_from_its_beginning(host, tmp_path, clock, repo):
    """An older one was renamed to it, or transferred: nothing of it was seen."""
    run(host, tmp_path, clock)
    other = Repo(full_name=repo.full_name, repo_id=7)
    for at in range(3):
        other.commit(f"o{at}")
        other.open(at + 1, at / 4)
        other.open(at + 50, at / 4, pull=True)
        other.star(at, at / 4)
    host.repositories = {repo.full_name: other}
    clock.now += timedelta(hours=1)
    run(host, tmp_path, clock)
    kinds = [row["kind"] for row in rows(tmp_path) if row["repo_id"] == 7]
    assert sorted(kinds) == sorted(["commits", "issues", "pull_requests", "stargazers"] * 3)
    assert not [row for row in everything(tmp_path) if "anew" in row["item"]], "of the other one nothing is gone"


def test_a_repository_that_was_deleted_or_hidden_keeps_what_has_landed_of_it(host: CodeHost, tmp_path, clock):
    run(host, tmp_path, clock)
    before = standing(tmp_path)
    host.repositories = {}
    run(host, tmp_path, clock)
    assert standing(tmp_path) == before
