"""More metadata of photos, and a checksum of each embedding, so that damage is found and not
searched.

Files of formats that are read from now on are tried again. Without this, they would stay failures
until they change.
"""

import zlib

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns and table. Photos that are known already say nothing there, their embeddings
    count as sound.
    """
    op.add_column("photo", sa.Column("lens", sa.String))
    op.add_column("photo", sa.Column("rating", sa.Integer))
    op.add_column("photo", sa.Column("description", sa.String))
    op.create_table(
        "keyword",
        sa.Column(
            "photo_id", sa.Integer, sa.ForeignKey("photo.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("name", sa.String, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.execute(  # without size and mtime they are tried again
        "UPDATE failure SET size = NULL, mtime_ns = NULL "
        "WHERE reason LIKE '%not read yet%' OR reason LIKE 'not a picture, or damaged%'"
    )
    op.add_column(
        "embedding", sa.Column("checksum", sa.Integer, nullable=False, server_default="0")
    )
    op.get_bind().connection.dbapi_connection.create_function(
        "crc32", 1, zlib.crc32, deterministic=True
    )
    op.execute("UPDATE embedding SET checksum = crc32(vector)")
