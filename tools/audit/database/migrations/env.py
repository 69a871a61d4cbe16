"""Runs migrations on the connection that `tools.audit.database.opening` gives."""

from alembic import context

from tools.audit.database.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
context.run_migrations()
