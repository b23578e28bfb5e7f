"""What a photo is: its picture, and no longer all bytes of its file.

A photo is known by the digest of what decides its pixels, which comes as its files are read. Until
then the digest of all bytes stands for it. Files keep the digest of all their bytes, which was that
of their photo until now, and the time by which a change that keeps size and mtime is noticed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_INTEGER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add the columns. The digests of files are those of their photos; nothing is read."""
    op.add_column(
        "photo", sa.Column("digest_version", _INTEGER, nullable=False, server_default="0")
    )
    op.create_index("ix_photo_digest_version", "photo", ["digest_version"])
    op.add_column("file", sa.Column("ctime_ns", _INTEGER))
    op.add_column("file", sa.Column("digest", sa.LargeBinary))
    file = sa.table("file", sa.column("digest"), sa.column("photo_id"))
    photo = sa.table("photo", sa.column("digest"), sa.column("id"))
    of_photo = sa.select(photo.c.digest).where(photo.c.id == file.c.photo_id)
    op.execute(file.update().values(digest=of_photo.scalar_subquery()))
