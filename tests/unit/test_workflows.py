"""Workflows call make targets that exist, pin what they use, and ask for no more than they need."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted(ROOT.glob(".github/workflows/*.yaml"))
TARGETS = {
    line.partition(":")[0] for line in (ROOT / "Makefile").read_text().splitlines() if re.match(r"[a-z-]+:", line)
}


@pytest.fixture(params=WORKFLOWS, ids=lambda path: path.stem)
def workflow(request):
    return yaml.safe_load(request.param.read_text())


def steps(workflow):
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def test_all_four_are_here():
    assert {path.stem for path in WORKFLOWS} == {"check", "images", "train", "deploy"}


def test_every_run_step_is_a_make_target_that_exists(workflow):
    for step in steps(workflow):
        if "run" in step and step["run"] != ".ci/run":
            assert re.fullmatch(r"make [a-z-]+", step["run"]), step
            assert step["run"].removeprefix("make ") in TARGETS


def test_every_action_is_pinned_by_commit(workflow):
    for step in steps(workflow):
        if "uses" in step:
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", step["uses"]), step


def test_permissions_are_named_and_a_workflow_only_reads(workflow):
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert "timeout-minutes" in job
        assert job.get("permissions", {}).get("contents", "read") == "read"


def test_what_a_stranger_writes_is_never_part_of_a_command(workflow):
    for step in steps(workflow):
        assert "${{" not in step.get("run", "")


def test_a_checkout_keeps_no_credentials(workflow):
    for step in steps(workflow):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_only_pushes_push_and_only_main_deploys():
    images = yaml.safe_load((ROOT / ".github/workflows/images.yaml").read_text())
    (push,) = [step for step in steps(images) if step.get("run") == "make push-image"]
    assert push["if"] == "github.event_name == 'push'"
    deploy = yaml.safe_load((ROOT / ".github/workflows/deploy.yaml").read_text())["jobs"]
    assert deploy["up"]["environment"] == "production"
    assert "refs/heads/main" in deploy["up"]["if"]
