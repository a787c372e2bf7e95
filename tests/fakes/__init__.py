"""Hand-written fakes, one per port.

Those that stand for a store pass the same suite in `tests/contract` as the real adapter, so they stay honest. `FakeSource` and
`FakeSplit` have no such suite: they do what a test tells them.
"""

from fakes.journal import FakeJournal
from fakes.measured import FakeAnswer, FakeFeedback, FakeLiveMetrics, FakeRating
from fakes.registry import FakeRegistry, write_release
from fakes.source import FakeSource
from fakes.split import FakeSplit

__all__ = [
    "FakeAnswer",
    "FakeFeedback",
    "FakeJournal",
    "FakeLiveMetrics",
    "FakeRating",
    "FakeRegistry",
    "FakeSource",
    "FakeSplit",
    "write_release",
]
