import pytest

from ratchet.contracts.errors import DataError
from ratchet.ingest.durable import exclusive, replace_text


def test_a_held_lock_is_waited_for_and_then_named(tmp_path):
    with (
        exclusive(tmp_path / "lock"),
        pytest.raises(DataError, match=r"lock has been held by another process"),
        exclusive(tmp_path / "lock", wait_seconds=0.2),
    ):
        pass


def test_a_lock_ends_with_its_block_even_after_an_error(tmp_path):
    with pytest.raises(ValueError, match="inside"), exclusive(tmp_path / "lock"):
        raise ValueError("inside")
    with exclusive(tmp_path / "lock", wait_seconds=0):
        pass


def test_replaced_text_leaves_nothing_else_behind(tmp_path):
    replace_text(tmp_path / "pointer.json", "old")
    replace_text(tmp_path / "pointer.json", "new")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("pointer.json", "new")]
