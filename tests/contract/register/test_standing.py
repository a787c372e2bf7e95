"""What releases are called and where they stand, on the fake and on MLflow."""

from datetime import UTC, datetime

from ratchet.contracts.ports import Track
from ratchet.register.mlflow_registry import MlflowRegistry
from releases import issue_again, no_plots


def standing(registry, workload):
    return {release.release_id: release.lifecycle for release in registry.releases(workload)}


def test_lifecycle_follows_the_aliases_through_a_whole_turn(registry, make, workload):
    first, second = registry.add(*make("one")), registry.add(*make("two"))
    assert standing(registry, workload) == {"one": "trained", "two": "trained"}
    registry.point(workload, Track.PRODUCTION, first)
    registry.mark(first, "production")
    registry.mark(second, "queued")
    assert standing(registry, workload) == {"one": "production", "two": "candidate"}
    registry.point(workload, Track.CANDIDATE, second)
    registry.point(workload, Track.PRODUCTION, second)
    registry.point(workload, Track.CANDIDATE, first)
    registry.mark(first, "beaten")
    assert standing(registry, workload) == {"one": "candidate", "two": "production"}, "the watch: it is compared still"
    before = datetime.now(UTC)
    registry.point(workload, Track.CANDIDATE, None)
    assert standing(registry, workload) == {"one": "archived", "two": "production"}
    archived = registry.releases(workload)[0]
    assert before <= archived.archived_at <= datetime.now(UTC)
    registry.settle(workload)
    assert registry.releases(workload)[0] == archived, "a second look changes nothing, not even the moment"
    registry.point(workload, Track.PRODUCTION, first)
    assert registry.releases(workload)[0].archived_at is None


def test_versions_tell_how_a_release_was_made_and_which_issue_it_serves(registry, make, workload, tmp_path):
    folder, card = make("simple")
    simple = registry.add(folder, card)
    registry.add(*make("rich", recipe=("theta", "trees")))
    registry.add(*make("richer", recipe=("trees", "theta")))
    registry.add(*make("simple again"))
    registry.add(*make("another form", layout=2))
    found = {release.release_id: release.semantic_version for release in registry.releases(workload)}
    assert found == {
        "simple": "1.0.1", "rich": "2.0.1", "richer": "2.1.1", "simple again": "1.1.1", "another form": "3.0.1",
    }  # fmt: skip
    issued = registry.issue(simple, issue_again(folder, 2, to=tmp_path / "new"), 2)
    assert issued.semantic_version == "1.0.2"


def test_the_version_is_a_tag_that_people_can_search_for(on_mlflow, client, make, workload, tmp_path):
    folder, card = make("one")
    release = on_mlflow.add(folder, card)
    assert client.get_model_version(workload, "1").tags["semantic_version"] == "1.0.1"
    on_mlflow.issue(release, issue_again(folder, 2, to=tmp_path / "new"), 2)
    found = client.search_model_versions(f"name = '{workload}' AND tags.semantic_version = '1.0.2'")
    assert [version.version for version in found] in ([1], ["1"])


def test_two_trainings_at_once_get_two_versions_whoever_counts_last(mlflow_server, make, workload, monkeypatch):
    """Both are registered before either has counted; each then counts what it sees."""
    first, second = MlflowRegistry(mlflow_server, draw=no_plots), MlflowRegistry(mlflow_server, draw=no_plots)
    settle = MlflowRegistry.settle
    monkeypatch.setattr(MlflowRegistry, "settle", lambda *_: None)
    first.add(*make("one"))
    second.add(*make("two", recipe=("theta",)))
    monkeypatch.setattr(MlflowRegistry, "settle", settle)
    second.settle(workload)
    first.settle(workload)
    assert [release.semantic_version for release in first.releases(workload)] == ["1.0.1", "2.0.1"]


def test_labels_that_a_kill_parted_from_the_alias_are_right_after_the_next_move(on_mlflow, client, make, workload):
    first, second = on_mlflow.add(*make("one")), on_mlflow.add(*make("two"))
    on_mlflow.point(workload, Track.PRODUCTION, first)
    on_mlflow.mark(first, "production")
    client.set_registered_model_alias(workload, "production", "2")  # and then it died
    assert standing(on_mlflow, workload) == {"one": "production", "two": "trained"}
    on_mlflow.mark(second, "production")
    on_mlflow.mark(first, "beaten")
    assert standing(on_mlflow, workload) == {"one": "archived", "two": "production"}


def test_releases_from_before_there_were_labels_get_them(on_mlflow, client, make, workload):
    release = on_mlflow.add(*make("old"))
    for tag in ("make", "lifecycle", "semantic_version"):
        client.delete_model_version_tag(workload, str(release.version), tag)
    assert on_mlflow.releases(workload)[0].semantic_version == ""
    on_mlflow.settle(workload)
    assert on_mlflow.releases(workload)[0].semantic_version == "1.0.1"
