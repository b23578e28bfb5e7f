CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE checkpoint (
	id INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	fingerprint VARCHAR NOT NULL, 
	preprocessing VARCHAR NOT NULL, 
	dimension INTEGER NOT NULL, 
	image_size INTEGER NOT NULL, 
	logit_scale DOUBLE NOT NULL, 
	logit_bias DOUBLE NOT NULL, 
	generation INTEGER NOT NULL, 
	token VARCHAR NOT NULL, embeddings INTEGER DEFAULT '0' NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (fingerprint, preprocessing)
);
CREATE TABLE folder (
	id INTEGER NOT NULL, 
	path VARCHAR NOT NULL, 
	indexed_at DATETIME, excluded VARCHAR DEFAULT '' NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (path)
);
CREATE TABLE photo (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	digest BLOB NOT NULL, 
	width INTEGER NOT NULL, 
	height INTEGER NOT NULL, 
	format VARCHAR NOT NULL, 
	taken_at VARCHAR, 
	camera VARCHAR, 
	latitude DOUBLE, 
	longitude DOUBLE, lens VARCHAR, rating INTEGER, description VARCHAR, date_source VARCHAR, city VARCHAR, region VARCHAR, country VARCHAR, place_source VARCHAR, title VARCHAR, utc_offset INTEGER, facts_version INTEGER DEFAULT '0' NOT NULL, damaged BOOLEAN DEFAULT 0 NOT NULL, digest_version INTEGER DEFAULT '0' NOT NULL, hash_version INTEGER DEFAULT '0' NOT NULL, several_pictures BOOLEAN DEFAULT 0 NOT NULL, pairs_version INTEGER DEFAULT '0' NOT NULL, color INTEGER, 
	UNIQUE (digest)
);
CREATE TABLE file (
	id INTEGER NOT NULL, 
	folder_id INTEGER NOT NULL, 
	path VARCHAR NOT NULL, 
	photo_id INTEGER NOT NULL, 
	size INTEGER NOT NULL, 
	mtime_ns INTEGER NOT NULL, 
	missing_since DATETIME, sidecars VARCHAR, ctime_ns INTEGER, digest BLOB, 
	PRIMARY KEY (id), 
	UNIQUE (folder_id, path), 
	FOREIGN KEY(folder_id) REFERENCES folder (id) ON DELETE CASCADE, 
	FOREIGN KEY(photo_id) REFERENCES photo (id) ON DELETE CASCADE
);
CREATE TABLE embedding (
	checkpoint_id INTEGER NOT NULL, 
	photo_id INTEGER NOT NULL, 
	vector BLOB NOT NULL, 
	precision VARCHAR NOT NULL, 
	preprocessing_version INTEGER NOT NULL, 
	generation INTEGER NOT NULL, checksum INTEGER DEFAULT '0' NOT NULL, 
	PRIMARY KEY (checkpoint_id, photo_id), 
	FOREIGN KEY(checkpoint_id) REFERENCES checkpoint (id) ON DELETE CASCADE, 
	FOREIGN KEY(photo_id) REFERENCES photo (id) ON DELETE CASCADE
);
CREATE TABLE failure (
	id INTEGER NOT NULL, 
	folder_id INTEGER NOT NULL, 
	path VARCHAR NOT NULL, 
	reason VARCHAR NOT NULL, 
	size INTEGER, 
	mtime_ns INTEGER, kind VARCHAR DEFAULT 'no picture' NOT NULL, pixels INTEGER, tried_at DATETIME, decoder_version INTEGER DEFAULT '0' NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (folder_id, path), 
	FOREIGN KEY(folder_id) REFERENCES folder (id) ON DELETE CASCADE
);
CREATE TABLE bias (
	checkpoint_id INTEGER NOT NULL, 
	photo_id INTEGER NOT NULL, 
	value DOUBLE NOT NULL, 
	PRIMARY KEY (checkpoint_id, photo_id), 
	FOREIGN KEY(checkpoint_id, photo_id) REFERENCES embedding (checkpoint_id, photo_id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
CREATE TABLE reference (
	checkpoint_id INTEGER NOT NULL, 
	version INTEGER NOT NULL, 
	generation INTEGER NOT NULL, 
	embeddings INTEGER NOT NULL, 
	pictures BLOB NOT NULL, 
	absent_evidence BLOB NOT NULL, common_texts INTEGER DEFAULT '256' NOT NULL, 
	PRIMARY KEY (checkpoint_id), 
	FOREIGN KEY(checkpoint_id) REFERENCES checkpoint (id) ON DELETE CASCADE
);
CREATE TABLE calibration (
	checkpoint_id INTEGER NOT NULL, 
	fitted VARCHAR NOT NULL, 
	PRIMARY KEY (checkpoint_id), 
	FOREIGN KEY(checkpoint_id) REFERENCES checkpoint (id) ON DELETE CASCADE
);
CREATE TABLE tag (
	name VARCHAR NOT NULL, 
	photo_id INTEGER NOT NULL, 
	checkpoint_id INTEGER NOT NULL, 
	probability DOUBLE NOT NULL, 
	PRIMARY KEY (name, photo_id), 
	FOREIGN KEY(photo_id) REFERENCES photo (id) ON DELETE CASCADE, 
	FOREIGN KEY(checkpoint_id) REFERENCES checkpoint (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
CREATE TABLE setting (
	name VARCHAR NOT NULL, 
	value VARCHAR NOT NULL, 
	PRIMARY KEY (name)
);
CREATE TABLE tag_name (
	name VARCHAR NOT NULL, 
	checkpoint_id INTEGER NOT NULL, 
	PRIMARY KEY (name), 
	FOREIGN KEY(checkpoint_id) REFERENCES checkpoint (id) ON DELETE CASCADE
);
CREATE TABLE keyword (
	id INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (name)
);
CREATE TABLE photo_keyword (
	keyword_id INTEGER NOT NULL, 
	photo_id INTEGER NOT NULL, 
	PRIMARY KEY (keyword_id, photo_id), 
	FOREIGN KEY(keyword_id) REFERENCES keyword (id) ON DELETE CASCADE, 
	FOREIGN KEY(photo_id) REFERENCES photo (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
CREATE TABLE person (
	id INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (name)
);
CREATE TABLE photo_person (
	person_id INTEGER NOT NULL, 
	photo_id INTEGER NOT NULL, 
	PRIMARY KEY (person_id, photo_id), 
	FOREIGN KEY(person_id) REFERENCES person (id) ON DELETE CASCADE, 
	FOREIGN KEY(photo_id) REFERENCES photo (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
CREATE TABLE other_file (
	id INTEGER NOT NULL, 
	folder_id INTEGER NOT NULL, 
	path VARCHAR NOT NULL, 
	size INTEGER NOT NULL, 
	mtime_ns INTEGER NOT NULL, 
	holds VARCHAR, 
	PRIMARY KEY (id), 
	FOREIGN KEY(folder_id) REFERENCES folder (id) ON DELETE CASCADE
);
CREATE TABLE hand_tag_name (
	name VARCHAR NOT NULL, 
	PRIMARY KEY (name)
);
CREATE TABLE hand_tag (
	name VARCHAR NOT NULL, 
	photo_id INTEGER NOT NULL, 
	given BOOLEAN NOT NULL, 
	PRIMARY KEY (name, photo_id), 
	FOREIGN KEY(photo_id) REFERENCES photo (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
CREATE TABLE distinct_pair (
	first_id INTEGER NOT NULL, 
	second_id INTEGER NOT NULL, 
	PRIMARY KEY (first_id, second_id), 
	FOREIGN KEY(first_id) REFERENCES photo (id) ON DELETE CASCADE, 
	FOREIGN KEY(second_id) REFERENCES photo (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
CREATE TABLE sketch (
	photo_id INTEGER NOT NULL, 
	is_inner BOOLEAN NOT NULL, 
	margins BLOB NOT NULL, 
	quality INTEGER NOT NULL, 
	bits BLOB NOT NULL, 
	variants BLOB NOT NULL, 
	levels BLOB NOT NULL, 
	PRIMARY KEY (photo_id, is_inner), 
	FOREIGN KEY(photo_id) REFERENCES photo (id) ON DELETE CASCADE
);
CREATE TABLE near_pair (
	first_id INTEGER NOT NULL, 
	second_id INTEGER NOT NULL, 
	PRIMARY KEY (first_id, second_id), 
	FOREIGN KEY(first_id) REFERENCES photo (id) ON DELETE CASCADE, 
	FOREIGN KEY(second_id) REFERENCES photo (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
CREATE TABLE embedding_pair (
	first_id INTEGER NOT NULL, 
	second_id INTEGER NOT NULL, 
	checkpoint_id INTEGER NOT NULL, 
	cosine DOUBLE NOT NULL, 
	looks_same BOOLEAN, 
	PRIMARY KEY (first_id, second_id, checkpoint_id), 
	FOREIGN KEY(first_id) REFERENCES photo (id) ON DELETE CASCADE, 
	FOREIGN KEY(second_id) REFERENCES photo (id) ON DELETE CASCADE, 
	FOREIGN KEY(checkpoint_id) REFERENCES checkpoint (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
CREATE TABLE embedding_comparison (
	checkpoint_id INTEGER NOT NULL, 
	version VARCHAR NOT NULL, 
	generation INTEGER NOT NULL, 
	usual DOUBLE NOT NULL, 
	photos INTEGER NOT NULL, 
	PRIMARY KEY (checkpoint_id), 
	FOREIGN KEY(checkpoint_id) REFERENCES checkpoint (id) ON DELETE CASCADE
);
CREATE TABLE worker (
	id INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	joined_at DATETIME NOT NULL, 
	lease_until DATETIME, 
	listed INTEGER DEFAULT '0' NOT NULL, 
	done INTEGER DEFAULT '0' NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE task (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	folder_id INTEGER NOT NULL, 
	checkpoint_id INTEGER NOT NULL, 
	path VARCHAR NOT NULL, 
	size INTEGER NOT NULL, 
	mtime_ns INTEGER NOT NULL, 
	ctime_ns INTEGER, 
	worker_id INTEGER, 
	tries INTEGER DEFAULT '0' NOT NULL, 
	FOREIGN KEY(folder_id) REFERENCES folder (id) ON DELETE CASCADE, 
	FOREIGN KEY(checkpoint_id) REFERENCES checkpoint (id) ON DELETE CASCADE, 
	FOREIGN KEY(worker_id) REFERENCES worker (id) ON DELETE SET NULL
);
CREATE TABLE order_revision (
	id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	kept_from INTEGER NOT NULL, 
	marked INTEGER NOT NULL, 
	marked_at DATETIME NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE former_photo (
	id INTEGER NOT NULL, 
	number INTEGER, 
	photo_id INTEGER NOT NULL, 
	taken_at VARCHAR, 
	rating INTEGER, 
	PRIMARY KEY (id)
);
CREATE TABLE former_file (
	id INTEGER NOT NULL, 
	number INTEGER, 
	folder_id INTEGER NOT NULL, 
	path VARCHAR NOT NULL, 
	photo_id INTEGER, 
	missing BOOLEAN NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE former_folder (
	id INTEGER NOT NULL, 
	number INTEGER, 
	folder_id INTEGER NOT NULL, 
	path VARCHAR NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE removed_embedding (
	checkpoint_id INTEGER NOT NULL, 
	generation INTEGER NOT NULL, 
	photo_id INTEGER NOT NULL, 
	PRIMARY KEY (checkpoint_id, generation, photo_id), 
	FOREIGN KEY(checkpoint_id) REFERENCES checkpoint (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
CREATE TABLE count_change (
	id INTEGER NOT NULL, 
	folder_id INTEGER NOT NULL, 
	photos INTEGER NOT NULL, 
	files INTEGER NOT NULL, 
	missing INTEGER NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (folder_id)
);
CREATE TABLE unheld_photo (
	id INTEGER NOT NULL, 
	photo_id INTEGER NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE facet_block (
	number INTEGER NOT NULL, 
	kind VARCHAR NOT NULL, 
	words VARCHAR NOT NULL, 
	codes BLOB NOT NULL, 
	PRIMARY KEY (number, kind)
);
CREATE INDEX ix_file_photo_id ON file (photo_id);
CREATE INDEX ix_embedding_generation ON embedding (checkpoint_id, generation);
CREATE INDEX ix_embedding_photo_id ON embedding (photo_id);
CREATE TRIGGER embedding_count_insert AFTER INSERT ON embedding BEGIN UPDATE checkpoint SET embeddings = embeddings + 1 WHERE id = new.checkpoint_id; END;
CREATE TRIGGER embedding_count_delete AFTER DELETE ON embedding BEGIN UPDATE checkpoint SET embeddings = embeddings - 1 WHERE id = old.checkpoint_id; END;
CREATE INDEX ix_tag_photo_id ON tag (photo_id);
CREATE INDEX ix_photo_facts_version ON photo (facts_version);
CREATE INDEX ix_photo_keyword_photo_id ON photo_keyword (photo_id);
CREATE INDEX ix_photo_person_photo_id ON photo_person (photo_id);
CREATE INDEX ix_photo_damaged ON photo (damaged) WHERE damaged = 1;
CREATE INDEX ix_other_file_folder_id ON other_file (folder_id);
CREATE INDEX ix_photo_digest_version ON photo (digest_version);
CREATE INDEX ix_hand_tag_photo_id ON hand_tag (photo_id);
CREATE INDEX ix_photo_hash_version ON photo (hash_version);
CREATE INDEX ix_distinct_pair_second_id ON distinct_pair (second_id);
CREATE INDEX ix_photo_taken_at ON photo (taken_at);
CREATE INDEX ix_photo_camera ON photo (camera);
CREATE INDEX ix_photo_lens ON photo (lens);
CREATE INDEX ix_photo_format ON photo (format);
CREATE INDEX ix_photo_region ON photo (region);
CREATE INDEX ix_photo_country ON photo (country);
CREATE INDEX ix_photo_rating ON photo (rating);
CREATE INDEX ix_photo_place ON photo (latitude, longitude);
CREATE INDEX ix_photo_size ON photo (width, height);
CREATE INDEX ix_photo_city ON photo (city, region, country);
CREATE INDEX ix_photo_pairs_version ON photo (pairs_version);
CREATE INDEX ix_near_pair_second_id ON near_pair (second_id);
CREATE INDEX ix_embedding_pair_second_id ON embedding_pair (second_id);
CREATE INDEX ix_embedding_pair_checkpoint_id ON embedding_pair (checkpoint_id);
CREATE INDEX ix_task_free ON task (folder_id, checkpoint_id, worker_id, id);
CREATE INDEX ix_task_worker_id ON task (worker_id);
CREATE INDEX ix_former_photo_number ON former_photo (number);
CREATE INDEX ix_former_file_number ON former_file (number);
CREATE INDEX ix_former_folder_number ON former_folder (number);
CREATE TRIGGER removed_embedding_insert AFTER DELETE ON embedding BEGIN INSERT OR IGNORE INTO removed_embedding (checkpoint_id, generation, photo_id) SELECT id, generation + 1, old.photo_id FROM checkpoint WHERE id = old.checkpoint_id; END;
CREATE INDEX ix_unheld_photo_photo_id ON unheld_photo (photo_id);
CREATE TRIGGER count_photo_insert AFTER INSERT ON photo BEGIN INSERT INTO count_change (folder_id, photos, files, missing) VALUES (0, 1, 0, 0) ON CONFLICT (folder_id) DO UPDATE SET photos = photos + 1; END;
CREATE TRIGGER count_photo_delete AFTER DELETE ON photo BEGIN UPDATE count_change SET photos = photos - 1 WHERE folder_id = 0; END;
CREATE TRIGGER count_file_insert AFTER INSERT ON file BEGIN INSERT INTO count_change (folder_id, photos, files, missing) VALUES (new.folder_id, 0, 1, new.missing_since IS NOT NULL) ON CONFLICT (folder_id) DO UPDATE SET files = files + 1, missing = missing + excluded.missing; END;
CREATE TRIGGER count_file_delete AFTER DELETE ON file BEGIN UPDATE count_change SET files = files - 1, missing = missing - (old.missing_since IS NOT NULL) WHERE folder_id = old.folder_id; INSERT INTO unheld_photo (photo_id) VALUES (old.photo_id); END;
CREATE TRIGGER count_file_update AFTER UPDATE OF folder_id, missing_since ON file WHEN old.folder_id <> new.folder_id OR (old.missing_since IS NULL) <> (new.missing_since IS NULL) BEGIN UPDATE count_change SET files = files - 1, missing = missing - (old.missing_since IS NOT NULL) WHERE folder_id = old.folder_id; INSERT INTO count_change (folder_id, photos, files, missing) VALUES (new.folder_id, 0, 1, new.missing_since IS NOT NULL) ON CONFLICT (folder_id) DO UPDATE SET files = files + 1, missing = missing + excluded.missing; END;
CREATE TRIGGER unheld_photo_insert AFTER UPDATE OF photo_id ON file WHEN old.photo_id <> new.photo_id BEGIN INSERT INTO unheld_photo (photo_id) VALUES (old.photo_id); END;
CREATE TRIGGER facet_block_photo_insert AFTER INSERT ON photo BEGIN DELETE FROM facet_block WHERE number = new.id >> 14; END;
CREATE TRIGGER facet_block_photo_delete AFTER DELETE ON photo BEGIN DELETE FROM facet_block WHERE number = old.id >> 14; END;
CREATE TRIGGER facet_block_photo_update AFTER UPDATE OF taken_at, camera, city, region, country, format, rating ON photo WHEN old.taken_at IS NOT new.taken_at OR old.camera IS NOT new.camera OR old.city IS NOT new.city OR old.region IS NOT new.region OR old.country IS NOT new.country OR old.format IS NOT new.format OR old.rating IS NOT new.rating BEGIN DELETE FROM facet_block WHERE number = new.id >> 14 AND kind <> 'folder'; END;
CREATE TRIGGER facet_block_file_insert AFTER INSERT ON file BEGIN DELETE FROM facet_block WHERE number = new.photo_id >> 14 AND kind = 'folder'; END;
CREATE TRIGGER facet_block_file_delete AFTER DELETE ON file BEGIN DELETE FROM facet_block WHERE number = old.photo_id >> 14 AND kind = 'folder'; END;
CREATE TRIGGER facet_block_file_update AFTER UPDATE OF folder_id, photo_id ON file WHEN old.folder_id <> new.folder_id OR old.photo_id <> new.photo_id BEGIN DELETE FROM facet_block WHERE number IN (old.photo_id >> 14, new.photo_id >> 14) AND kind = 'folder'; END;
