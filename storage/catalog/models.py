"""The tables. Changed only together with a migration in `alembic/versions`; a test compares the two."""

import os
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    String,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from sigseek.storage.records import FailureKind


class PathText(TypeDecorator[str]):
    """A path as text, or as its bytes where they are not UTF-8, which a file name may be on
    Linux.
    """

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | bytes | None:
        """Bytes for what SQLite could not keep as text."""
        if value is None:
            return None
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            return os.fsencode(value)
        return value

    def process_result_value(self, value: str | bytes | None, dialect: Dialect) -> str | None:
        """The path as Python has it."""
        return os.fsdecode(value) if isinstance(value, bytes) else value


class Base(DeclarativeBase):
    """Base of all tables."""


class Checkpoint(Base):
    """A checkpoint that embeddings were made with."""

    __tablename__ = "checkpoint"
    __table_args__ = (UniqueConstraint("fingerprint", "preprocessing"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
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
    """Counted up with every transaction that adds embeddings or takes some away from photos that
    stay.
    """
    token: Mapped[str]
    """Random; ties FAISS files to this very row, so that another library's file is never taken for
    its own.
    """
    embeddings: Mapped[int] = mapped_column(default=0, server_default="0")
    """How many there are, kept by triggers on the table of embeddings."""


class Folder(Base):
    """A root that the user indexed; never inside another one."""

    __tablename__ = "folder"

    id: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(PathText, unique=True)
    indexed_at: Mapped[datetime | None]
    """UTC, end of the last complete run."""


class Photo(Base):
    """One content, wherever it lies."""

    __tablename__ = "photo"
    # Ids name rows of FAISS files, which may outlive a photo for a while: they are never used
    # again.
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    """SHA-256 of all bytes."""
    width: Mapped[int]
    """As shown, with the EXIF orientation applied."""
    height: Mapped[int]
    format: Mapped[str]
    taken_at: Mapped[str | None]
    """ISO 8601, the camera's local time, with its offset where the camera noted one."""
    camera: Mapped[str | None]
    latitude: Mapped[float | None]
    longitude: Mapped[float | None]
    lens: Mapped[str | None]
    rating: Mapped[int | None]
    """1 to 5, or -1 for a rejected photo."""
    description: Mapped[str | None]


class Keyword(Base):
    """A word that somebody gave a photo, and that its file carries."""

    __tablename__ = "keyword"
    __table_args__ = ({"sqlite_with_rowid": False},)

    photo_id: Mapped[int] = mapped_column(
        ForeignKey("photo.id", ondelete="CASCADE"), primary_key=True
    )
    name: Mapped[str] = mapped_column(primary_key=True)


class File(Base):
    """One path of a photo, relative to its folder."""

    __tablename__ = "file"
    __table_args__ = (UniqueConstraint("folder_id", "path"), Index("ix_file_photo_id", "photo_id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    folder_id: Mapped[int] = mapped_column(ForeignKey("folder.id", ondelete="CASCADE"))
    path: Mapped[str] = mapped_column(PathText)
    photo_id: Mapped[int] = mapped_column(ForeignKey("photo.id", ondelete="CASCADE"))
    size: Mapped[int]
    mtime_ns: Mapped[int]
    missing_since: Mapped[datetime | None]
    """UTC of the first run that did not find it; None while it is there."""


class Embedding(Base):
    """What a checkpoint's image tower says of a photo."""

    __tablename__ = "embedding"
    __table_args__ = (
        Index("ix_embedding_generation", "checkpoint_id", "generation"),
        Index("ix_embedding_photo_id", "photo_id"),  # a photo that goes takes its embeddings along
    )

    checkpoint_id: Mapped[int] = mapped_column(
        ForeignKey("checkpoint.id", ondelete="CASCADE"), primary_key=True
    )
    photo_id: Mapped[int] = mapped_column(
        ForeignKey("photo.id", ondelete="CASCADE"), primary_key=True
    )
    vector: Mapped[bytes] = mapped_column(LargeBinary)
    """Unit norm, float16 little-endian."""
    precision: Mapped[str]
    preprocessing_version: Mapped[int]
    generation: Mapped[int]
    """The checkpoint's generation that it came with."""
    checksum: Mapped[int] = mapped_column(server_default="0")
    """CRC-32 of `vector`."""


class Failure(Base):
    """A file or directory that could not be used."""

    __tablename__ = "failure"
    __table_args__ = (UniqueConstraint("folder_id", "path"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    folder_id: Mapped[int] = mapped_column(ForeignKey("folder.id", ondelete="CASCADE"))
    path: Mapped[str] = mapped_column(PathText)
    reason: Mapped[str]
    """In words for people. Programs go by `kind`."""
    size: Mapped[int | None]
    """In bytes, when it failed; None for directories, and for files that could not be looked at."""
    mtime_ns: Mapped[int | None]
    kind: Mapped[str] = mapped_column(server_default=FailureKind.NO_PICTURE.value)
    """A FailureKind."""
    pixels: Mapped[int | None] = mapped_column(BigInteger().with_variant(Integer, "sqlite"))
    """Of a picture that was too large."""
    tried_at: Mapped[datetime | None]
    """UTC; None for rows of before schema 0005."""


class Bias(Base):
    """How high a photo's embedding scores whatever is asked: a cosine, the mean of its highest to
    the common texts.
    """

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


class Reference(Base):
    """What a checkpoint makes of the texts and pictures that are the same for everybody."""

    __tablename__ = "reference"

    checkpoint_id: Mapped[int] = mapped_column(
        ForeignKey("checkpoint.id", ondelete="CASCADE"), primary_key=True
    )
    version: Mapped[int]
    """Of those texts and pictures; the biases are of the same."""
    generation: Mapped[int]
    """The checkpoint's, up to which embeddings have been measured."""
    embeddings: Mapped[int]
    """How many there were."""
    pictures: Mapped[bytes] = mapped_column(LargeBinary)
    """Embeddings of pictures that show nothing: unit norm, float16 little-endian, one after the
    other.
    """
    absent_evidence: Mapped[bytes] = mapped_column(LargeBinary)
    """For each text that next to no photo fits, the highest evidence any photo gave for it: float32
    little-endian.
    """


class Calibration(Base):
    """How a checkpoint's scores become probabilities, fitted to captioned pictures."""

    __tablename__ = "calibration"

    checkpoint_id: Mapped[int] = mapped_column(
        ForeignKey("checkpoint.id", ondelete="CASCADE"), primary_key=True
    )
    fitted: Mapped[str]
    """JSON: the constants, and what they were fitted to."""


class Tag(Base):
    """A label that a photo was found to bear."""

    __tablename__ = "tag"
    __table_args__ = (Index("ix_tag_photo_id", "photo_id"), {"sqlite_with_rowid": False})

    name: Mapped[str] = mapped_column(primary_key=True)
    photo_id: Mapped[int] = mapped_column(
        ForeignKey("photo.id", ondelete="CASCADE"), primary_key=True
    )
    checkpoint_id: Mapped[int] = mapped_column(ForeignKey("checkpoint.id", ondelete="CASCADE"))
    """What judged it."""
    probability: Mapped[float]
