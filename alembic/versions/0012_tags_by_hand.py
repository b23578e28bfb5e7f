"""Tags that a person gave to photos, or took back from them, beside those that were judged."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables. All tags of before were judged."""
    op.create_table("hand_tag_name", sa.Column("name", sa.String, primary_key=True))
    op.create_table(
        "hand_tag",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column(
            "photo_id",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            sa.ForeignKey("photo.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("given", sa.Boolean, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_hand_tag_photo_id", "hand_tag", ["photo_id"])
