"""What Streamlit changes in the process that tests its pages is put back."""

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _same_main() -> Iterator[None]:
    """A page under test becomes `__main__`; a process that is spawned later would run it."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main
