"""The files that several processes take in together, and those processes."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_INTEGER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add the tables, which are empty unless several processes index together."""
    as_path = sa.LargeBinary if op.get_bind().dialect.name == "postgresql" else sa.String
    op.create_table(
        "worker",
        sa.Column("id", _INTEGER, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("joined_at", sa.DateTime, nullable=False),
        sa.Column("lease_until", sa.DateTime),
        *(
            sa.Column(name, _INTEGER, nullable=False, server_default="0")
            for name in ("listed", "done")
        ),
    )
    op.create_table(
        "task",
        sa.Column("id", _INTEGER, primary_key=True),
        *(
            sa.Column(
                f"{owner}_id",
                _INTEGER,
                sa.ForeignKey(f"{owner}.id", ondelete="CASCADE"),
                nullable=False,
            )
            for owner in ("folder", "checkpoint")
        ),
        sa.Column("path", as_path, nullable=False),
        sa.Column("size", _INTEGER, nullable=False),
        sa.Column("mtime_ns", _INTEGER, nullable=False),
        sa.Column("ctime_ns", _INTEGER),
        sa.Column("worker_id", _INTEGER, sa.ForeignKey("worker.id", ondelete="SET NULL")),
        sa.Column("tries", _INTEGER, nullable=False, server_default="0"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_task_free", "task", ["folder_id", "checkpoint_id", "worker_id", "id"])
    op.create_index("ix_task_worker_id", "task", ["worker_id"])
