"""The tables. Change them only together with a migration in `alembic/versions`: a test compares the
two, on SQLite and on PostgreSQL.

They are tables of SQLAlchemy Core, because its object mapper would take a tenth of a search's time
to load.
"""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Named,
    Table,
    TypedColumns,
    UniqueConstraint,
    false,
    text,
)

from sigseek.storage.catalog.columns import PathText, PlainText, UtcTime
from sigseek.storage.records import FailureKind

METADATA = MetaData()
"""All tables."""

WHOLE = BigInteger().with_variant(Integer(), "sqlite")
"""Sizes, times in ns and checksums need 64 bits. SQLite's integers have them anyway, and a key must
be called INTEGER there.
"""
TEXT = PlainText()
PATH = PathText()
TIME = UtcTime()


def _id_of(table: str, *, primary_key: bool = False) -> Column[int]:
    """Return a column of ids of rows of another table. Removing the other row removes this one."""
    owner = ForeignKey(f"{table}.id", ondelete="CASCADE")
    return Column(WHOLE, owner, primary_key=primary_key)


class CheckpointColumns(TypedColumns):
    """A checkpoint that embeddings were made with."""

    id: Named[int] = Column(WHOLE, primary_key=True)
    name: Named[str] = Column(PATH)
    """A Hugging Face id, or the path of a directory."""
    fingerprint: Named[str] = Column(TEXT)
    """SHA-256 of the weights."""
    preprocessing: Named[str] = Column(TEXT)
    """Fingerprint of what is done to pixels before the image tower."""
    dimension: Named[int] = Column(WHOLE)
    image_size: Named[int] = Column(WHOLE)
    logit_scale: Named[float]
    """The logarithm of the factor, as checkpoints hold it."""
    logit_bias: Named[float]
    generation: Named[int] = Column(WHOLE, default=0)
    """It grows by one with every transaction that adds or removes embeddings."""
    token: Named[str] = Column(TEXT)
    """A random name for this very row. Index files carry it, so that no library takes another
    library's index for its own.
    """
    embeddings: Named[int] = Column(WHOLE, default=0, server_default="0")
    """The number of the checkpoint's embeddings. Triggers on `embedding` keep it."""


CHECKPOINT = Table(
    "checkpoint",
    METADATA,
    CheckpointColumns,
    UniqueConstraint("fingerprint", "preprocessing"),
)


class FolderColumns(TypedColumns):
    """A directory that the user indexed. No folder is inside another one."""

    id: Named[int] = Column(WHOLE, primary_key=True)
    path: Named[str] = Column(PATH)
    """The absolute path. PostgreSQL keeps paths unique by their SHA-256, because a row of its index
    has 2,704 bytes at most.
    """
    indexed_at: Named[datetime | None] = Column(TIME)
    """The end of the last complete run."""
    excluded: Named[str] = Column(PATH, default="", server_default="")
    """The patterns of files that the user wants left out, one per line, in gitignore's syntax."""


FOLDER = Table(
    "folder",
    METADATA,
    FolderColumns,
    UniqueConstraint("path").ddl_if(dialect="sqlite"),
)


class OtherFileColumns(TypedColumns):
    """A file without a picture's extension, or a link to a directory. Indexing passes it over."""

    id: Named[int] = Column(WHOLE, primary_key=True)
    folder_id: Named[int] = _id_of("folder")
    path: Named[str] = Column(PATH)
    """The path relative to the folder."""
    size: Named[int] = Column(WHOLE)
    mtime_ns: Named[int] = Column(WHOLE)
    holds: Named[str | None] = Column(TEXT)
    """The format of the picture that its first bytes tell, or "directory" for a link to one; None
    for a file that holds no picture.
    """


OTHER_FILE = Table(
    "other_file",
    METADATA,
    OtherFileColumns,
    Index("ix_other_file_folder_id", "folder_id"),
)


class PhotoColumns(TypedColumns):
    """One picture, in whatever files it is."""

    id: Named[int] = Column(WHOLE, primary_key=True)
    digest: Named[bytes] = Column(unique=True)
    """The digest of what decides its pixels. For `digest_version` 0 it is the SHA-256 of all bytes
    of its files.
    """
    width: Named[int] = Column(WHOLE)
    """In pixels, as the picture is shown, with the EXIF orientation applied."""
    height: Named[int] = Column(WHOLE)
    format: Named[str] = Column(TEXT)
    damaged: Named[bool] = Column(default=False, server_default=false())
    """Whether a part of the picture could not be decoded."""
    taken_at: Named[str | None] = Column(TEXT)
    """Local time in ISO 8601 without its offset, as precise as the source: "1978", "1978-05" or
    "1978-05-02T14:30:00". The times that lie in a period are a range of this text.
    """
    utc_offset: Named[int | None] = Column(WHOLE)
    """Minutes by which the camera's clock was ahead of UTC."""
    date_source: Named[str | None] = Column(TEXT)
    """A DateSource. It is None for dates from before schema 0008."""
    camera: Named[str | None] = Column(TEXT)
    latitude: Named[float | None]
    longitude: Named[float | None]
    city: Named[str | None] = Column(TEXT)
    region: Named[str | None] = Column(TEXT)
    country: Named[str | None] = Column(TEXT)
    place_source: Named[str | None] = Column(TEXT)
    """A PlaceSource: who named the city, the region and the country."""
    lens: Named[str | None] = Column(TEXT)
    rating: Named[int | None] = Column(WHOLE)
    """1 to 5, or -1 for a rejected photo."""
    title: Named[str | None] = Column(TEXT)
    description: Named[str | None] = Column(TEXT)
    facts_version: Named[int] = Column(WHOLE, default=0, server_default="0")
    """The version of the reader that read the metadata. 0 means that it has to be read again."""
    digest_version: Named[int] = Column(WHOLE, default=0, server_default="0")
    """The version of the reader that made `digest`. 0 is for photos from before schema 0011."""
    hash_version: Named[int] = Column(WHOLE, default=0, server_default="0")
    """The version of the program's perceptual hashes that the photo's sketches are of. 0 means that
    it has none yet. A photo whose files gave no picture any more has the version, but no sketches.
    """
    several_pictures: Named[bool] = Column(default=False, server_default=false())
    """Whether its files hold more pictures than the one that is known, such as an animation or
    pages. It is False for a photo without a hash.
    """
    color: Named[int | None] = Column(WHOLE)
    """The mean colour, 0xRRGGBB. It is None for photos whose hash was made before schema 0018."""
    pairs_version: Named[int] = Column(WHOLE, default=0, server_default="0")
    """The version of the comparison that compared the photo with all others that have the same
    version. 0 means that it is still to be compared.
    """


# Index files hold ids and may outlive a photo for a while, so an id is never used again.
PHOTO = Table(
    "photo",
    METADATA,
    PhotoColumns,
    Index("ix_photo_facts_version", "facts_version"),
    # Nearly all photos are whole, so only the others are in SQLite's index. PostgreSQL's has
    # all: a word for PostgreSQL here would load its dialect, for every search on SQLite too.
    Index("ix_photo_damaged", "damaged", sqlite_where=text("damaged = 1")),
    Index("ix_photo_digest_version", "digest_version"),
    Index("ix_photo_hash_version", "hash_version"),
    Index("ix_photo_pairs_version", "pairs_version"),
    # Searches by facts read an index alone, and no photo's row.
    *(Index(f"ix_photo_{name}", name) for name in ("taken_at", "camera", "lens", "format")),
    # The index on cities has the whole name of a place, by which photos are counted.
    Index("ix_photo_city", "city", "region", "country"),
    *(Index(f"ix_photo_{name}", name) for name in ("region", "country", "rating")),
    Index("ix_photo_place", "latitude", "longitude"),
    Index("ix_photo_size", "width", "height"),
    sqlite_autoincrement=True,
)


class SketchColumns(TypedColumns):
    """A photo made very small, to find it again in another form: the whole picture, or the part
    inside of its plain margins.
    """

    photo_id: Named[int] = _id_of("photo", primary_key=True)
    is_inner: Named[bool] = Column(primary_key=True)
    """Whether it is the part inside of plain margins."""
    margins: Named[bytes]
    """The widths of what was left out on the left, at the top, on the right and at the bottom, in
    256ths of the picture, a byte each.
    """
    quality: Named[int] = Column(WHOLE)
    """How much there is to tell it from others by, from 0 for a plain picture to 100."""
    bits: Named[bytes]
    """The perceptual hash, 256 bits."""
    variants: Named[bytes]
    """The perceptual hashes of crops from its middle, and of the picture turned a little, one after
    the other.
    """
    levels: Named[bytes]
    """The grey levels of 64 rows of 64 pixels, as a WebP."""


SKETCH = Table("sketch", METADATA, SketchColumns)


class NearPairColumns(TypedColumns):
    """Two photos that look like one shot: their perceptual hashes are alike, and their sketches lie
    over each other.

    All such pairs are here whose two photos have the current `photo.pairs_version`. A row is only
    about looks. The two photos are near duplicates unless they are a `distinct_pair`, their cameras
    say that they were taken at two different seconds, or one of them has `several_pictures`.
    A changed hash removes the photo's rows and sets its `pairs_version` to 0.
    """

    first_id: Named[int] = _id_of("photo", primary_key=True)
    """The photo with the lower id."""
    second_id: Named[int] = _id_of("photo", primary_key=True)


NEAR_PAIR = Table(
    "near_pair",
    METADATA,
    NearPairColumns,
    Index("ix_near_pair_second_id", "second_id"),
    sqlite_with_rowid=False,
)


class EmbeddingPairColumns(TypedColumns):
    """Two photos whose embeddings by a checkpoint are much nearer than usual.

    Such pairs are here of the photos that the checkpoint's `embedding_comparison` is about. Each
    photo is paired with a few of its nearest. A changed embedding comes with a new generation, and
    the next comparison replaces the photo's rows.
    """

    first_id: Named[int] = _id_of("photo", primary_key=True)
    """The photo with the lower id."""
    second_id: Named[int] = _id_of("photo", primary_key=True)
    checkpoint_id: Named[int] = _id_of("checkpoint", primary_key=True)
    cosine: Named[float]
    looks_same: Named[bool | None]
    """Whether their sketches lie over each other as those of one shot do. None means that nobody
    has looked. A changed hash sets it to None.
    """


EMBEDDING_PAIR = Table(
    "embedding_pair",
    METADATA,
    EmbeddingPairColumns,
    Index("ix_embedding_pair_second_id", "second_id"),
    Index("ix_embedding_pair_checkpoint_id", "checkpoint_id"),
    sqlite_with_rowid=False,
)


class EmbeddingComparisonColumns(TypedColumns):
    """A comparison of a checkpoint's embeddings with each other."""

    checkpoint_id: Named[int] = _id_of("checkpoint", primary_key=True)
    version: Named[str] = Column(TEXT)
    """What decides which pairs are found. Those of another version are found again."""
    generation: Named[int] = Column(WHOLE)
    """Embeddings up to this generation of the checkpoint were compared."""
    usual: Named[float]
    """The mean cosine of two photos, by which it is told how near is near."""
    photos: Named[int] = Column(WHOLE)
    """How many photos there were when `usual` was measured."""


EMBEDDING_COMPARISON = Table("embedding_comparison", METADATA, EmbeddingComparisonColumns)


class DistinctPairColumns(TypedColumns):
    """A person's word that two photos are not duplicates of each other."""

    first_id: Named[int] = _id_of("photo", primary_key=True)
    """The photo with the lower id."""
    second_id: Named[int] = _id_of("photo", primary_key=True)


DISTINCT_PAIR = Table(
    "distinct_pair",
    METADATA,
    DistinctPairColumns,
    Index("ix_distinct_pair_second_id", "second_id"),
    sqlite_with_rowid=False,
)


class KeywordColumns(TypedColumns):
    """A keyword. Each is one row, so looking for photos by keyword is a look into an index."""

    id: Named[int] = Column(WHOLE, primary_key=True)
    name: Named[str] = Column(TEXT, unique=True)
    """The keyword as written. The levels of a hierarchy are joined by "|"."""


KEYWORD = Table("keyword", METADATA, KeywordColumns)


class PhotoKeywordColumns(TypedColumns):
    """A photo bears a keyword."""

    keyword_id: Named[int] = _id_of("keyword", primary_key=True)
    photo_id: Named[int] = _id_of("photo", primary_key=True)


PHOTO_KEYWORD = Table(
    "photo_keyword",
    METADATA,
    PhotoKeywordColumns,
    Index("ix_photo_keyword_photo_id", "photo_id"),
    sqlite_with_rowid=False,
)


class PersonColumns(TypedColumns):
    """A person whom photos name."""

    id: Named[int] = Column(WHOLE, primary_key=True)
    name: Named[str] = Column(TEXT, unique=True)


PERSON = Table("person", METADATA, PersonColumns)


class PhotoPersonColumns(TypedColumns):
    """A photo names a person."""

    person_id: Named[int] = _id_of("person", primary_key=True)
    photo_id: Named[int] = _id_of("photo", primary_key=True)


PHOTO_PERSON = Table(
    "photo_person",
    METADATA,
    PhotoPersonColumns,
    Index("ix_photo_person_photo_id", "photo_id"),
    sqlite_with_rowid=False,
)


class FileColumns(TypedColumns):
    """A file that holds a photo."""

    id: Named[int] = Column(WHOLE, primary_key=True)
    folder_id: Named[int] = _id_of("folder")
    path: Named[str] = Column(PATH)
    """The path relative to the folder."""
    photo_id: Named[int] = _id_of("photo")
    size: Named[int] = Column(WHOLE)
    mtime_ns: Named[int] = Column(WHOLE)
    ctime_ns: Named[int | None] = Column(WHOLE)
    """When the system last noted a change of the file. It tells of changes that keep size and
    mtime. None where the system has no such time, or where the file was not looked at since schema
    0011.
    """
    digest: Named[bytes | None]
    """The SHA-256 of all bytes. It is None where it is not known."""
    sidecars: Named[str | None] = Column(PATH)
    """The XMP and JSON files beside it as they were at the last run; None if it has none. They are
    lines of size, mtime in ns and name.
    """
    missing_since: Named[datetime | None] = Column(TIME)
    """The first run that did not find the file; None while it is there."""


FILE = Table(
    "file",
    METADATA,
    FileColumns,
    UniqueConstraint("folder_id", "path").ddl_if(dialect="sqlite"),
    Index("ix_file_photo_id", "photo_id"),
)


class OrderRevisionColumns(TypedColumns):
    """How often anything changed by which photos are put in order: dates, ratings, and the paths of
    files. The table has one row, and none before the first change.
    """

    id: Named[int] = Column(WHOLE, primary_key=True)
    """1, always."""
    number: Named[int] = Column(WHOLE)
    """It grows by one with every transaction that makes such changes."""
    kept_from: Named[int] = Column(WHOLE)
    """What held at this number and at later ones is kept in the tables `former_...`."""
    marked: Named[int] = Column(WHOLE)
    """The number at `marked_at`. It becomes `kept_from` when that is long enough ago."""
    marked_at: Named[datetime] = Column(TIME)


ORDER_REVISION = Table("order_revision", METADATA, OrderRevisionColumns)


class FormerPhotoColumns(TypedColumns):
    """What a photo's row said before a change, as far as photos are put in order by it.

    A row of this kind is kept of each change, so the rows of a photo that is gone stay as well. The
    same holds for former files and folders.
    """

    id: Named[int] = Column(WHOLE, primary_key=True)
    number: Named[int | None] = Column(WHOLE)
    """The `order_revision` that the change made. It is None only within the transaction that makes
    the change, which gets its number last.
    """
    photo_id: Named[int] = Column(WHOLE)
    taken_at: Named[str | None] = Column(TEXT)
    rating: Named[int | None] = Column(WHOLE)


FORMER_PHOTO = Table(
    "former_photo", METADATA, FormerPhotoColumns, Index("ix_former_photo_number", "number")
)


class FormerFileColumns(TypedColumns):
    """What a path held before a change."""

    id: Named[int] = Column(WHOLE, primary_key=True)
    number: Named[int | None] = Column(WHOLE)
    """It is the `order_revision` that the change made, or None, as for a former photo."""
    folder_id: Named[int] = Column(WHOLE)
    path: Named[str] = Column(PATH)
    """The path relative to the folder."""
    photo_id: Named[int | None] = Column(WHOLE)
    """The photo that the file held; None where there was no file."""
    missing: Named[bool]
    """Whether the file was missing at the last run."""


FORMER_FILE = Table(
    "former_file", METADATA, FormerFileColumns, Index("ix_former_file_number", "number")
)


class FormerFolderColumns(TypedColumns):
    """The path of a folder before it was relocated or removed."""

    id: Named[int] = Column(WHOLE, primary_key=True)
    number: Named[int | None] = Column(WHOLE)
    """It is the `order_revision` that the change made, or None, as for a former photo."""
    folder_id: Named[int] = Column(WHOLE)
    path: Named[str] = Column(PATH)


FORMER_FOLDER = Table(
    "former_folder", METADATA, FormerFolderColumns, Index("ix_former_folder_number", "number")
)


class EmbeddingColumns(TypedColumns):
    """What a checkpoint's image tower gave for a photo."""

    checkpoint_id: Named[int] = _id_of("checkpoint", primary_key=True)
    photo_id: Named[int] = _id_of("photo", primary_key=True)
    vector: Named[bytes]
    """The embedding of unit norm, float16 little-endian."""
    precision: Named[str] = Column(TEXT)
    preprocessing_version: Named[int] = Column(WHOLE)
    generation: Named[int] = Column(WHOLE)
    """The checkpoint's generation as of the transaction that added it."""
    checksum: Named[int] = Column(WHOLE, server_default="0")
    """The CRC-32 of `vector`."""


EMBEDDING = Table(
    "embedding",
    METADATA,
    EmbeddingColumns,
    Index("ix_embedding_generation", "checkpoint_id", "generation"),
    # Removing a photo looks for its embeddings.
    Index("ix_embedding_photo_id", "photo_id"),
)


class RemovedEmbeddingColumns(TypedColumns):
    """An embedding that a checkpoint no longer has. Triggers on `embedding` add it.

    An index file of an earlier generation learns from it which of its rows no longer count. Older
    ones are removed, because an index that has many such rows is made again.
    """

    checkpoint_id: Named[int] = _id_of("checkpoint", primary_key=True)
    generation: Named[int] = Column(WHOLE, primary_key=True)
    """The checkpoint's generation as of the transaction that removed it."""
    photo_id: Named[int] = Column(WHOLE, primary_key=True)
    """The id of the photo, which may be gone."""


REMOVED_EMBEDDING = Table(
    "removed_embedding", METADATA, RemovedEmbeddingColumns, sqlite_with_rowid=False
)


class CountChangeColumns(TypedColumns):
    """A change of the numbers of photos and files. Triggers add these rows.

    The sums of all rows are the current numbers. On SQLite each folder has one row, which triggers
    change. On PostgreSQL each statement adds a row; `postgresql_triggers.sql` says when they are
    added up, and docs/architecture.md why.
    """

    id: Named[int] = Column(WHOLE, primary_key=True)
    folder_id: Named[int] = Column(WHOLE)
    """The folder of the files, which may be gone; 0 where photos are counted."""
    photos: Named[int] = Column(WHOLE)
    files: Named[int] = Column(WHOLE)
    """Files, missing ones too."""
    missing: Named[int] = Column(WHOLE)
    """Files that were not found at the last run."""


COUNT_CHANGE = Table(
    "count_change",
    METADATA,
    CountChangeColumns,
    UniqueConstraint("folder_id").ddl_if(dialect="sqlite"),
)


class FacetBlockColumns(TypedColumns):
    """What photos have of one kind that they can be counted by, such as their cameras, so that
    counting them need not read the row of each.

    A block is about the photos whose ids have the same `id >> 14`. An index run makes the blocks
    that are not there. Triggers remove a block when one of its photos changes.
    """

    number: Named[int] = Column(WHOLE, primary_key=True)
    """The upper bits of the photos' ids."""
    kind: Named[str] = Column(TEXT, primary_key=True)
    """`storage/catalog/facet_block.py` has the kinds."""
    words: Named[str] = Column(TEXT)
    """The values that any of the photos has: a list in JSON."""
    codes: Named[bytes]
    """For the lower bits of the ids, up to those of the last photo: 0 where there is no such photo,
    or else the place of its value among the `words`, from 1. One byte each, or two (little-endian)
    where there are more than 255 words.
    """


FACET_BLOCK = Table("facet_block", METADATA, FacetBlockColumns)


class UnheldPhotoColumns(TypedColumns):
    """A photo that may have no file: it lost one, or was added without any.

    A photo without files is looked for among these alone. Triggers note which photos lose a file,
    and who adds a photo notes that it has none. At the end of a run of `index`, and when photos are
    removed, the rows of photos that have files, or are gone, are removed.
    """

    id: Named[int] = Column(WHOLE, primary_key=True)
    photo_id: Named[int] = Column(WHOLE)


UNHELD_PHOTO = Table(
    "unheld_photo", METADATA, UnheldPhotoColumns, Index("ix_unheld_photo_photo_id", "photo_id")
)


class FailureColumns(TypedColumns):
    """A file or directory that could not be used."""

    id: Named[int] = Column(WHOLE, primary_key=True)
    folder_id: Named[int] = _id_of("folder")
    path: Named[str] = Column(PATH)
    reason: Named[str] = Column(TEXT)
    """What went wrong, in words for people. Programs go by `kind`."""
    size: Named[int | None] = Column(WHOLE)
    """The size in bytes when it failed. It is None for a directory, and for a file that could not
    be looked at.
    """
    mtime_ns: Named[int | None] = Column(WHOLE)
    kind: Named[str] = Column(TEXT, server_default=FailureKind.NO_PICTURE.value)
    """A FailureKind."""
    pixels: Named[int | None] = Column(WHOLE)
    """The number of pixels of a picture that was too large."""
    tried_at: Named[datetime | None] = Column(TIME)
    """When it was last tried. It is None for rows from before schema 0005."""
    decoder_version: Named[int] = Column(WHOLE, default=0, server_default="0")
    """The version of the decoder that could not use the file. It is 0 for rows from before schema
    0010.
    """


FAILURE = Table(
    "failure",
    METADATA,
    FailureColumns,
    UniqueConstraint("folder_id", "path").ddl_if(dialect="sqlite"),
)


class BiasColumns(TypedColumns):
    """A photo's bias: the mean of its highest cosines to the common texts."""

    checkpoint_id: Named[int] = Column(WHOLE, primary_key=True)
    photo_id: Named[int] = Column(WHOLE, primary_key=True)
    value: Named[float]


BIAS = Table(
    "bias",
    METADATA,
    BiasColumns,
    ForeignKeyConstraint(
        ["checkpoint_id", "photo_id"],
        ["embedding.checkpoint_id", "embedding.photo_id"],
        ondelete="CASCADE",
    ),
    sqlite_with_rowid=False,
)


class YardstickColumns(TypedColumns):
    """What a checkpoint gives for the texts and pictures of the yardstick."""

    checkpoint_id: Named[int] = _id_of("checkpoint", primary_key=True)
    version: Named[int] = Column(WHOLE)
    """The version of those texts and pictures. The biases are of the same version."""
    generation: Named[int] = Column(WHOLE)
    """Embeddings up to this generation of the checkpoint have been measured."""
    embeddings: Named[int] = Column(WHOLE)
    """The number of embeddings then."""
    pictures: Named[bytes]
    """The embeddings of pictures that show nothing, one after the other: unit norm, float16
    little-endian.
    """
    absent_evidence: Named[bytes]
    """The highest evidence that any photo gave for each absent text, float32 little-endian."""
    common_texts: Named[int] = Column(WHOLE, default=256, server_default="256")
    """The number of common texts that the biases come from. A yardstick grows in steps; before
    schema 0013 it was always whole.
    """


YARDSTICK = Table("reference", METADATA, YardstickColumns)


class CalibrationColumns(TypedColumns):
    """How a checkpoint's scores become probabilities, fitted to captioned pictures."""

    checkpoint_id: Named[int] = _id_of("checkpoint", primary_key=True)
    fitted: Named[str] = Column(TEXT)
    """JSON: the constants, and what they were fitted to."""


CALIBRATION = Table("calibration", METADATA, CalibrationColumns)


class TagNameColumns(TypedColumns):
    """A label that photos were compared with, whether one was found to match or not."""

    name: Named[str] = Column(TEXT, primary_key=True)
    checkpoint_id: Named[int] = _id_of("checkpoint")
    """The checkpoint that judged the photos."""


TAG_NAME = Table("tag_name", METADATA, TagNameColumns)


class TagColumns(TypedColumns):
    """A label that a photo was found to match."""

    name: Named[str] = Column(TEXT, primary_key=True)
    photo_id: Named[int] = _id_of("photo", primary_key=True)
    checkpoint_id: Named[int] = _id_of("checkpoint")
    """The checkpoint that judged it."""
    probability: Named[float]


TAG = Table(
    "tag",
    METADATA,
    TagColumns,
    Index("ix_tag_photo_id", "photo_id"),
    sqlite_with_rowid=False,
)


class HandTagNameColumns(TypedColumns):
    """A tag that a person gave to photos or took back, whether any photo has it or not."""

    name: Named[str] = Column(TEXT, primary_key=True)


HAND_TAG_NAME = Table("hand_tag_name", METADATA, HandTagNameColumns)


class HandTagColumns(TypedColumns):
    """A person's word on whether a photo has a tag. It outweighs what a checkpoint judged."""

    name: Named[str] = Column(TEXT, primary_key=True)
    photo_id: Named[int] = _id_of("photo", primary_key=True)
    given: Named[bool]
    """False where the person took the tag back: the photo has it not, whatever is judged later."""


HAND_TAG = Table(
    "hand_tag",
    METADATA,
    HandTagColumns,
    Index("ix_hand_tag_photo_id", "photo_id"),
    sqlite_with_rowid=False,
)


class SettingColumns(TypedColumns):
    """A choice that holds for the whole library until another one is made."""

    name: Named[str] = Column(TEXT, primary_key=True)
    value: Named[str] = Column(TEXT)


SETTING = Table("setting", METADATA, SettingColumns)


class WorkerColumns(TypedColumns):
    """A process that takes in files together with others, and what it has done so far.

    Rows of processes that have left stay until the next listing, for what they have done.
    """

    id: Named[int] = Column(WHOLE, primary_key=True)
    name: Named[str] = Column(TEXT)
    """The process and its machine, for people."""
    joined_at: Named[datetime] = Column(TIME)
    """The moment, by the database's clock as all times here."""
    lease_until: Named[datetime | None] = Column(TIME)
    """When the others may take its tasks. The worker puts it off while it lives. None for a worker
    that has left.
    """
    listed: Named[int] = Column(WHOLE, default=0, server_default="0")
    """Files that it has added to the tasks of all."""
    done: Named[int] = Column(WHOLE, default=0, server_default="0")
    """Files that it has dealt with, whoever added them."""


WORKER = Table("worker", METADATA, WorkerColumns)


class TaskColumns(TypedColumns):
    """A file that some worker has to take in. The table is empty but while several processes index
    together.
    """

    id: Named[int] = Column(WHOLE, primary_key=True)
    folder_id: Named[int] = _id_of("folder")
    checkpoint_id: Named[int] = _id_of("checkpoint")
    path: Named[str] = Column(PATH)
    """The path relative to the folder."""
    size: Named[int] = Column(WHOLE)
    mtime_ns: Named[int] = Column(WHOLE)
    ctime_ns: Named[int | None] = Column(WHOLE)
    worker_id: Named[int | None] = Column(WHOLE, ForeignKey("worker.id", ondelete="SET NULL"))
    """The worker that has claimed it."""
    tries: Named[int] = Column(WHOLE, default=0, server_default="0")
    """How many workers have claimed it and not left in order. It may be what ended them."""


TASK = Table(
    "task",
    METADATA,
    TaskColumns,
    Index("ix_task_free", "folder_id", "checkpoint_id", "worker_id", "id"),
    Index("ix_task_worker_id", "worker_id"),
    # An id tells a worker's claim from a later task, so it is never used again.
    sqlite_autoincrement=True,
)
