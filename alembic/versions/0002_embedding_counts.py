"""Count a checkpoint's embeddings as they come and go, so that nobody has to count a million rows to open a library."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the count, and the triggers that keep it; removals reach them through the foreign keys' cascades."""
    op.add_column("checkpoint", sa.Column("embeddings", sa.Integer, nullable=False, server_default="0"))
    op.execute("UPDATE checkpoint SET embeddings = (SELECT count(*) FROM embedding WHERE embedding.checkpoint_id = checkpoint.id)")
    for event, row, change in (("INSERT", "new", "+ 1"), ("DELETE", "old", "- 1")):
        op.execute(
            f"CREATE TRIGGER embedding_count_{event.lower()} AFTER {event} ON embedding BEGIN "
            f"UPDATE checkpoint SET embeddings = embeddings {change} WHERE id = {row}.checkpoint_id; END"
        )
