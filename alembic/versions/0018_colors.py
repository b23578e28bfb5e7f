"""The mean colour of each photo."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Photos that were indexed before have no colour, and their grey level stands for it."""
    integer = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.add_column("photo", sa.Column("color", integer))
