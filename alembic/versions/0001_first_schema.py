"""The first schema has checkpoints, folders, photos, files, embeddings and failures."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make all tables."""
    op.create_table(
        "checkpoint",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("fingerprint", sa.String, nullable=False),
        sa.Column("preprocessing", sa.String, nullable=False),
        sa.Column("dimension", sa.Integer, nullable=False),
        sa.Column("image_size", sa.Integer, nullable=False),
        sa.Column("logit_scale", sa.Double, nullable=False),
        sa.Column("logit_bias", sa.Double, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("token", sa.String, nullable=False),
        sa.UniqueConstraint("fingerprint", "preprocessing"),
    )
    op.create_table(
        "folder",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("path", sa.String, nullable=False, unique=True),
        sa.Column("indexed_at", sa.DateTime),
    )
    op.create_table(
        "photo",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("format", sa.String, nullable=False),
        sa.Column("taken_at", sa.String),
        sa.Column("camera", sa.String),
        sa.Column("latitude", sa.Double),
        sa.Column("longitude", sa.Double),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "file",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column(
            "folder_id", sa.Integer, sa.ForeignKey("folder.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("path", sa.String, nullable=False),
        sa.Column(
            "photo_id", sa.Integer, sa.ForeignKey("photo.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("mtime_ns", sa.Integer, nullable=False),
        sa.Column("missing_since", sa.DateTime),
        sa.UniqueConstraint("folder_id", "path"),
    )
    op.create_index("ix_file_photo_id", "file", ["photo_id"])
    op.create_table(
        "embedding",
        sa.Column(
            "checkpoint_id",
            sa.Integer,
            sa.ForeignKey("checkpoint.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column(
            "photo_id", sa.Integer, sa.ForeignKey("photo.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("vector", sa.LargeBinary, nullable=False),
        sa.Column("precision", sa.String, nullable=False),
        sa.Column("preprocessing_version", sa.Integer, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
    )
    op.create_index("ix_embedding_generation", "embedding", ["checkpoint_id", "generation"])
    op.create_table(
        "failure",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column(
            "folder_id", sa.Integer, sa.ForeignKey("folder.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("path", sa.String, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("size", sa.Integer),
        sa.Column("mtime_ns", sa.Integer),
        sa.UniqueConstraint("folder_id", "path"),
    )
