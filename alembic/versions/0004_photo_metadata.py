"""More of what a photo says of itself: lens, rating, description, keywords.

And files of formats that are read from now on are tried again: without this, they would stay failures until they change.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns and table; photos that are known already say nothing there. Failures without size and mtime are tried again."""
    op.add_column("photo", sa.Column("lens", sa.String))
    op.add_column("photo", sa.Column("rating", sa.Integer))
    op.add_column("photo", sa.Column("description", sa.String))
    op.create_table(
        "keyword",
        sa.Column("photo_id", sa.Integer, sa.ForeignKey("photo.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("name", sa.String, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.execute(
        "UPDATE failure SET size = NULL, mtime_ns = NULL "
        "WHERE reason LIKE '%not read yet%' OR reason LIKE 'not a picture, or damaged%'"
    )
