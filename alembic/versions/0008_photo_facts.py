"""What photos say of themselves: title, people, place names, and where a date comes from.

Times are local from now on, with their UTC offset in a column of its own, so that text orders them.
Each keyword and person is one row, which the photos that bear it refer to. Of a file, the XMP and
JSON files beside it are remembered.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_INTEGER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_LOCAL = len("2021-07-03T18:05:09")


def upgrade() -> None:
    """Add columns and tables. No photo's metadata has been read by a reader that has a version."""
    _add_columns()
    _split_times()
    _part_keywords_from_photos()
    op.create_table(
        "person",
        sa.Column("id", _INTEGER, primary_key=True),
        sa.Column("name", sa.String, nullable=False, unique=True),
    )
    _create_link("person")


def _add_columns() -> None:
    for name in ("date_source", "city", "region", "country", "place_source", "title"):
        op.add_column("photo", sa.Column(name, sa.String))
    op.add_column("photo", sa.Column("utc_offset", _INTEGER))
    op.add_column("photo", sa.Column("facts_version", _INTEGER, nullable=False, server_default="0"))
    op.create_index("ix_photo_facts_version", "photo", ["facts_version"])
    as_path = sa.LargeBinary if op.get_bind().dialect.name == "postgresql" else sa.String
    op.add_column("file", sa.Column("sidecars", as_path))


def _split_times() -> None:
    """Move the offset out of the time. Until now it was always there to the minute."""
    photo = sa.table("photo", sa.column("taken_at", sa.String), sa.column("utc_offset", sa.Integer))
    hours = sa.cast(sa.func.substr(photo.c.taken_at, _LOCAL + 2, 2), sa.Integer)
    minutes = sa.cast(sa.func.substr(photo.c.taken_at, _LOCAL + 5, 2), sa.Integer)
    for sign, factor in (("+", 1), ("-", -1)):
        signed = sa.func.substr(photo.c.taken_at, _LOCAL + 1, 1) == sign
        op.execute(
            photo.update()
            .where(signed)
            .values(
                taken_at=sa.func.substr(photo.c.taken_at, 1, _LOCAL),
                utc_offset=factor * (60 * hours + minutes),
            )
        )


def _part_keywords_from_photos() -> None:
    """Make one row of every keyword, and link the photos to it."""
    old, between = (
        sa.table(table, sa.column("photo_id", _INTEGER), sa.column("name", sa.String))
        for table in ("keyword", "former_keyword")
    )
    op.create_table("former_keyword", sa.Column("photo_id", _INTEGER), sa.Column("name", sa.String))
    rows = sa.select(old.c.photo_id, old.c.name)
    op.execute(between.insert().from_select(["photo_id", "name"], rows))
    op.drop_table("keyword")
    op.create_table(
        "keyword",
        sa.Column("id", _INTEGER, primary_key=True),
        sa.Column("name", sa.String, nullable=False, unique=True),
    )
    _create_link("keyword")
    new = sa.table("keyword", sa.column("id", _INTEGER), sa.column("name", sa.String))
    names = sa.select(between.c.name).distinct().order_by(between.c.name)
    op.execute(new.insert().from_select(["name"], names))
    link = sa.table(
        "photo_keyword", sa.column("keyword_id", _INTEGER), sa.column("photo_id", _INTEGER)
    )
    pairs = sa.select(new.c.id, between.c.photo_id).join(new, new.c.name == between.c.name)
    op.execute(link.insert().from_select(["keyword_id", "photo_id"], pairs))
    op.drop_table("former_keyword")


def _create_link(word: str) -> None:
    """Make the table of the photos that bear a keyword, or name a person."""
    op.create_table(
        f"photo_{word}",
        sa.Column(f"{word}_id", _INTEGER, nullable=False),
        sa.Column("photo_id", _INTEGER, nullable=False),
        sa.ForeignKeyConstraint([f"{word}_id"], [f"{word}.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["photo_id"], ["photo.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint(f"{word}_id", "photo_id"),
        sqlite_with_rowid=False,
    )
    op.create_index(f"ix_photo_{word}_photo_id", f"photo_{word}", ["photo_id"])
