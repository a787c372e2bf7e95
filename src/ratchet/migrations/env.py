"""Run by Alembic for each command: the connection and its transaction belong to the caller, see `migrate`."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], target_metadata=None)
context.run_migrations()
