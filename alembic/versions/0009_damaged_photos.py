"""Photos of damaged files, and the version of the decoder that could not use a file.

Until now a damaged file was a failure. Those failures count as of version 0, so the next indexing
tries the files again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns. No photo of an earlier version is known to be damaged."""
    damaged = sa.Column("damaged", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("photo", damaged)
    op.create_index(
        "ix_photo_damaged",
        "photo",
        ["damaged"],
        sqlite_where=sa.text("damaged = 1"),
    )
    integer = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    version = sa.Column("decoder_version", integer, nullable=False, server_default="0")
    op.add_column("failure", version)
