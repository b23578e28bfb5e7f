"""Blocks of the values that photos are counted by. The next run of `index` makes them."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_INTEGER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")

_FACTS = ("taken_at", "camera", "city", "region", "country", "format", "rating")
_ON_SQLITE = (
    """
CREATE TRIGGER facet_block_photo_insert AFTER INSERT ON photo BEGIN
DELETE FROM facet_block WHERE number = new.id >> 14; END
""",
    """
CREATE TRIGGER facet_block_photo_delete AFTER DELETE ON photo BEGIN
DELETE FROM facet_block WHERE number = old.id >> 14; END
""",
    f"""
CREATE TRIGGER facet_block_photo_update AFTER UPDATE OF {", ".join(_FACTS)} ON photo
WHEN {" OR ".join(f"old.{name} IS NOT new.{name}" for name in _FACTS)} BEGIN
DELETE FROM facet_block WHERE number = new.id >> 14 AND kind <> 'folder'; END
""",
    """
CREATE TRIGGER facet_block_file_insert AFTER INSERT ON file BEGIN
DELETE FROM facet_block WHERE number = new.photo_id >> 14 AND kind = 'folder'; END
""",
    """
CREATE TRIGGER facet_block_file_delete AFTER DELETE ON file BEGIN
DELETE FROM facet_block WHERE number = old.photo_id >> 14 AND kind = 'folder'; END
""",
    """
CREATE TRIGGER facet_block_file_update AFTER UPDATE OF folder_id, photo_id ON file
WHEN old.folder_id <> new.folder_id OR old.photo_id <> new.photo_id BEGIN
DELETE FROM facet_block WHERE number IN (old.photo_id >> 14, new.photo_id >> 14)
AND kind = 'folder'; END
""",
)
_COUNTS = """
CREATE OR REPLACE FUNCTION count_changed_files() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
INSERT INTO count_change (folder_id, photos, files, missing)
SELECT folder_id, 0, sum(files), sum(missing) FROM (
SELECT folder_id, 1 AS files, CAST(missing_since IS NOT NULL AS int) AS missing FROM new_rows
UNION ALL SELECT folder_id, -1, -CAST(missing_since IS NOT NULL AS int) FROM old_rows) AS changed
GROUP BY folder_id HAVING sum(files) <> 0 OR sum(missing) <> 0;
INSERT INTO unheld_photo (photo_id)
SELECT photo_id FROM old_rows EXCEPT SELECT photo_id FROM new_rows;
RETURN NULL; END $$
"""
_ON_POSTGRESQL = (
    _COUNTS,
    """
CREATE FUNCTION remove_facet_blocks() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
DELETE FROM facet_block WHERE number IN (SELECT id >> 14 FROM changed_rows); RETURN NULL; END $$
""",
    """
CREATE TRIGGER facet_block_photo_insert AFTER INSERT ON photo
REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION remove_facet_blocks()
""",
    """
CREATE TRIGGER facet_block_photo_delete AFTER DELETE ON photo
REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION remove_facet_blocks()
""",
    """
CREATE FUNCTION remove_facet_blocks_of_facts() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
DELETE FROM facet_block WHERE number = new.id >> 14 AND kind <> 'folder'; RETURN NULL; END $$
""",
    f"""
CREATE TRIGGER facet_block_photo_update AFTER UPDATE OF {", ".join(_FACTS)} ON photo
FOR EACH ROW WHEN ({" OR ".join(f"old.{name} IS DISTINCT FROM new.{name}" for name in _FACTS)})
EXECUTE FUNCTION remove_facet_blocks_of_facts()
""",
    """
CREATE FUNCTION remove_facet_blocks_of_folders() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
DELETE FROM facet_block WHERE number IN (SELECT photo_id >> 14 FROM changed_rows)
AND kind = 'folder'; RETURN NULL; END $$
""",
    """
CREATE TRIGGER facet_block_file_insert AFTER INSERT ON file
REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT
EXECUTE FUNCTION remove_facet_blocks_of_folders()
""",
    """
CREATE TRIGGER facet_block_file_delete AFTER DELETE ON file
REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT
EXECUTE FUNCTION remove_facet_blocks_of_folders()
""",
    """
CREATE FUNCTION remove_facet_blocks_of_moved_files() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
DELETE FROM facet_block WHERE kind = 'folder' AND number IN
(SELECT photo_id >> 14 FROM (
(SELECT photo_id, folder_id FROM old_rows EXCEPT SELECT photo_id, folder_id FROM new_rows) UNION ALL
(SELECT photo_id, folder_id FROM new_rows EXCEPT SELECT photo_id, folder_id FROM old_rows)
) AS moved); RETURN NULL; END $$
""",
    """
CREATE TRIGGER facet_block_file_update AFTER UPDATE ON file
REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT
EXECUTE FUNCTION remove_facet_blocks_of_moved_files()
""",
)


def upgrade() -> None:
    """Add the table, and the triggers that remove blocks whose photos change. On PostgreSQL, moving
    many files took quadratic time with the function of schema 0024.
    """
    op.create_table(
        "facet_block",
        sa.Column("number", _INTEGER, nullable=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("words", _TEXT, nullable=False),
        sa.Column("codes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", "kind"),
    )
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    for statement in _ON_POSTGRESQL if is_postgresql else _ON_SQLITE:
        op.execute(" ".join(statement.split()))
