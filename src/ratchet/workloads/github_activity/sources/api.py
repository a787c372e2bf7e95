"""The REST API as a source: what is new of named repositories since the last run, as gzip'd JSON lines."""

import gzip
import hashlib
import json
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import httpx

from ratchet.contracts.errors import DataError, NotThereError, SourceError
from ratchet.contracts.folders import on_this_machine
from ratchet.contracts.source import Arrival, Clock, Landings, Piece, Trouble, utc_now
from ratchet.workloads.github_activity.sources.api_client import (
    LONG_AGO,
    ApiClient,
    ClockError,
    LimitedError,
    RefusedError,
)
from ratchet.workloads.github_activity.sources.api_kinds import WALKS, Walk
from ratchet.workloads.github_activity.sources.api_pages import Cursor, Item, TruncatedError

log = logging.getLogger(__name__)

ADDRESS: Final = "https://api.github.com"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*/(?!\.{1,2}$)[A-Za-z0-9._-]+")
_PAGES_A_PIECE: Final = 10
_WALKS: Final = "walks"
_TIMEOUT: Final = httpx.Timeout(60, connect=15)
_ANEW: Final = "it is walked through from its beginning, and what is known of the other counts no more under the name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A repository as the API knows it now."""

    full_name: str
    repo_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Walked:
    """A kind of one repository was walked to its end: all of it before `until` has landed; what was seen before `anew` only is gone."""

    part: str
    told: Sequence[Item]
    lines: Sequence[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryApi:
    """Named repositories. A piece is up to ten pages of one kind of one repository; its cursor lands with it, in one write.

    A run's last piece tells until when each kind is known, if only because it was asked and had nothing new.
    """

    name: str
    repositories: tuple[str, ...]
    address: str = ADDRESS
    token: str = field(default="", repr=False)
    clock: Clock = utc_now
    sleep: Callable[[float], None] = time.sleep
    by_hour: bool = field(default=False, init=False)
    folders: tuple[()] = field(default=(), init=False)

    @classmethod
    def of(cls, names: str, *, name: str, environment: Mapping[str, str], clock: Clock) -> "RepositoryApi":
        """Read `owner/name` or `@file` with one a line, separated by commas; token and address come from the environment."""
        return cls(
            name=name,
            repositories=tuple(dict.fromkeys(_names(names))),
            address=environment.get("GITHUB_API_URL") or ADDRESS,
            token=environment.get("GITHUB_TOKEN", ""),
            clock=clock,
        )

    def offers(self, landed: Landings) -> Iterator[Piece | Trouble]:
        """Offer what is new of each repository, in turn, and at last until when each is known."""
        walked: list[Walked] = []
        try:
            for offer in self._offers(landed):
                if isinstance(offer, Walked):
                    walked.append(offer)
                else:
                    yield offer
        except ClockError:  # whatever landed now would be of a wrong hour
            raise
        except SourceError:
            yield from self._told(walked, landed)
            raise
        yield from self._told(walked, landed)

    def _offers(self, landed: Landings) -> Iterator[Piece | Trouble | Walked]:
        """Walk through each repository, in turn; one that is not there or refuses does not stop the others."""
        headers = {"User-Agent": "ratchet", "X-GitHub-Api-Version": "2022-11-28"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        with httpx.Client(base_url=self.address, headers=headers, timeout=_TIMEOUT) as http:
            api = ApiClient(http, clock=self.clock, sleep=self.sleep)
            for repository in self.repositories:
                try:
                    yield from self._walk(api, repository, landed)
                except NotThereError as error:
                    reason = f"no such repository, or GITHUB_TOKEN may not see it ({error})"
                    yield Trouble(what="missing", name=repository, reason=reason)
                except SourceError as error:
                    yield _trouble(repository, error)

    def _walk(self, api: ApiClient, asked: str, landed: Landings) -> Iterator[Piece | Trouble | Walked]:
        repository = _look_up(api, asked, landed)
        if repository.full_name.lower() != asked.lower():
            log.info("%s is called %s now", asked, repository.full_name)
        for kind, walk in WALKS.items():
            part = f"{asked}/{kind}"
            try:
                yield from self._pieces(api, walk, repository, part, landed)
            except NotThereError:
                raise
            except SourceError as error:
                yield _trouble(part, error)

    def _pieces(
        self, api: ApiClient, walk: Walk, repository: Repository, part: str, landed: Landings
    ) -> Iterator[Piece | Walked]:
        cursor, kind = _resume(landed, part, repository), part.rpartition("/")[2]
        at = self.clock()
        began = _began(cursor, at)
        until, problem = began, None
        api.newest = max(_moments(cursor), default=LONG_AGO)
        lines: list[bytes] = []
        pages = 0
        try:
            for page in walk(api, f"/repos/{repository.full_name}", cursor):
                now, at = api.now(), self.clock()
                came = {"at": now.isoformat(), "repo_id": repository.repo_id}
                cursor = {**page.cursor, **came, **({"began": began} if "next" in page.cursor else {})}
                lines += [_line(item, repository, kind, now, gone=page.gone) for item in page.items]
                pages += 1
                if pages >= _PAGES_A_PIECE and lines:
                    yield self._piece(lines, part, cursor, at, landed)
                    lines, pages = [], 0
        except SourceError as error:  # what was told before lands all the same
            until, problem = error.until if isinstance(error, TruncatedError) else "", error
        if lines:
            yield self._piece(lines, part, cursor, at, landed)
        if (
            "at" in cursor
        ):  # everything up to here has landed; a cursor without a new piece saves the next run its questions
            noted = {"cursor": cursor, "behind": _digest(landed.cursor(part))}
            landed.keep_note(part, json.dumps(noted, sort_keys=True))
        if until:
            yield _walked(part, {"until": until, "anew": cursor.get("anew")}, repository, at)
        if problem:
            raise problem

    def _told(self, walked: Sequence[Walked], landed: Landings) -> Iterator[Piece]:
        """One small piece for all walks, unless the last one told the same: a quiet hour costs a file, not one for each kind."""
        told = json.dumps({walk.part: walk.told for walk in walked}, sort_keys=True)
        cursor = {"told": _digest(told)}
        if walked and _parse(landed.cursor(_WALKS)) != cursor:
            yield self._piece([line for walk in walked for line in walk.lines], _WALKS, cursor, self.clock(), landed)

    @staticmethod
    def _piece(lines: list[bytes], part: str, cursor: Cursor, now: datetime, landed: Landings) -> Piece:
        hour = now.replace(minute=0, second=0, microsecond=0)
        content = gzip.compress(b"".join(lines), mtime=0)
        at = landed.files(hour)
        return Piece(
            hour=hour,
            file=f"{hour:%Y-%m-%d}/{hour.hour}{f'-{at}' if at else ''}.json.gz",
            open=lambda _start, _version: Arrival(chunks=iter((content,))),
            part=part,
            cursor=json.dumps(cursor, sort_keys=True),
        )


def _trouble(name: str, error: SourceError) -> Trouble:
    """What an error says of this one name; raised again where it holds for all of them: a limit, a clock, a token that is not accepted."""
    if isinstance(error, LimitedError | ClockError) or (isinstance(error, RefusedError) and error.status == 401):
        raise error
    return Trouble(what="refused" if error.lasting else "failed", name=name, reason=str(error))


def _look_up(api: ApiClient, asked: str, landed: Landings) -> Repository:
    """The repository's id and name today: renamed ones are followed, and asking again costs nothing while nothing changes."""
    known = _parse(landed.note(asked))
    answer = api.get_one(f"/repos/{asked}", has={"id": int, "full_name": str}, etag=known.get("etag", ""))
    if answer.body is not None:
        if known.get("repo_id", answer.body["id"]) != answer.body["id"]:
            log.warning(
                "%s is another repository now (id %d, was %d): %s", asked, answer.body["id"], known["repo_id"], _ANEW
            )
        known = {
            "repo_id": answer.body["id"],
            "full_name": answer.body["full_name"],
            "etag": answer.etag,
        }
        landed.keep_note(asked, json.dumps(known, sort_keys=True))
    return Repository(full_name=known["full_name"], repo_id=known["repo_id"])


def _resume(landed: Landings, part: str, repository: Repository) -> Cursor:
    """The cursor noted behind the last piece, else the one that landed with it; none if it is of who had the name before."""
    last, noted = landed.cursor(part), _parse(landed.note(part))
    cursor: Cursor = noted["cursor"] if noted.get("behind") == _digest(last) else _parse(last)
    return cursor if cursor.get("repo_id", repository.repo_id) == repository.repo_id else {}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _moments(cursor: Cursor) -> Iterator[datetime]:
    """When the walk last went on, and when it began anew."""
    return (datetime.fromisoformat(cursor[name]) for name in ("at", "anew") if name in cursor)


def _walked(part: str, moments: Mapping[str, str | None], repository: Repository, now: datetime) -> Walked:
    kind = part.rpartition("/")[2]
    told = [{"kind": kind, name: moment} for name, moment in moments.items() if moment]
    return Walked(part=part, told=told, lines=[_line(item, repository, "walk", now) for item in told])


def _began(cursor: Cursor, now: datetime) -> str:
    """Until when the walk will know its kind: one that was cut off goes on to the end that there was then. Empty if that is lost."""
    return str(cursor.get("began", "")) if "next" in cursor else f"{now:%Y-%m-%dT%H:00:00Z}"


def _parse(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _line(item: Item, repository: Repository, kind: str, now: datetime, *, gone: bool = False) -> bytes:
    row = {
        "repository": repository.full_name,
        "repo_id": repository.repo_id,
        "kind": kind,
        "fetched_at": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        **({"gone": True} if gone else {}),
        "item": item,
    }
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode(errors="replace") + b"\n"


def _names(text: str, *, within: tuple[str, ...] = ()) -> Iterator[str]:
    for word in (word.strip() for word in text.split(",")):
        if word.startswith("@"):
            if word in within:
                raise DataError(f"repositories from `{word}`: it names itself")
            yield from _names(_listed(word), within=(*within, word))
        elif word and not _NAME.fullmatch(word):
            raise DataError(f"`{word}` is no repository: write owner/name, or @FILE with one a line")
        elif word:
            yield word


def _listed(word: str) -> str:
    try:
        lines = on_this_machine(word[1:]).read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise DataError(f"repositories from `{word}`: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"repositories from `{word}`: no text in UTF-8") from error
    return ",".join(line.partition("#")[0] for line in lines)
