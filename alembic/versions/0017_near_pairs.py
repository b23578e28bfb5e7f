"""Larger sketches with the hashes of variants, pairs of photos that look like one shot, and a mark
for files of several pictures.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_INTEGER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _photo(name: str) -> sa.Column:
    return sa.Column(
        name, _INTEGER, sa.ForeignKey("photo.id", ondelete="CASCADE"), primary_key=True
    )


def upgrade() -> None:
    """Remove the sketches of 32 x 32 pixels. They are of an earlier `hash_version`, so the next
    indexing makes new ones.
    """
    op.add_column(
        "photo",
        sa.Column("several_pictures", sa.Boolean, nullable=False, server_default=sa.false()),
    )
    op.add_column("photo", sa.Column("pairs_version", _INTEGER, nullable=False, server_default="0"))
    op.create_index("ix_photo_pairs_version", "photo", ["pairs_version"])
    op.drop_table("sketch")
    op.create_table(
        "sketch",
        _photo("photo_id"),
        sa.Column("is_inner", sa.Boolean, primary_key=True),
        sa.Column("margins", sa.LargeBinary, nullable=False),
        sa.Column("quality", _INTEGER, nullable=False),
        sa.Column("bits", sa.LargeBinary, nullable=False),
        sa.Column("variants", sa.LargeBinary, nullable=False),
        sa.Column("levels", sa.LargeBinary, nullable=False),
    )
    op.create_table("near_pair", _photo("first_id"), _photo("second_id"), sqlite_with_rowid=False)
    op.create_index("ix_near_pair_second_id", "near_pair", ["second_id"])
