"""The number of common texts that biases come from, because the yardstick grows in steps.

Until now it was made whole at once, with 256 common texts.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column. What an earlier version measured counts as whole."""
    integer = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    common = sa.Column("common_texts", integer, nullable=False, server_default="256")
    op.add_column("reference", common)
