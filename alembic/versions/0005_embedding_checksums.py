"""Keep a checksum with each embedding, so that damage on the disk is found and not searched."""

import zlib

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; what is there now counts as sound."""
    op.add_column("embedding", sa.Column("checksum", sa.Integer, nullable=False, server_default="0"))
    op.get_bind().connection.dbapi_connection.create_function("crc32", 1, zlib.crc32, deterministic=True)
    op.execute("UPDATE embedding SET checksum = crc32(vector)")
