"""The served application with a log that accepts everything and keeps nothing: what logging costs is the difference."""

from ratchet.serve.spool import Spool

Spool.append = Spool.append_all = lambda _spool, _records: True

from inference.wsgi import application as make  # noqa: E402  # what it makes has the spool above

application = make()
