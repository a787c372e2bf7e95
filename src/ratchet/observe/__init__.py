"""observe: live metrics, feedback and the journal; everything measured about an experiment becomes its evidence."""

from ratchet.observe.evidence import gather
from ratchet.observe.feedback import PostgresFeedback
from ratchet.observe.journal import PostgresJournal
from ratchet.observe.live import PrometheusMetrics

__all__ = ["PostgresFeedback", "PostgresJournal", "PrometheusMetrics", "gather"]
