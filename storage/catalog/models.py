"""The tables. Change them only together with a migration in `alembic/versions`: a test compares the
two, on SQLite and on PostgreSQL.
"""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    DateTime,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from sigseek.storage.catalog.columns import PathText, PlainText
from sigseek.storage.records import FailureKind


class Base(DeclarativeBase):
    """The base of all tables."""

    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own way
        # Sizes, times in ns and checksums need 64 bits. SQLite's integers have them anyway, and a
        # key must be called INTEGER there.
        int: BigInteger().with_variant(Integer(), "sqlite"),
        float: Double(),
        str: PlainText(),
        bytes: LargeBinary(),
        datetime: DateTime(),
    }
    """Times are UTC and have no time zone."""


class CheckpointRow(Base):
    """A checkpoint that embeddings were made with."""

    __tablename__ = "checkpoint"
    __table_args__ = (UniqueConstraint("fingerprint", "preprocessing"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(PathText)
    """A Hugging Face id, or the path of a directory."""
    fingerprint: Mapped[str]
    """SHA-256 of the weights."""
    preprocessing: Mapped[str]
    """Fingerprint of what is done to pixels before the image tower."""
    dimension: Mapped[int]
    image_size: Mapped[int]
    logit_scale: Mapped[float]
    """The logarithm of the factor, as checkpoints hold it."""
    logit_bias: Mapped[float]
    generation: Mapped[int] = mapped_column(default=0)
    """It grows by one with every transaction that adds or removes embeddings."""
    token: Mapped[str]
    """A random name for this very row. Index files carry it, so that no library takes another
    library's index for its own.
    """
    embeddings: Mapped[int] = mapped_column(default=0, server_default="0")
    """The number of the checkpoint's embeddings. Triggers on `embedding` keep it."""


class FolderRow(Base):
    """A directory that the user indexed. No folder is inside another one."""

    __tablename__ = "folder"
    __table_args__ = (UniqueConstraint("path").ddl_if(dialect="sqlite"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(PathText)
    """The absolute path. PostgreSQL keeps paths unique by their SHA-256, because a row of its index
    has 2,704 bytes at most.
    """
    indexed_at: Mapped[datetime | None]
    """The end of the last complete run."""
    excluded: Mapped[str] = mapped_column(PathText, default="", server_default="")
    """The patterns of files that the user wants left out, one per line, in gitignore's syntax."""


class OtherFileRow(Base):
    """A file without a picture's extension, or a link to a directory. Indexing passes it over."""

    __tablename__ = "other_file"
    __table_args__ = (Index("ix_other_file_folder_id", "folder_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    folder_id: Mapped[int] = mapped_column(ForeignKey("folder.id", ondelete="CASCADE"))
    path: Mapped[str] = mapped_column(PathText)
    """The path relative to the folder."""
    size: Mapped[int]
    mtime_ns: Mapped[int]
    holds: Mapped[str | None]
    """The format of the picture that its first bytes tell, or "directory" for a link to one; None
    for a file that holds no picture.
    """


class PhotoRow(Base):
    """One picture, in whatever files it is."""

    __tablename__ = "photo"
    # Index files hold ids and may outlive a photo for a while, so an id is never used again.
    __table_args__ = (
        Index("ix_photo_facts_version", "facts_version"),
        # Nearly all photos are whole, so only the others are in SQLite's index. PostgreSQL's has
        # all: a word for PostgreSQL here would load its dialect, for every search on SQLite too.
        Index("ix_photo_damaged", "damaged", sqlite_where=text("damaged = 1")),
        Index("ix_photo_digest_version", "digest_version"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[bytes] = mapped_column(unique=True)
    """The digest of what decides its pixels. For `digest_version` 0 it is the SHA-256 of all bytes
    of its files.
    """
    width: Mapped[int]
    """In pixels, as the picture is shown, with the EXIF orientation applied."""
    height: Mapped[int]
    format: Mapped[str]
    damaged: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether a part of the picture could not be decoded."""
    taken_at: Mapped[str | None]
    """Local time in ISO 8601 without its offset, as precise as the source: "1978", "1978-05" or
    "1978-05-02T14:30:00". The times that lie in a period are a range of this text.
    """
    utc_offset: Mapped[int | None]
    """Minutes by which the camera's clock was ahead of UTC."""
    date_source: Mapped[str | None]
    """A DateSource. It is None for dates of before schema 0008."""
    camera: Mapped[str | None]
    latitude: Mapped[float | None]
    longitude: Mapped[float | None]
    city: Mapped[str | None]
    region: Mapped[str | None]
    country: Mapped[str | None]
    place_source: Mapped[str | None]
    """A PlaceSource: who named the city, the region and the country."""
    lens: Mapped[str | None]
    rating: Mapped[int | None]
    """1 to 5, or -1 for a rejected photo."""
    title: Mapped[str | None]
    description: Mapped[str | None]
    facts_version: Mapped[int] = mapped_column(default=0, server_default="0")
    """The version of the reader that read the metadata. 0 means that it has to be read again."""
    digest_version: Mapped[int] = mapped_column(default=0, server_default="0")
    """The version of the reader that made `digest`. 0 is for photos of before schema 0011."""


class KeywordRow(Base):
    """A keyword. Each is one row, so looking for photos by keyword is a look into an index."""

    __tablename__ = "keyword"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    """The keyword as written. The levels of a hierarchy are joined by "|"."""


class PhotoKeywordRow(Base):
    """A photo bears a keyword."""

    __tablename__ = "photo_keyword"
    __table_args__ = (
        Index("ix_photo_keyword_photo_id", "photo_id"),
        {"sqlite_with_rowid": False},
    )

    keyword_id: Mapped[int] = mapped_column(
        ForeignKey("keyword.id", ondelete="CASCADE"), primary_key=True
    )
    photo_id: Mapped[int] = mapped_column(
        ForeignKey("photo.id", ondelete="CASCADE"), primary_key=True
    )


class PersonRow(Base):
    """A person whom photos name."""

    __tablename__ = "person"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)


class PhotoPersonRow(Base):
    """A photo names a person."""

    __tablename__ = "photo_person"
    __table_args__ = (
        Index("ix_photo_person_photo_id", "photo_id"),
        {"sqlite_with_rowid": False},
    )

    person_id: Mapped[int] = mapped_column(
        ForeignKey("person.id", ondelete="CASCADE"), primary_key=True
    )
    photo_id: Mapped[int] = mapped_column(
        ForeignKey("photo.id", ondelete="CASCADE"), primary_key=True
    )


class FileRow(Base):
    """A file that holds a photo."""

    __tablename__ = "file"
    __table_args__ = (
        UniqueConstraint("folder_id", "path").ddl_if(dialect="sqlite"),
        Index("ix_file_photo_id", "photo_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    folder_id: Mapped[int] = mapped_column(ForeignKey("folder.id", ondelete="CASCADE"))
    path: Mapped[str] = mapped_column(PathText)
    """The path relative to the folder."""
    photo_id: Mapped[int] = mapped_column(ForeignKey("photo.id", ondelete="CASCADE"))
    size: Mapped[int]
    mtime_ns: Mapped[int]
    ctime_ns: Mapped[int | None]
    """When the system last noted a change of the file. It tells of changes that keep size and
    mtime. None where the system has no such time, or where the file was not looked at since schema
    0011.
    """
    digest: Mapped[bytes | None]
    """The SHA-256 of all bytes. It is None where it is not known."""
    sidecars: Mapped[str | None] = mapped_column(PathText)
    """The XMP and JSON files beside it as they were at the last run; None if it has none. They are
    lines of size, mtime in ns and name.
    """
    missing_since: Mapped[datetime | None]
    """The first run that did not find the file; None while it is there."""


class EmbeddingRow(Base):
    """What a checkpoint's image tower gave for a photo."""

    __tablename__ = "embedding"
    __table_args__ = (
        Index("ix_embedding_generation", "checkpoint_id", "generation"),
        Index("ix_embedding_photo_id", "photo_id"),  # removing a photo looks for its embeddings
    )

    checkpoint_id: Mapped[int] = mapped_column(
        ForeignKey("checkpoint.id", ondelete="CASCADE"), primary_key=True
    )
    photo_id: Mapped[int] = mapped_column(
        ForeignKey("photo.id", ondelete="CASCADE"), primary_key=True
    )
    vector: Mapped[bytes]
    """The embedding of unit norm, float16 little-endian."""
    precision: Mapped[str]
    preprocessing_version: Mapped[int]
    generation: Mapped[int]
    """The checkpoint's generation as of the transaction that added it."""
    checksum: Mapped[int] = mapped_column(server_default="0")
    """The CRC-32 of `vector`."""


class FailureRow(Base):
    """A file or directory that could not be used."""

    __tablename__ = "failure"
    __table_args__ = (UniqueConstraint("folder_id", "path").ddl_if(dialect="sqlite"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    folder_id: Mapped[int] = mapped_column(ForeignKey("folder.id", ondelete="CASCADE"))
    path: Mapped[str] = mapped_column(PathText)
    reason: Mapped[str]
    """What went wrong, in words for people. Programs go by `kind`."""
    size: Mapped[int | None]
    """The size in bytes when it failed. It is None for a directory, and for a file that could not
    be looked at.
    """
    mtime_ns: Mapped[int | None]
    kind: Mapped[str] = mapped_column(server_default=FailureKind.NO_PICTURE.value)
    """A FailureKind."""
    pixels: Mapped[int | None]
    """The number of pixels of a picture that was too large."""
    tried_at: Mapped[datetime | None]
    """When it was last tried, in UTC. It is None for rows of before schema 0005."""
    decoder_version: Mapped[int] = mapped_column(default=0, server_default="0")
    """The version of the decoder that could not use the file; 0 for rows of before schema 0010."""


class BiasRow(Base):
    """A photo's bias: the mean of its highest cosines to the common texts."""

    __tablename__ = "bias"
    __table_args__ = (
        ForeignKeyConstraint(
            ["checkpoint_id", "photo_id"],
            ["embedding.checkpoint_id", "embedding.photo_id"],
            ondelete="CASCADE",
        ),
        {"sqlite_with_rowid": False},
    )

    checkpoint_id: Mapped[int] = mapped_column(primary_key=True)
    photo_id: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[float]


class YardstickRow(Base):
    """What a checkpoint gives for the texts and pictures of the yardstick."""

    __tablename__ = "reference"

    checkpoint_id: Mapped[int] = mapped_column(
        ForeignKey("checkpoint.id", ondelete="CASCADE"), primary_key=True
    )
    version: Mapped[int]
    """The version of those texts and pictures. The biases are of the same version."""
    generation: Mapped[int]
    """Embeddings up to this generation of the checkpoint have been measured."""
    embeddings: Mapped[int]
    """The number of embeddings then."""
    pictures: Mapped[bytes]
    """The embeddings of pictures that show nothing, one after the other: unit norm, float16
    little-endian.
    """
    absent_evidence: Mapped[bytes]
    """The highest evidence that any photo gave for each absent text, float32 little-endian."""
    common_texts: Mapped[int] = mapped_column(default=256, server_default="256")
    """The number of common texts that the biases come from. A yardstick grows in steps; before
    schema 0013 it was always whole.
    """


class CalibrationRow(Base):
    """How a checkpoint's scores become probabilities, fitted to captioned pictures."""

    __tablename__ = "calibration"

    checkpoint_id: Mapped[int] = mapped_column(
        ForeignKey("checkpoint.id", ondelete="CASCADE"), primary_key=True
    )
    fitted: Mapped[str]
    """JSON: the constants, and what they were fitted to."""


class TagNameRow(Base):
    """A label that photos were compared with, whether one was found to match or not."""

    __tablename__ = "tag_name"

    name: Mapped[str] = mapped_column(primary_key=True)
    checkpoint_id: Mapped[int] = mapped_column(ForeignKey("checkpoint.id", ondelete="CASCADE"))
    """The checkpoint that judged the photos."""


class TagRow(Base):
    """A label that a photo was found to match."""

    __tablename__ = "tag"
    __table_args__ = (Index("ix_tag_photo_id", "photo_id"), {"sqlite_with_rowid": False})

    name: Mapped[str] = mapped_column(primary_key=True)
    photo_id: Mapped[int] = mapped_column(
        ForeignKey("photo.id", ondelete="CASCADE"), primary_key=True
    )
    checkpoint_id: Mapped[int] = mapped_column(ForeignKey("checkpoint.id", ondelete="CASCADE"))
    """The checkpoint that judged it."""
    probability: Mapped[float]


class HandTagNameRow(Base):
    """A tag that a person gave to photos or took back, whether any photo has it or not."""

    __tablename__ = "hand_tag_name"

    name: Mapped[str] = mapped_column(primary_key=True)


class HandTagRow(Base):
    """A person's word on whether a photo has a tag. It outweighs what a checkpoint judged."""

    __tablename__ = "hand_tag"
    __table_args__ = (Index("ix_hand_tag_photo_id", "photo_id"), {"sqlite_with_rowid": False})

    name: Mapped[str] = mapped_column(primary_key=True)
    photo_id: Mapped[int] = mapped_column(
        ForeignKey("photo.id", ondelete="CASCADE"), primary_key=True
    )
    given: Mapped[bool]
    """False where the person took the tag back: the photo has it not, whatever is judged later."""


class SettingRow(Base):
    """A choice that holds for the whole library until another one is made."""

    __tablename__ = "setting"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]
