"""What hits are judged by: each photo's bias, the checkpoint's references, its calibration; and the
photos' tags.

Biases have a table of their own: they are read for the photos of a hit list, and written without
touching the vectors.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables; the next `index` fills in what is measured."""
    op.create_table(
        "bias",
        sa.Column("checkpoint_id", sa.Integer, primary_key=True),
        sa.Column("photo_id", sa.Integer, primary_key=True),
        sa.Column("value", sa.Double, nullable=False),
        sa.ForeignKeyConstraint(
            ["checkpoint_id", "photo_id"],
            ["embedding.checkpoint_id", "embedding.photo_id"],
            ondelete="CASCADE",
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "reference",
        sa.Column(
            "checkpoint_id",
            sa.Integer,
            sa.ForeignKey("checkpoint.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("embeddings", sa.Integer, nullable=False),
        sa.Column("pictures", sa.LargeBinary, nullable=False),
        sa.Column("absent_evidence", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "calibration",
        sa.Column(
            "checkpoint_id",
            sa.Integer,
            sa.ForeignKey("checkpoint.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("fitted", sa.String, nullable=False),
    )
    op.create_table(
        "tag",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column(
            "photo_id", sa.Integer, sa.ForeignKey("photo.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column(
            "checkpoint_id",
            sa.Integer,
            sa.ForeignKey("checkpoint.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("probability", sa.Double, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_tag_photo_id", "tag", ["photo_id"])
