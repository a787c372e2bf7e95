"""What an item of the API becomes as a row: by what it is known again."""

from datetime import UTC, datetime
from typing import Any

from ratchet.contracts.workload import LandedFile
from ratchet.workloads.github_activity.records import COLUMNS, RECORDS

FILE = LandedFile(source="github_api", hour=datetime(2026, 2, 1, tzinfo=UTC), part="a/b/stargazers")


def row_of(kind: str, **item: object) -> dict[str, Any]:
    found = RECORDS.parse(FILE, {"repository": "a/b", "repo_id": 1, "kind": kind, "item": item})
    assert isinstance(found, tuple), found
    return dict(zip(COLUMNS, found, strict=True))


def star(login: str, who: int) -> dict[str, Any]:
    return row_of("stargazers", starred_at="2026-01-31T10:00:00Z", user={"login": login, "id": who})


def test_a_star_is_of_an_account_whatever_it_is_called():
    """An account may be called otherwise when a list is walked through again, and another one may have its name by then."""
    first, renamed, other = star("ada", 7), star("lovelace", 7), star("ada", 8)
    assert first["event_key"] == renamed["event_key"] != other["event_key"]
    assert [row["actor"] for row in (first, renamed, other)] == ["ada", "lovelace", "ada"]


def test_what_has_no_id_is_not_known_by_who_wrote_it():
    record = {"created_at": "2026-01-31T10:00:00Z", "user": {"login": "ada", "id": 7}}
    assert RECORDS.parse(FILE, {"repository": "a/b", "repo_id": 1, "kind": "issues", "item": record}) == "id missing"
