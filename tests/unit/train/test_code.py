"""Code that shapes a release is part of what the release is called, and of what its work is remembered by."""

import ast
import shutil
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

import ratchet

HERE = Path(ratchet.__file__).parent


def imported_by(path):
    """Which of the project's modules a file imports, as files; what a name in a package is does not matter."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    parts = [
        name.split(".")[1:]
        for node in nodes
        for name in (node.module, *(f"{node.module}.{one.name}" for one in node.names))
    ]
    return {found for part in parts if part and (found := HERE.joinpath(*part).with_suffix(".py")).exists()}


def shaping():
    """Find every file that training reaches, but for contracts: what those say of data is in the data's digest."""
    reached, new = set(), {*HERE.glob("train/*.py"), *HERE.glob("forecasters/*.py")}
    while new:
        reached |= new
        new = {found for path in new for found in imported_by(path)} - reached
        new = {path for path in new if path.parent.name != "contracts"}
    return sorted(path.relative_to(HERE).as_posix() for path in reached)


@pytest.fixture
def version_of(tmp_path):
    """Give the version of the code as it is with one file changed."""
    shutil.copytree(
        HERE,
        tmp_path / "ratchet",
        ignore=lambda _, names: [name for name in names if "." in name and not name.endswith(".py")],
    )
    spec = spec_from_file_location("copied_code", tmp_path / "ratchet" / "train" / "code.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)

    def version(changed=None):
        if changed is None:
            return module.code_version()
        path = tmp_path / "ratchet" / changed
        before = path.read_bytes()
        path.write_bytes(before + b"\n# changed")
        try:
            return module.code_version()
        finally:
            path.write_bytes(before)

    return version


def test_every_file_that_training_reaches_changes_the_version(version_of):
    usual, files = version_of(), shaping()
    assert {"scores.py", "forecasters/farima.py", "train/search.py"} <= set(files)
    assert [path for path in files if version_of(path) == usual] == []


def test_a_file_that_training_does_not_reach_leaves_it_as_it_is(version_of):
    assert version_of("decide/betting.py") == version_of()
