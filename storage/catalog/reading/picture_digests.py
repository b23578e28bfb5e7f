"""Questions about the digests that tell which photo a picture is."""

from collections.abc import Sequence

from sqlalchemy import Select, select

from sigseek.storage.catalog.dialect import PLANNED_ANEW
from sigseek.storage.catalog.reading.reader import Reader
from sigseek.storage.catalog.tables import EMBEDDING, FILE, PHOTO
from sigseek.storage.records import PhotoVersions


class PictureDigestReader(Reader):
    """Tells which photo has a digest, whichever version of the program made it."""

    def find_photo(self, picture: bytes, earlier: bytes | None = None) -> int | None:
        """Return the id of the photo with this digest of its picture, or else of the one that is
        known by a digest of an earlier version, such as that of all bytes.
        """
        query = select(PHOTO.c.digest, PHOTO.c.id)
        with self._connect() as connection:
            rows = connection.execute(query.where(PHOTO.c.digest.in_([picture, earlier])))
            found: dict[bytes | None, int] = dict(rows.all())
        return found.get(picture, found.get(earlier))

    def has_earlier_digests(self, version: int) -> bool:
        """Return whether there are photos whose digest a reader older than `version` made."""
        query = select(PHOTO.c.id).where(PHOTO.c.digest_version < version)
        with self._connect() as connection:
            return connection.scalar(query.limit(1)) is not None

    def earlier_digest(
        self, folder_id: int, path: str, all_bytes: bytes, version: int
    ) -> bytes | None:
        """Return the digest of the photo that the file held when it was last seen, if a reader
        older than `version` made it, and if the file had this digest of all bytes.
        """
        query = self._earlier_digests(version).where(
            FILE.c.folder_id == folder_id,
            self._dialect.is_path_among(FILE.c.path, [path]),
            FILE.c.digest == all_bytes,
        )
        with self._connect() as connection:
            found = connection.execute(query).first()
        return found[1] if found else None

    def earlier_digests_of_missing(self, version: int) -> dict[bytes, bytes]:
        """Return the digests of photos that a reader older than `version` made, by the digest of
        all bytes of their missing files.
        """
        query = self._earlier_digests(version).where(
            FILE.c.missing_since.is_not(None), FILE.c.digest.is_not(None)
        )
        with self._connect() as connection:
            rows = connection.execute(query)
            return {all_bytes: picture for all_bytes, picture in rows if all_bytes is not None}

    @staticmethod
    def _earlier_digests(version: int) -> Select[bytes | None, bytes]:
        """Select the digest of all bytes of files, and the digest of their photos."""
        return (
            select(FILE.c.digest, PHOTO.c.digest)
            .join(PHOTO, PHOTO.c.id == FILE.c.photo_id)
            .where(PHOTO.c.digest_version < version)
        )

    def find_embedded(
        self, digests: Sequence[tuple[bytes, bytes]], checkpoint_id: int
    ) -> list[PhotoVersions | None]:
        """Return the photo that `find_photo` means for each digest of a picture and earlier one, of
        the photos that the checkpoint has embedded.
        """
        asked = {digest for pair in digests for digest in pair}
        if not asked:
            return []
        query = (
            select(PHOTO.c.digest, PHOTO.c.id, PHOTO.c.facts_version, PHOTO.c.hash_version)
            .join(EMBEDDING, EMBEDDING.c.photo_id == PHOTO.c.id)
            .where(
                EMBEDDING.c.checkpoint_id == checkpoint_id,
                self._dialect.is_one_of(PHOTO.c.digest, asked),
            )
        )
        with self._connect() as connection:
            rows = connection.execute(query, execution_options={PLANNED_ANEW: True})
            found: dict[bytes, PhotoVersions] = {row[0]: PhotoVersions(*row[1:]) for row in rows}
        return [found.get(picture, found.get(earlier)) for picture, earlier in digests]
