"""observe: live metrics, feedback, actuals and the journal; everything measured about an experiment becomes a look at it."""

from ratchet.observe.asked import PostgresAsked
from ratchet.observe.evidence import gather
from ratchet.observe.feedback import PostgresFeedback
from ratchet.observe.hours import Comparison, PostgresHours
from ratchet.observe.issued import pair_weeks, read_issued
from ratchet.observe.journal import PostgresJournal
from ratchet.observe.live import PrometheusMetrics
from ratchet.observe.looks import Window, fill_look
from ratchet.observe.reports import PostgresReports
from ratchet.observe.told import PastWeek, PostgresTold, begins, look_back

__all__ = [
    "Comparison",
    "PastWeek",
    "PostgresAsked",
    "PostgresFeedback",
    "PostgresHours",
    "PostgresJournal",
    "PostgresReports",
    "PostgresTold",
    "PrometheusMetrics",
    "Window",
    "begins",
    "fill_look",
    "gather",
    "look_back",
    "pair_weeks",
    "read_issued",
]
