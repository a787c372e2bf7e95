"""Where events come from: hour files of GH Archive, the REST API, CSV histories, and the synthetic sample that ships with the workload.

Heavy clients are imported by the source that needs them, when it is made.
"""

import os
from pathlib import Path
from typing import Final

from ratchet.contracts.errors import DataError
from ratchet.contracts.folders import on_this_machine
from ratchet.contracts.source import Clock, Source, SourceKind, Span
from ratchet.workloads.github_activity.sources.hours import HourFolder

SAMPLE_FOLDER: Final = Path(__file__).parents[1] / "sample"
ARCHIVE: Final = "github_archive"
API: Final = "github_api"
CSV: Final = "github_csv"


def _archive(where: str, span: Span, clock: Clock) -> tuple[Source, ...]:
    if where.startswith("s3://"):
        from ratchet.workloads.github_activity.sources.bucket import HourBucket  # noqa: PLC0415

        return (HourBucket(name=ARCHIVE, address=where, span=span, clock=clock),)
    if where.startswith(("http://", "https://")):
        from ratchet.workloads.github_activity.sources.address import HourAddress  # noqa: PLC0415

        return (HourAddress(name=ARCHIVE, address=where, span=span, clock=clock),)
    if "://" in where:
        raise DataError(f"events from `{where}`: give a folder, http://, https:// or s3://")
    return (HourFolder(name=ARCHIVE, folder=on_this_machine(where), span=span, clock=clock),)


def _api(names: str, _span: Span, clock: Clock) -> tuple[Source, ...]:
    from ratchet.workloads.github_activity.sources.api import RepositoryApi  # noqa: PLC0415

    return (RepositoryApi.of(names, name=API, environment=os.environ, clock=clock),)


def _csv(where: str, _span: Span, clock: Clock) -> tuple[Source, ...]:
    from ratchet.workloads.github_activity.sources.csv_folder import CsvFolders  # noqa: PLC0415

    folders = tuple(on_this_machine(folder.strip()) for folder in where.split(",") if folder.strip())
    if not folders:
        raise DataError(f"events from `csv:{where}`: it names no folder")
    return (CsvFolders(name=CSV, folders=folders, clock=clock),)


def _sample(_: str, span: Span, _clock: Clock) -> tuple[Source, ...]:
    return (
        HourFolder(name="sample_history", folder=SAMPLE_FOLDER / "history", suffix="csv.gz"),
        HourFolder(name="sample_events", folder=SAMPLE_FOLDER / "events", span=span),
    )


KINDS: Final = (
    SourceKind(
        name="archive",
        summary="GH Archive hour files: a folder, an HTTP(S) address or a bucket",
        make=_archive,
        takes="WHERE",
        takes_help="a folder of files YYYY-MM-DD-H.json.gz, https://data.gharchive.org or a copy of it, s3://bucket/prefix",
        by_hour=True,
    ),
    SourceKind(
        name="github",
        summary="commits, issues, pull requests and stars of named repositories, from the REST API",
        make=_api,
        takes="REPOSITORY",
        takes_help="owner/name, or @FILE with one a line; GITHUB_TOKEN from the environment gives 5,000 requests an hour instead of 60",
        takes_many=True,
        environment=("GITHUB_TOKEN", "GITHUB_API_URL"),
    ),
    SourceKind(
        name="csv",
        summary="CSV histories: folders owner__name with commits.csv, issues.csv, pull_requests.csv, stargazers.csv",
        make=_csv,
        takes="FOLDER",
        takes_help="a folder of those folders, files as they are or as .csv.gz; columns author_date, created_at, created_at, starred_at",
        takes_many=True,
    ),
    SourceKind(name="sample", summary="the synthetic sample that ships with the workload", make=_sample, by_hour=True),
)
