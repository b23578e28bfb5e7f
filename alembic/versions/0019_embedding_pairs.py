"""Pairs of photos whose embeddings are near, and the comparisons that found them. MPO files are
looked at again for what the other eye sees.
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_INTEGER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _id_of(table: str) -> sa.Column:
    return sa.Column(
        f"{table}_id", _INTEGER, sa.ForeignKey(f"{table}.id", ondelete="CASCADE"), primary_key=True
    )


def _photo(name: str) -> sa.Column:
    return sa.Column(
        name, _INTEGER, sa.ForeignKey("photo.id", ondelete="CASCADE"), primary_key=True
    )


def upgrade() -> None:
    """Before, `several_pictures` was false for every MPO. The next indexing decodes them again."""
    op.create_table(
        "embedding_pair",
        _photo("first_id"),
        _photo("second_id"),
        _id_of("checkpoint"),
        sa.Column("cosine", sa.Double, nullable=False),
        sa.Column("looks_same", sa.Boolean),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_embedding_pair_second_id", "embedding_pair", ["second_id"])
    op.create_index("ix_embedding_pair_checkpoint_id", "embedding_pair", ["checkpoint_id"])
    op.create_table(
        "embedding_comparison",
        _id_of("checkpoint"),
        sa.Column("version", sa.String, nullable=False),
        sa.Column("generation", _INTEGER, nullable=False),
        sa.Column("usual", sa.Double, nullable=False),
        sa.Column("photos", _INTEGER, nullable=False),
    )
    op.execute("UPDATE photo SET hash_version = 0 WHERE format = 'MPO'")
