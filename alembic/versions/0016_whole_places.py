"""An index on the whole names of places, by which photos are counted. The cities alone are searched
in it as before. It takes the place of the index on cities.
"""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index anew."""
    op.drop_index("ix_photo_city", "photo")
    op.create_index("ix_photo_city", "photo", ["city", "region", "country"])
