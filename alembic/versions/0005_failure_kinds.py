"""Failures know their kind, how many pixels a picture that was too large has, and when they were
tried.

Whether a failure is tried again depends on its kind. The kinds of old rows are read off their
reasons, which until now were all that told them apart. Where a file was to be tried again its size
is missing, and the next run fills it in.

Also, dates of clocks that were never set are removed: year 1 is no date that a photo was taken on.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

KINDS = {
    "too large": ("too large%", "decoding it takes more than % of memory"),
    "slow": ("decoding it was not done after %", "decoding it takes more than % of processor time"),
    "unreadable": (
        "cannot be read: %",
        "cannot be looked at: %",
        "the directory cannot be read: %",
    ),
    "changed while read": ("it changed while it was read%",),
    "unsupported": (
        "PostScript is not read%",
        "vector graphics are not read%",
        "this format is not read%",
    ),
    "interrupted": (
        "the run was ended",
        "no process to decode it in could be started%",
        "decoding it ended the worker process (SIGKILL)",
        "decoding it ended the worker process (SIGTERM)",
        "decoding it ended the worker process (SIGINT)",
        "decoding it ended the worker process (SIGHUP)",
        "decoding it ended the worker process (SIGQUIT)",
    ),
}
"""The kinds of failures, each with the reasons of version 0.1 that mean it. Any other reason means
"no picture".
"""


def upgrade() -> None:
    """Add the columns, fill in the kinds, and remove dates that cannot be true."""
    op.add_column(
        "failure", sa.Column("kind", sa.String, nullable=False, server_default="no picture")
    )
    op.add_column(
        "failure", sa.Column("pixels", sa.BigInteger().with_variant(sa.Integer, "sqlite"))
    )
    op.add_column("failure", sa.Column("tried_at", sa.DateTime))
    failure = sa.table("failure", sa.column("reason", sa.String), sa.column("kind", sa.String))
    for kind, reasons in KINDS.items():
        said = sa.or_(*(failure.c.reason.like(reason) for reason in reasons))
        op.execute(failure.update().where(said).values(kind=kind))
    photo = sa.table("photo", sa.column("taken_at", sa.String))
    op.execute(photo.update().where(photo.c.taken_at < "1826").values(taken_at=None))
