"""Runs migrations on the connection that `sigseek.storage.catalog.schema` hands over.

To begin a migration: `make migration NAME="what changes"`, after the tables were changed.
"""

from alembic import context

from sigseek.storage.catalog.tables import METADATA

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=METADATA,
    # The caller has begun a transaction, and the databases' dialects see to it that changes of the
    # schema belong to it.
    transactional_ddl=True,
    # SQLite can change hardly anything of a table, so batch operations make the table again there.
    render_as_batch=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
