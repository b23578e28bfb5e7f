"""The numbers of photos and files, and which photos may have no file, without reading all rows."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_INTEGER = sa.BigInteger().with_variant(sa.Integer, "sqlite")

_ON_SQLITE = (
    """
CREATE TRIGGER count_photo_insert AFTER INSERT ON photo BEGIN
INSERT INTO count_change (folder_id, photos, files, missing) VALUES (0, 1, 0, 0)
ON CONFLICT (folder_id) DO UPDATE SET photos = photos + 1; END
""",
    """
CREATE TRIGGER count_photo_delete AFTER DELETE ON photo BEGIN
UPDATE count_change SET photos = photos - 1 WHERE folder_id = 0; END
""",
    """
CREATE TRIGGER count_file_insert AFTER INSERT ON file BEGIN
INSERT INTO count_change (folder_id, photos, files, missing)
VALUES (new.folder_id, 0, 1, new.missing_since IS NOT NULL)
ON CONFLICT (folder_id) DO UPDATE SET files = files + 1, missing = missing + excluded.missing; END
""",
    """
CREATE TRIGGER count_file_delete AFTER DELETE ON file BEGIN
UPDATE count_change SET files = files - 1, missing = missing - (old.missing_since IS NOT NULL)
WHERE folder_id = old.folder_id;
INSERT INTO unheld_photo (photo_id) VALUES (old.photo_id); END
""",
    """
CREATE TRIGGER count_file_update AFTER UPDATE OF folder_id, missing_since ON file
WHEN old.folder_id <> new.folder_id
OR (old.missing_since IS NULL) <> (new.missing_since IS NULL) BEGIN
UPDATE count_change SET files = files - 1, missing = missing - (old.missing_since IS NOT NULL)
WHERE folder_id = old.folder_id;
INSERT INTO count_change (folder_id, photos, files, missing)
VALUES (new.folder_id, 0, 1, new.missing_since IS NOT NULL)
ON CONFLICT (folder_id) DO UPDATE SET files = files + 1, missing = missing + excluded.missing; END
""",
    """
CREATE TRIGGER unheld_photo_insert AFTER UPDATE OF photo_id ON file
WHEN old.photo_id <> new.photo_id BEGIN
INSERT INTO unheld_photo (photo_id) VALUES (old.photo_id); END
""",
)
_ON_POSTGRESQL = (
    """
CREATE FUNCTION put_count_changes_together() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
IF random() * 256 < 1 THEN
WITH gone AS (DELETE FROM count_change WHERE id IN
(SELECT id FROM count_change FOR UPDATE SKIP LOCKED) RETURNING folder_id, photos, files, missing)
INSERT INTO count_change (folder_id, photos, files, missing)
SELECT folder_id, sum(photos), sum(files), sum(missing) FROM gone GROUP BY folder_id
HAVING sum(photos) <> 0 OR sum(files) <> 0 OR sum(missing) <> 0;
END IF; END $$
""",
    """
CREATE FUNCTION count_photos() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
INSERT INTO count_change (folder_id, photos, files, missing)
SELECT 0, CASE TG_OP WHEN 'INSERT' THEN count(*) ELSE -count(*) END, 0, 0
FROM changed_rows HAVING count(*) > 0;
PERFORM put_count_changes_together(); RETURN NULL; END $$
""",
    """
CREATE TRIGGER count_photo_insert AFTER INSERT ON photo
REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION count_photos()
""",
    """
CREATE TRIGGER count_photo_delete AFTER DELETE ON photo
REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION count_photos()
""",
    """
CREATE FUNCTION count_new_files() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
INSERT INTO count_change (folder_id, photos, files, missing)
SELECT folder_id, 0, count(*), count(missing_since) FROM new_rows GROUP BY folder_id;
PERFORM put_count_changes_together(); RETURN NULL; END $$
""",
    """
CREATE FUNCTION count_removed_files() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
INSERT INTO count_change (folder_id, photos, files, missing)
SELECT folder_id, 0, -count(*), -count(missing_since) FROM old_rows GROUP BY folder_id;
INSERT INTO unheld_photo (photo_id) SELECT photo_id FROM old_rows;
PERFORM put_count_changes_together(); RETURN NULL; END $$
""",
    """
CREATE FUNCTION count_changed_files() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
INSERT INTO count_change (folder_id, photos, files, missing)
SELECT folder_id, 0, sum(files), sum(missing) FROM (
SELECT folder_id, 1 AS files, CAST(missing_since IS NOT NULL AS int) AS missing FROM new_rows
UNION ALL SELECT folder_id, -1, -CAST(missing_since IS NOT NULL AS int) FROM old_rows) AS changed
GROUP BY folder_id HAVING sum(files) <> 0 OR sum(missing) <> 0;
INSERT INTO unheld_photo (photo_id) SELECT old_rows.photo_id FROM old_rows
JOIN new_rows ON new_rows.id = old_rows.id WHERE new_rows.photo_id <> old_rows.photo_id;
RETURN NULL; END $$
""",
    """
CREATE TRIGGER count_file_insert AFTER INSERT ON file
REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION count_new_files()
""",
    """
CREATE TRIGGER count_file_delete AFTER DELETE ON file
REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION count_removed_files()
""",
    """
CREATE TRIGGER count_file_update AFTER UPDATE ON file
REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT
EXECUTE FUNCTION count_changed_files()
""",
)
_FIRST_COUNTS = (
    "INSERT INTO count_change (folder_id, photos, files, missing) "
    "SELECT 0, count(*), 0, 0 FROM photo",
    "INSERT INTO count_change (folder_id, photos, files, missing) "
    "SELECT folder_id, 0, count(*), count(missing_since) FROM file GROUP BY folder_id",
    "INSERT INTO unheld_photo (photo_id) SELECT id FROM photo "
    "WHERE NOT EXISTS (SELECT 1 FROM file WHERE file.photo_id = photo.id)",
)


def upgrade() -> None:
    """Add the tables and the triggers that fill them, and count what is there. PostgreSQL lets
    nobody else change a table from its first trigger on, so nothing is missed.
    """
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    counts = ("photos", "files", "missing")
    op.create_table(
        "count_change",
        sa.Column("id", _INTEGER, primary_key=True),
        sa.Column("folder_id", _INTEGER, nullable=False),
        *(sa.Column(name, _INTEGER, nullable=False) for name in counts),
        *(() if is_postgresql else (sa.UniqueConstraint("folder_id"),)),
    )
    op.create_table(
        "unheld_photo",
        sa.Column("id", _INTEGER, primary_key=True),
        sa.Column("photo_id", _INTEGER, nullable=False),
    )
    op.create_index("ix_unheld_photo_photo_id", "unheld_photo", ["photo_id"])
    for statement in _ON_POSTGRESQL if is_postgresql else _ON_SQLITE:
        op.execute(" ".join(statement.split()))
    for statement in _FIRST_COUNTS:
        op.execute(statement)
