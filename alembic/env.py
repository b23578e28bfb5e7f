"""Runs migrations on the connection that `sigseek.storage.catalog.database` hands over; there is no other way to run them."""

from alembic import context

from sigseek.storage.catalog.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    # `sigseek.storage.catalog.database` sees to it, whatever the driver does
    transactional_ddl=True,
    render_as_batch=True,  # SQLite changes a table by making it anew
)
with context.begin_transaction():
    context.run_migrations()
