"""What tests of the REST API's source start from: a server with one repository, and time that passes when someone sleeps."""

import pytest
from api_runs import NAME, Clock

from code_host import CodeHost, Repo


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
