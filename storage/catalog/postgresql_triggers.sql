-- The triggers of a new library in PostgreSQL, and their functions. A blank line ends a statement.
-- `newest.sql` has those of SQLite. Each runs once for a statement: for each row, one update would
-- make a checkpoint's row grow a long chain of versions.

CREATE FUNCTION embedding_count_insert() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
UPDATE checkpoint SET embeddings = embeddings + changed.number FROM
(SELECT checkpoint_id, count(*) AS number FROM changed_rows GROUP BY checkpoint_id
ORDER BY checkpoint_id) AS changed
WHERE checkpoint.id = changed.checkpoint_id; RETURN NULL; END $$

CREATE TRIGGER embedding_count_insert AFTER INSERT ON embedding
REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT
EXECUTE FUNCTION embedding_count_insert()

CREATE FUNCTION embedding_count_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
UPDATE checkpoint SET embeddings = embeddings - changed.number FROM
(SELECT checkpoint_id, count(*) AS number FROM changed_rows GROUP BY checkpoint_id
ORDER BY checkpoint_id) AS changed
WHERE checkpoint.id = changed.checkpoint_id; RETURN NULL; END $$

CREATE TRIGGER embedding_count_delete AFTER DELETE ON embedding
REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT
EXECUTE FUNCTION embedding_count_delete()

-- It runs after `embedding_count_delete`, as triggers do by name, which has locked the checkpoint's
-- row: the generation is still the same when the transaction counts it up.
CREATE FUNCTION removed_embedding_insert() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
INSERT INTO removed_embedding (checkpoint_id, generation, photo_id)
SELECT checkpoint.id, checkpoint.generation + 1, photo_id FROM removed_rows
JOIN checkpoint ON checkpoint.id = removed_rows.checkpoint_id ON CONFLICT DO NOTHING;
RETURN NULL; END $$

CREATE TRIGGER removed_embedding_insert AFTER DELETE ON embedding
REFERENCING OLD TABLE AS removed_rows FOR EACH STATEMENT
EXECUTE FUNCTION removed_embedding_insert()

-- One of some 256 statements adds up what is there, so that there are never many rows to add up. It
-- passes over rows that another statement is about to add up, and waits for nobody. An update does
-- not add up: a folder's files move one at a statement, and each time all rows of the transaction
-- would be gone through.
CREATE FUNCTION put_count_changes_together() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
IF random() * 256 < 1 THEN
WITH gone AS (DELETE FROM count_change WHERE id IN
(SELECT id FROM count_change FOR UPDATE SKIP LOCKED) RETURNING folder_id, photos, files, missing)
INSERT INTO count_change (folder_id, photos, files, missing)
SELECT folder_id, sum(photos), sum(files), sum(missing) FROM gone GROUP BY folder_id
HAVING sum(photos) <> 0 OR sum(files) <> 0 OR sum(missing) <> 0;
END IF; END $$

CREATE FUNCTION count_photos() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
INSERT INTO count_change (folder_id, photos, files, missing)
SELECT 0, CASE TG_OP WHEN 'INSERT' THEN count(*) ELSE -count(*) END, 0, 0
FROM changed_rows HAVING count(*) > 0;
PERFORM put_count_changes_together(); RETURN NULL; END $$

CREATE TRIGGER count_photo_insert AFTER INSERT ON photo
REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION count_photos()

CREATE TRIGGER count_photo_delete AFTER DELETE ON photo
REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION count_photos()

CREATE FUNCTION count_new_files() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
INSERT INTO count_change (folder_id, photos, files, missing)
SELECT folder_id, 0, count(*), count(missing_since) FROM new_rows GROUP BY folder_id;
PERFORM put_count_changes_together(); RETURN NULL; END $$

CREATE FUNCTION count_removed_files() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
INSERT INTO count_change (folder_id, photos, files, missing)
SELECT folder_id, 0, -count(*), -count(missing_since) FROM old_rows GROUP BY folder_id;
INSERT INTO unheld_photo (photo_id) SELECT photo_id FROM old_rows;
PERFORM put_count_changes_together(); RETURN NULL; END $$

-- It does not join the old rows with the new ones, which takes quadratic time where the table was not
-- analysed yet.
CREATE FUNCTION count_changed_files() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
INSERT INTO count_change (folder_id, photos, files, missing)
SELECT folder_id, 0, sum(files), sum(missing) FROM (
SELECT folder_id, 1 AS files, CAST(missing_since IS NOT NULL AS int) AS missing FROM new_rows
UNION ALL SELECT folder_id, -1, -CAST(missing_since IS NOT NULL AS int) FROM old_rows) AS changed
GROUP BY folder_id HAVING sum(files) <> 0 OR sum(missing) <> 0;
INSERT INTO unheld_photo (photo_id)
SELECT photo_id FROM old_rows EXCEPT SELECT photo_id FROM new_rows;
RETURN NULL; END $$

CREATE TRIGGER count_file_insert AFTER INSERT ON file
REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION count_new_files()

CREATE TRIGGER count_file_delete AFTER DELETE ON file
REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION count_removed_files()

CREATE TRIGGER count_file_update AFTER UPDATE ON file
REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT
EXECUTE FUNCTION count_changed_files()

CREATE FUNCTION remove_facet_blocks() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
DELETE FROM facet_block WHERE number IN (SELECT id >> 14 FROM changed_rows); RETURN NULL; END $$

CREATE TRIGGER facet_block_photo_insert AFTER INSERT ON photo
REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION remove_facet_blocks()

CREATE TRIGGER facet_block_photo_delete AFTER DELETE ON photo
REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION remove_facet_blocks()

CREATE FUNCTION remove_facet_blocks_of_facts() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
DELETE FROM facet_block WHERE number = new.id >> 14 AND kind <> 'folder'; RETURN NULL; END $$

-- It runs for each row that changes, and not for a statement: nearly all updates of photos change
-- something else, and one statement changes one photo.
CREATE TRIGGER facet_block_photo_update AFTER UPDATE OF taken_at, camera, city, region, country,
format, rating ON photo
FOR EACH ROW WHEN (old.taken_at IS DISTINCT FROM new.taken_at OR old.camera IS DISTINCT FROM
new.camera OR old.city IS DISTINCT FROM new.city OR old.region IS DISTINCT FROM new.region OR
old.country IS DISTINCT FROM new.country OR old.format IS DISTINCT FROM new.format OR old.rating IS
DISTINCT FROM new.rating)
EXECUTE FUNCTION remove_facet_blocks_of_facts()

CREATE FUNCTION remove_facet_blocks_of_folders() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
DELETE FROM facet_block WHERE number IN (SELECT photo_id >> 14 FROM changed_rows)
AND kind = 'folder'; RETURN NULL; END $$

CREATE TRIGGER facet_block_file_insert AFTER INSERT ON file
REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT
EXECUTE FUNCTION remove_facet_blocks_of_folders()

CREATE TRIGGER facet_block_file_delete AFTER DELETE ON file
REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT
EXECUTE FUNCTION remove_facet_blocks_of_folders()

CREATE FUNCTION remove_facet_blocks_of_moved_files() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
DELETE FROM facet_block WHERE kind = 'folder' AND number IN
(SELECT photo_id >> 14 FROM (
(SELECT photo_id, folder_id FROM old_rows EXCEPT SELECT photo_id, folder_id FROM new_rows) UNION ALL
(SELECT photo_id, folder_id FROM new_rows EXCEPT SELECT photo_id, folder_id FROM old_rows)
) AS moved); RETURN NULL; END $$

CREATE TRIGGER facet_block_file_update AFTER UPDATE ON file
REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT
EXECUTE FUNCTION remove_facet_blocks_of_moved_files()
