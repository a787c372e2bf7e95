"""Kinds of fields that several requests have, each as strict as the document says."""

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field

LARGEST: Final = 1e9
ISO_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _is_day(value: Any) -> Any:  # noqa: ANN401, whatever JSON holds
    """Numbers are no days: pydantic would read them as seconds since 1970, also when they stand in a string."""
    if not isinstance(value, str) or not ISO_DAY.fullmatch(value):
        raise ValueError("must be a day like 2026-01-04")
    return value


def _is_moment(value: Any) -> Any:  # noqa: ANN401, whatever a query holds
    if not isinstance(value, str) or not ISO_DAY.match(value):
        raise ValueError("must be a time like 2026-01-04T00:00:00Z")
    return value


def _without_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not hold the character U+0000")
    return text


def _in_utc(moment: datetime) -> datetime:
    """PostgreSQL knows fewer time zones than ISO 8601 can write."""
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("must be a time that has a date in UTC") from error


Count = Annotated[float, Field(ge=0, le=LARGEST, allow_inf_nan=False, strict=True)]
"""What happened in a week, as somebody posts it."""
Day = Annotated[date, BeforeValidator(_is_day)]
Moment = Annotated[AwareDatetime, BeforeValidator(_is_moment), AfterValidator(_in_utc)]
WITHOUT_NUL: Final = AfterValidator(_without_nul)
"""Comes last: pydantic takes what has been through a function for a list, and tells of its length in items."""
Text = Annotated[str, WITHOUT_NUL]
"""What PostgreSQL can hold."""
