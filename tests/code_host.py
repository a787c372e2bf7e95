"""The REST API of a code host as a local web server: its shapes, links, ETags, limits and redirects."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from web import Asked, Reply

START = datetime(2026, 1, 1, tzinfo=UTC)


def moment(minutes: float) -> str:
    return f"{START + timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}"


@dataclass(slots=True)
class Repo:
    """One repository: commits as a graph of parents, issues and pull requests in one range of numbers, stars in order."""

    full_name: str
    repo_id: int
    parents: dict[str, list[str]] = field(default_factory=dict)
    head: str = ""
    things: list[dict[str, Any]] = field(default_factory=list)
    stars: list[dict[str, Any]] = field(default_factory=list)
    issues_are_on: bool = True

    def commit(self, name: str, *parents: str) -> None:
        self.parents[name] = list(parents) or ([self.head] if self.head else [])
        self.head = name

    def open(self, number: int, minutes: float, *, pull: bool = False) -> None:
        self.things.append({"number": number, "pull": pull, "created": minutes, "updated": minutes, "merged": None})

    def touch(self, number: int, minutes: float, *, merged: bool = False) -> None:
        thing = next(thing for thing in self.things if thing["number"] == number)
        thing["updated"] = minutes
        thing["merged"] = minutes if merged else thing["merged"]

    def star(self, who: int, minutes: float) -> None:
        self.stars.append({"starred_at": moment(minutes), "user": {"login": f"user{who}", "id": who, "type": "User"}})

    def reachable(self, head: str) -> list[str]:
        found, todo = [], [head]
        while todo:
            name = todo.pop(0)
            if name and name not in found:
                found.append(name)
                todo += self.parents.get(name, [])
        return found


class CodeHost:
    """Call it with a request. `script` holds answers that are given first, by a word in the path or `*`."""

    def __init__(self, *repositories: Repo, page: int = 100, token: str = "") -> None:
        self.repositories = {repository.full_name.lower(): repository for repository in repositories}
        self.renamed: dict[str, Repo] = {}
        self.page = page
        self.token = token
        self.script: list[tuple[str, Reply]] = []
        self.after: Callable[[Asked], None] = lambda _: None
        self.address = ""
        self.star_pages = 400
        self.spent = 0
        self.no_such_commit = 404
        self.most_compared = 10_000
        self.etags_tell_links = True
        self.headers: dict[str, str] = {}

    def __call__(self, asked: Asked) -> Reply:
        for at, (word, reply) in enumerate(self.script):
            if word in asked.path or word == "*":
                del self.script[at]
                return reply
        if self.token and asked.headers.get("authorization") != f"Bearer {self.token}":
            return self._say(401, "Bad credentials")
        reply = self._answer(asked)
        links = reply.headers.get("Link", "").replace(self.address, "") if self.etags_tell_links else ""
        etag = f'W/"{hashlib.sha256(reply.body + links.encode()).hexdigest()}"'
        if reply.status == 200 and asked.headers.get("if-none-match") == etag:
            reply = Reply(status=304, headers={"ETag": etag})
        else:
            self.spent += 1
            reply.headers["ETag"] = etag
        reply.headers.update(self.headers)
        self.after(asked)
        return reply

    def _answer(self, asked: Asked) -> Reply:
        words = asked.path.strip("/").split("/")
        if words[0] == "repositories":
            found = next((repo for repo in self.repositories.values() if str(repo.repo_id) == words[1]), None)
            rest = words[2:]
        else:
            name, rest = "/".join(words[1:3]).lower(), words[3:]
            if name in self.renamed:
                path = "/".join(["repositories", str(self.renamed[name].repo_id), *rest])
                query = "&".join(f"{key}={value}" for key, value in asked.query.items())
                there = f"{self.address}/{path}{f'?{query}' if query else ''}"
                body = {"message": "Moved Permanently", "url": there, "documentation_url": "https://docs.example.org"}
                return Reply(status=301, body=json.dumps(body).encode(), headers={"Location": there})
            found = self.repositories.get(name)
        if found is None:
            return self._say(404, "Not Found")
        return self._of(found, rest, asked)

    def _of(self, repo: Repo, rest: list[str], asked: Asked) -> Reply:
        if not rest:
            return self._json({"id": repo.repo_id, "full_name": repo.full_name, "private": False})
        parts = {
            "commits": self._commits, "compare": self._compare, "issues": self._issues, "pulls": self._pulls,
            "stargazers": self._stargazers,
        }  # fmt: skip
        return parts[rest[0]](repo, rest[1:], asked)

    def _commits(self, repo: Repo, _rest: list[str], asked: Asked) -> Reply:
        if not repo.head:
            return self._say(409, "Git Repository is empty.")
        if asked.query.get("sha", repo.head) not in repo.parents:
            return self._say(self.no_such_commit, f"No commit found for SHA: {asked.query['sha']}")
        names = repo.reachable(asked.query.get("sha") or repo.head)
        return self._list([self._commit(repo, name) for name in names], asked)

    def _compare(self, repo: Repo, rest: list[str], asked: Asked) -> Reply:
        """What of the head is not in the base, as `git log base..head` has it, the oldest first; 404 where nothing is in both."""
        base, _, head = rest[0].partition("...")
        if base not in repo.parents or head not in repo.parents:
            return self._say(404, "Not Found")
        old, new = repo.reachable(base), repo.reachable(head)
        if not set(old) & set(new):
            return self._say(404, f"No common ancestor between {base} and {head}.")
        ahead = [self._commit(repo, name) for name in reversed(new) if name not in old]
        behind = len(set(old) - set(new))
        status = ("diverged" if behind else "ahead") if ahead else "behind" if behind else "identical"
        told = {"status": status, "ahead_by": len(ahead), "behind_by": behind, "total_commits": len(ahead)}
        return self._list(ahead[: self.most_compared], asked, wrap=lambda some: {**told, "commits": some})

    def _issues(self, repo: Repo, _rest: list[str], asked: Asked) -> Reply:
        if not repo.issues_are_on:
            return self._say(410, "Issues has been disabled in this repository.")
        since = asked.query.get("since", "")
        rows = [row for row in self._sorted(repo.things, asked) if moment(row["updated"]) >= since]
        return self._list([self._thing(row, as_issue=True) for row in rows], asked)

    def _pulls(self, repo: Repo, _rest: list[str], asked: Asked) -> Reply:
        rows = [row for row in self._sorted(repo.things, asked) if row["pull"]]
        return self._list([self._thing(row, as_issue=False) for row in rows], asked)

    def _stargazers(self, repo: Repo, _rest: list[str], asked: Asked) -> Reply:
        assert asked.headers["accept"] == "application/vnd.github.star+json"
        if int(asked.query.get("page", 1)) > self.star_pages:
            return self._say(
                422, "In order to keep the API fast for everyone, pagination is limited for this resource."
            )
        return self._list(repo.stars, asked)

    @staticmethod
    def _sorted(rows: list[dict[str, Any]], asked: Asked) -> list[dict[str, Any]]:
        assert asked.query["state"] == "all"
        assert asked.query["sort"] == "updated"
        return sorted(rows, key=lambda row: row["updated"], reverse=asked.query["direction"] == "desc")

    @staticmethod
    def _commit(repo: Repo, name: str) -> dict[str, Any]:
        who = {"name": "A Person", "email": "a@example.org", "date": moment(len(name))}
        parents = [{"sha": parent} for parent in repo.parents[name]]
        return {
            "sha": name,
            "commit": {"author": who, "committer": who, "message": "…"},
            "author": None,
            "parents": parents,
        }

    @staticmethod
    def _thing(row: dict[str, Any], *, as_issue: bool) -> dict[str, Any]:
        merged = moment(row["merged"]) if row["merged"] is not None else None
        shown = {
            "id": row["number"] + (10_000 if as_issue else 20_000),
            "number": row["number"],
            "state": "closed" if merged else "open",
            "title": f"number {row['number']}",
            "user": {"login": "someone", "id": 7},
            "created_at": moment(row["created"]),
            "updated_at": moment(row["updated"]),
        }
        if as_issue:
            return {**shown, **({"pull_request": {"url": "…", "merged_at": merged}} if row["pull"] else {})}
        return {**shown, "merged_at": merged}

    def _list(self, rows: list[Any], asked: Asked, wrap: Callable[[list[Any]], Any] = list) -> Reply:
        size = min(int(asked.query.get("per_page", 30)), self.page)
        at, last = int(asked.query.get("page", 1)), max(-(-len(rows) // size), 1)
        links = {"next": at + 1, "last": last} if at < last else {}
        links |= {"prev": at - 1, "first": 1} if at > 1 else {}
        header = ", ".join(f'<{self._page(asked, page)}>; rel="{name}"' for name, page in links.items())
        reply = self._json(wrap(rows[(at - 1) * size : at * size]))
        if header:
            reply.headers["Link"] = header
        return reply

    def _page(self, asked: Asked, page: int) -> str:
        query = "&".join(f"{key}={value}" for key, value in {**asked.query, "page": str(page)}.items())
        return f"{self.address}{asked.path}?{query}"

    def _json(self, value: Any) -> Reply:
        left = {
            "X-RateLimit-Limit": "5000",
            "X-RateLimit-Remaining": str(5000 - self.spent),
            "X-RateLimit-Reset": "1767229200",
        }
        return Reply(
            body=json.dumps(value).encode(), headers={"Content-Type": "application/json; charset=utf-8", **left}
        )

    @staticmethod
    def _say(status: int, message: str) -> Reply:
        body = {"message": message, "documentation_url": "https://docs.example.org", "status": str(status)}
        return Reply(status=status, body=json.dumps(body).encode())
