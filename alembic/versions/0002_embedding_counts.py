"""Count a checkpoint's embeddings as they come and go; find a photo's embeddings by an index.

So nobody counts a million rows to open a library, nor looks at all embeddings to remove a photo.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index, the count, and the triggers that keep it; removals reach them through the
    foreign keys' cascades.
    """
    op.create_index("ix_embedding_photo_id", "embedding", ["photo_id"])
    op.add_column(
        "checkpoint", sa.Column("embeddings", sa.Integer, nullable=False, server_default="0")
    )
    op.execute(
        "UPDATE checkpoint SET embeddings = "
        "(SELECT count(*) FROM embedding WHERE embedding.checkpoint_id = checkpoint.id)"
    )
    for event, row, change in (("INSERT", "new", "+ 1"), ("DELETE", "old", "- 1")):
        op.execute(
            f"CREATE TRIGGER embedding_count_{event.lower()} AFTER {event} ON embedding BEGIN "
            f"UPDATE checkpoint SET embeddings = embeddings {change} "
            f"WHERE id = {row}.checkpoint_id; END"
        )
