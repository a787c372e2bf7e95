"""What a registry does with releases: one suite for the fake and for MLflow, in a folder and in S3."""

from datetime import UTC, datetime

import pytest

from fakes import FakeRegistry, write_release
from ratchet.contracts.errors import RegistryError, ReleaseError
from ratchet.contracts.ports import Release, Track
from ratchet.contracts.release import CARD, NAMES, Card, file_digest, issue_folder
from ratchet.register.mlflow_registry import MlflowRegistry
from releases import folder_of, issue_again

HOUR = datetime(2026, 3, 2, tzinfo=UTC)

IN_A_BUCKET = pytest.mark.parametrize("registry", ["fake", "mlflow", "mlflow and s3"], indirect=True)
"""Where files are kept it matters where; names, states and aliases are the same everywhere."""


def names_in(folder):
    return sorted(path.relative_to(folder) for path in folder.rglob("*"))


@IN_A_BUCKET
def test_a_release_lies_where_the_registry_says_byte_by_byte(registry, make, workload, tmp_path):
    folder, card = make("one")
    release = registry.add(folder, card)
    assert (release.workload, release.version, release.release_id, release.state) == (workload, 1, "one", "registered")
    assert (release.candidate_of, release.best_of, release.data_hour) == (None, None, HOUR)
    kept = folder_of(release, tmp_path)
    assert Card.from_json((kept / CARD).read_bytes()).to_json() == card.to_json()
    assert {name: file_digest(kept / name) for name in card.checksums} == card.checksums
    assert names_in(kept) == names_in(folder)


@IN_A_BUCKET
def test_the_same_release_is_registered_once(registry, make, workload):
    folder, card = make("one")
    first = registry.add(folder, card)
    named = registry.name_candidate(first)
    assert registry.add(folder, card) == named
    assert registry.releases(workload) == [named]


@IN_A_BUCKET
def test_a_folder_that_is_not_what_its_card_says_is_refused(registry, make, workload):
    folder, card = make("one")
    (folder / NAMES).write_bytes(b"else")
    with pytest.raises(ReleaseError, match="differs from its checksum"):
        registry.add(folder, card)
    (folder / NAMES).unlink()
    with pytest.raises(ReleaseError, match="misses"):
        registry.add(folder, card)
    (folder / CARD).unlink()
    with pytest.raises(ReleaseError, match="is not there"):
        registry.add(folder, card)
    _, other = make("two")
    with pytest.raises(ReleaseError, match="not the card"):
        registry.add(make("one")[0], other)
    assert registry.releases(workload) == []


def test_releases_come_oldest_first_however_many(registry, make, workload):
    added = [registry.add(*make(f"r{number}")) for number in range(5)]
    assert registry.releases(workload) == added
    assert [release.version for release in added] == [1, 2, 3, 4, 5]


def test_numbers_are_given_in_order_and_once(registry, make, workload):
    first, second, third = (registry.add(*make(name)) for name in ("a", "b", "c"))
    assert registry.name_candidate(second).candidate_of == "CO1"
    assert registry.name_candidate(first).candidate_of == "CO2"
    assert registry.name_candidate(second).candidate_of == "CO1"
    assert registry.name_best(first).best_of == "BO1"
    assert registry.name_best(third).best_of == "BO2"
    assert registry.name_best(first).best_of == "BO1"
    names = [(release.candidate_of, release.best_of) for release in registry.releases(workload)]
    assert names == [("CO2", "BO1"), ("CO1", None), (None, "BO2")]


def test_the_tenth_number_follows_the_ninth(registry, make):
    for number in range(1, 12):
        named = registry.name_candidate(registry.add(*make(f"r{number:02}")))
    assert named.candidate_of == "CO11"


def test_a_state_is_written_and_read(registry, make, workload):
    release = registry.add(*make("one"))
    marked = registry.mark(registry.name_candidate(release), "trial")
    assert (marked.state, marked.candidate_of) == ("trial", "CO1")
    assert registry.releases(workload) == [marked]


@IN_A_BUCKET
def test_an_issue_is_put_beside_the_others_and_then_told(registry, make, workload, tmp_path):
    folder, card = make("one")
    release = registry.add(folder, card)
    registry.point(workload, Track.PRODUCTION, release)
    assert release.issue == 1
    issued = registry.issue(release, issue_again(folder, 2, add=1.0, to=tmp_path / "new"), 2)
    assert issued == registry.live(workload, Track.PRODUCTION)
    assert (issued.issue, issued.location, issued.release_id) == (2, release.location, "one")
    kept = folder_of(issued, tmp_path)
    assert {path.name for path in (kept / issue_folder(2)).iterdir()} == {p.name for p in (tmp_path / "new").iterdir()}
    assert {name: file_digest(kept / name) for name in card.checksums} == card.checksums
    assert registry.add(folder, card) == issued


def test_aliases_move_and_go_away(registry, make, workload):
    for track in Track:
        assert registry.live(workload, track) is None
        registry.point(workload, track, None)
    first, second = registry.add(*make("one")), registry.add(*make("two"))
    registry.point(workload, Track.PRODUCTION, first)
    registry.point(workload, Track.CANDIDATE, second)
    assert registry.live(workload, Track.PRODUCTION).release_id == first.release_id
    assert registry.live(workload, Track.CANDIDATE).release_id == second.release_id
    registry.point(workload, Track.PRODUCTION, second)
    registry.point(workload, Track.CANDIDATE, None)
    registry.point(workload, Track.CANDIDATE, None)
    marked = registry.mark(second, "production")
    assert registry.live(workload, Track.PRODUCTION) == marked
    assert registry.live(workload, Track.CANDIDATE) is None


def test_a_release_that_is_not_registered_is_refused(registry, make, workload):
    registry.add(*make("one"))
    stranger = Release(workload=workload, version=99, release_id="x", location="file:///x")
    for refused in (
        lambda: registry.point(workload, Track.PRODUCTION, stranger),
        lambda: registry.name_candidate(stranger),
        lambda: registry.name_best(stranger),
        lambda: registry.mark(stranger, "trial"),
        lambda: registry.issue(stranger, issue_again(make("two")[0], 2), 2),
    ):
        with pytest.raises(RegistryError):
            refused()


def test_workloads_do_not_meet(registry, make, workload, tmp_path):
    registry.name_candidate(registry.add(*make("one")))
    other = write_release(tmp_path / "other", workload=f"{workload}-b", release_id="one", data_hour=HOUR)
    assert registry.name_candidate(registry.add(tmp_path / "other", other)).candidate_of == "CO1"
    assert len(registry.releases(workload)) == 1


def test_a_registry_that_is_away_is_an_error(monkeypatch, make):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    fake = FakeRegistry()
    fake.away = True
    folder, card = make("one")
    for registry in (fake, MlflowRegistry("http://127.0.0.1:1")):
        for call in (lambda r: r.add(folder, card), lambda r: r.releases("w"), lambda r: r.live("w", Track.PRODUCTION)):
            with pytest.raises(RegistryError):
                call(registry)
