"""The patterns of files that a user wants left out, and the files that indexing passes over."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_INTEGER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add the column and the table. Nothing was left out, and nobody knows what was passed over."""
    as_path = sa.LargeBinary if op.get_bind().dialect.name == "postgresql" else sa.String
    op.add_column("folder", sa.Column("excluded", as_path, nullable=False, server_default=""))
    op.create_table(
        "other_file",
        sa.Column("id", _INTEGER, primary_key=True),
        sa.Column(
            "folder_id", _INTEGER, sa.ForeignKey("folder.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("path", as_path, nullable=False),
        sa.Column("size", _INTEGER, nullable=False),
        sa.Column("mtime_ns", _INTEGER, nullable=False),
        sa.Column("holds", sa.String),
    )
    op.create_index("ix_other_file_folder_id", "other_file", ["folder_id"])
