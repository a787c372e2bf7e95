"""Numbers and times as people read them."""

import math
import re
from datetime import UTC, date, datetime
from typing import Any

NOTHING = "\u2013"
CALLED = {"y": "count", "ds": "week that ends on", "unique_id": "name", "ab": "A/B", "k": "number of groups"}
"""Names and parts of names in the code that nobody would say."""
CALLED |= {name.lower(): name for name in ("PRs", "MASE", "TSB", "FARIMA", "ETS", "MLflow", "IQR", "CI", "PSI")}
SIGNS = re.compile(r"([\\`*_~$\[\]<>&])")
WORD_AFTER_COLON = re.compile(r":(?=[^\W\d])")
NO_ROOM = "\u2060"
"""A word joiner: it parts a colon from its word, which would be a smiley or a colour also where the colon is escaped."""
FIGURES = {
    "d": "long memory d",
    "d_error": "its standard error",
    "d_gph": "d by Geweke and Porter-Hudak",
    "p": "autoregressive order",
    "q": "moving-average order",
}
"""What a family tells of a series, in words."""
JUDGED = {
    "log_guardrail": "log e of harm by failures",
    "log_split": "log e of clients not in their shares",
    "log_better": "log e of better ratings",
    "log_worse": "log e of worse ratings",
    "log_not_inferior": "log e of ratings no worse",
    "error_low": "error against production from",
    "error_high": "to",
    "error_asked": "error on what people ask for",
    "weeks": "matured weeks",
    "drifting": "features that drift",
    "data_age_hours": "hours since the newest data",
}
"""What a look goes by, in words."""


def figure(value: float | None, digits: int = 2, unit: str = "") -> str:
    """Return a number with its unit; a dash for what nobody measured."""
    if value is None or math.isnan(value):
        return NOTHING
    text = f"{value:,.{digits}f}" if digits else f"{value:,.0f}"
    return f"{text}{unit}"


def share(value: float | None, digits: int = 1) -> str:
    """Return a share as a percentage."""
    return NOTHING if value is None else f"{100 * value:.{digits}f} %"


def moment(text: str | None) -> str:
    """Return a time as it is written in records: UTC, to the minute."""
    return NOTHING if not text else f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def day(text: str) -> str:
    """Return a date as there is room for beside a figure: `15 Nov`."""
    return f"{date.fromisoformat(text):%d %b}"


def ago(text: str | None, now: datetime) -> str:
    """Return how long ago something was, in the largest unit that fits."""
    if not text:
        return NOTHING
    return span((now - datetime.fromisoformat(text)).total_seconds())


def span(seconds: float) -> str:
    """Return a length of time in the largest unit that fits."""
    for size, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {name}{'' if count == 1 else 's'}"
    return "less than a minute"


def phrase(name: str) -> str:
    """Return a name from the code as people say it: `prs_opened` is `PRs opened`, `y` is `count`."""
    return CALLED.get(name) or " ".join(CALLED.get(part, part) for part in name.strip().replace("_", " ").split(" "))


def title(name: str) -> str:
    """Return a name from the code as a title: `activity_pattern` is `Activity pattern`."""
    text = phrase(name)
    return text[:1].upper() + text[1:]


def judged(scores: dict[str, float]) -> str:
    """Return what a look went by; what is nothing is left out."""
    return ", ".join(f"{JUDGED.get(name) or phrase(name)} {value:.4g}" for name, value in scores.items() if value)


def plain(text: str) -> str:
    """Return what others wrote, within a line of Markdown, so that a page shows it letter by letter."""
    return WORD_AFTER_COLON.sub(f":{NO_ROOM}", SIGNS.sub(r"\\\1", " ".join(text.split())))


def listed(value: Any) -> str:  # noqa: ANN401, a sentence or several
    """Return one sentence of one or of several."""
    return "; ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
