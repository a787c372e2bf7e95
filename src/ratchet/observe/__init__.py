"""observe: live metrics, feedback and the journal; everything measured about an experiment becomes its evidence."""

from ratchet.observe.evidence import gather
from ratchet.observe.feedback import PostgresFeedback
from ratchet.observe.journal import PostgresJournal
from ratchet.observe.live import PrometheusMetrics
from ratchet.observe.reports import PostgresReports

__all__ = ["PostgresFeedback", "PostgresJournal", "PostgresReports", "PrometheusMetrics", "gather"]
