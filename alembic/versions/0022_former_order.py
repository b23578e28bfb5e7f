"""What photos were put in order by before a change, so that pages of a list stay whole."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_INTEGER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add the tables, which are empty until something changes."""
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    as_path = sa.LargeBinary if is_postgresql else sa.String
    as_text = sa.String(collation="C" if is_postgresql else None)
    op.create_table(
        "order_revision",
        sa.Column("id", _INTEGER, primary_key=True),
        *(sa.Column(name, _INTEGER, nullable=False) for name in ("number", "kept_from", "marked")),
        sa.Column("marked_at", sa.DateTime, nullable=False),
    )
    for table, columns in (
        (
            "former_photo",
            (
                sa.Column("photo_id", _INTEGER, nullable=False),
                sa.Column("taken_at", as_text),
                sa.Column("rating", _INTEGER),
            ),
        ),
        (
            "former_file",
            (
                sa.Column("folder_id", _INTEGER, nullable=False),
                sa.Column("path", as_path, nullable=False),
                sa.Column("photo_id", _INTEGER),
                sa.Column("missing", sa.Boolean, nullable=False),
            ),
        ),
        (
            "former_folder",
            (
                sa.Column("folder_id", _INTEGER, nullable=False),
                sa.Column("path", as_path, nullable=False),
            ),
        ),
    ):
        op.create_table(
            table,
            sa.Column("id", _INTEGER, primary_key=True),
            sa.Column("number", _INTEGER),
            *columns,
        )
        op.create_index(f"ix_{table}_number", table, ["number"])
