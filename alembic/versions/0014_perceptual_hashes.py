"""Perceptual hashes with the sketches they are made of, and pairs called no duplicates."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_INTEGER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _photo(name: str) -> sa.Column:
    return sa.Column(
        name, _INTEGER, sa.ForeignKey("photo.id", ondelete="CASCADE"), primary_key=True
    )


def upgrade() -> None:
    """Add the tables. Photos of before get their hashes by the next indexing."""
    version = sa.Column("hash_version", _INTEGER, nullable=False, server_default="0")
    op.add_column("photo", version)
    op.create_index("ix_photo_hash_version", "photo", ["hash_version"])
    op.create_table(
        "sketch",
        _photo("photo_id"),
        sa.Column("is_inner", sa.Boolean, primary_key=True),
        sa.Column("margins", sa.LargeBinary, nullable=False),
        sa.Column("quality", _INTEGER, nullable=False),
        sa.Column("bits", sa.LargeBinary, nullable=False),
        sa.Column("levels", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "distinct_pair",
        _photo("first_id"),
        _photo("second_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_distinct_pair_second_id", "distinct_pair", ["second_id"])
