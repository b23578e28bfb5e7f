"""Tags are remembered by name, so that a tag that no photo matched is known.

Until now a tag was known by its photos alone.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table, and fill it with the tags that photos have."""
    op.create_table(
        "tag_name",
        sa.Column("name", sa.String, nullable=False),
        sa.Column(
            "checkpoint_id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False
        ),
        sa.ForeignKeyConstraint(["checkpoint_id"], ["checkpoint.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("name"),
    )
    tag, tag_name = (
        sa.table(name, sa.column("name", sa.String), sa.column("checkpoint_id", sa.Integer))
        for name in ("tag", "tag_name")
    )
    names = sa.select(tag.c.name, sa.func.min(tag.c.checkpoint_id)).group_by(tag.c.name)
    op.execute(tag_name.insert().from_select(["name", "checkpoint_id"], names))
