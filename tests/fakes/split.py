"""`TrafficSplit` in memory."""


class FakeSplit:
    """`TrafficSplit` in memory."""

    def __init__(self) -> None:
        self._percent, self._salt = 0, 0

    def salt(self) -> int:
        return self._salt

    def share(self) -> int:
        return self._percent

    def set_share(self, percent: int, *, salt: int | None = None) -> None:
        self._percent, self._salt = percent, self._salt if salt is None else salt
