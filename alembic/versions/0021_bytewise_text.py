"""PostgreSQL orders text by its bytes from now on, as SQLite always does."""

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_TEXTS = {
    "checkpoint": ("fingerprint", "preprocessing", "token"),
    "other_file": ("holds",),
    "photo": (
        "format",
        "taken_at",
        "date_source",
        "camera",
        "city",
        "region",
        "country",
        "place_source",
        "lens",
        "title",
        "description",
    ),
    "keyword": ("name",),
    "person": ("name",),
    "embedding": ("precision",),
    "failure": ("reason", "kind"),
    "calibration": ("fitted",),
    "embedding_comparison": ("version",),
    "tag_name": ("name",),
    "tag": ("name",),
    "hand_tag_name": ("name",),
    "hand_tag": ("name",),
    "setting": ("name", "value"),
    "worker": ("name",),
}


def upgrade() -> None:
    """Change the collation of each column. PostgreSQL makes the indexes on them again."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, columns in _TEXTS.items():
        changes = ", ".join(f'ALTER {name} TYPE varchar COLLATE "C"' for name in columns)
        op.execute(f"ALTER TABLE {table} {changes}")
