"""Runs migrations on the connection that `sigseek.storage.catalog.schema` hands over.

To begin a migration: `make migration NAME="what changes"`, after the tables were changed.
"""

from typing import Literal

from alembic import context

from sigseek.storage.catalog.columns import PathText, PlainText, UtcTime
from sigseek.storage.catalog.tables import METADATA

_WRITTEN = {
    PathText: 'sa.String().with_variant(sa.LargeBinary(), "postgresql")',
    PlainText: 'sa.String().with_variant(sa.String(collation="C"), "postgresql")',
    UtcTime: "sa.DateTime()",
}
"""What a new migration says in the place of the catalog's own types. It must go on making the same
columns when these types have changed.
"""


def written(kind: str, item: object, _context: object) -> str | Literal[False]:
    """Return how a new migration says this type; False leaves it to alembic."""
    return _WRITTEN.get(type(item), False) if kind == "type" else False


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=METADATA,
    # The caller has begun a transaction, and the databases' dialects see to it that changes of the
    # schema belong to it.
    transactional_ddl=True,
    # SQLite can change hardly anything of a table, so batch operations make the table again there.
    render_as_batch=connection.dialect.name == "sqlite",
    render_item=written,
)
with context.begin_transaction():
    context.run_migrations()
