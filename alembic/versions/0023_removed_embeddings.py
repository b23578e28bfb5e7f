"""The embeddings that were removed, so that an index learns of them without reading all ids."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_INTEGER = sa.BigInteger().with_variant(sa.Integer, "sqlite")

_ON_SQLITE = """
CREATE TRIGGER removed_embedding_insert AFTER DELETE ON embedding BEGIN
INSERT OR IGNORE INTO removed_embedding (checkpoint_id, generation, photo_id)
SELECT id, generation + 1, old.photo_id FROM checkpoint WHERE id = old.checkpoint_id; END
"""
_ON_POSTGRESQL = (
    """
CREATE FUNCTION removed_embedding_insert() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
INSERT INTO removed_embedding (checkpoint_id, generation, photo_id)
SELECT checkpoint.id, checkpoint.generation + 1, photo_id FROM removed_rows
JOIN checkpoint ON checkpoint.id = removed_rows.checkpoint_id ON CONFLICT DO NOTHING;
RETURN NULL; END $$
""",
    """
CREATE TRIGGER removed_embedding_insert AFTER DELETE ON embedding
REFERENCING OLD TABLE AS removed_rows FOR EACH STATEMENT
EXECUTE FUNCTION removed_embedding_insert()
""",
)


def upgrade() -> None:
    """Add the table and the triggers that fill it. Who removes embeddings counts the generation up
    afterwards, in the same transaction.
    """
    op.create_table(
        "removed_embedding",
        sa.Column(
            "checkpoint_id",
            _INTEGER,
            sa.ForeignKey("checkpoint.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("generation", _INTEGER, primary_key=True),
        sa.Column("photo_id", _INTEGER, primary_key=True),
        sqlite_with_rowid=False,
    )
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    for statement in _ON_POSTGRESQL if is_postgresql else [_ON_SQLITE]:
        op.execute(" ".join(statement.split()))
