"""The served application with a log that accepts everything and keeps nothing: what logging costs is the difference."""

from ratchet.serve.spool import Spool

Spool.append = Spool.append_all = lambda _spool, _records: True

from inference.wsgi import application  # noqa: E402  # built on import, with the spool above

__all__ = ["application"]
