"""Changes of photos."""

from collections.abc import Sequence

from sqlalchemy import delete, select, update

from sigseek.storage.catalog.changes.writer import Writer
from sigseek.storage.catalog.models import CheckpointRow, FileRow, KeywordRow, PhotoRow
from sigseek.storage.catalog.paths import statement_chunks
from sigseek.storage.records import PhotoFacts


class PhotoWriter(Writer):
    """Changes of photos."""

    def add_photo(self, facts: PhotoFacts) -> int:
        """The id of the photo with these contents, added if it is new."""
        return self.add_photos([facts])[facts.digest]

    def add_photos(self, photos: Sequence[PhotoFacts]) -> dict[bytes, int]:
        """The ids of the photos with these contents by SHA-256, added where they are new.

        No other writer can remove them before the transaction ends.
        """
        known = self._find([facts.digest for facts in photos])
        new = {facts.digest: facts for facts in photos if facts.digest not in known}
        if not new:
            return known
        rows = [
            {name: value for name, value in vars(facts).items() if name != "keywords"}
            for facts in new.values()
        ]
        # Another writer may have added the same content since.
        self._dialect.put(self._session, PhotoRow, ["digest"], rows, overwrite=False)
        added = self._find(list(new))
        keywords = [
            {"photo_id": added[facts.digest], "name": name}
            for facts in new.values()
            for name in facts.keywords
        ]
        self._dialect.put(
            self._session, KeywordRow, ["photo_id", "name"], keywords, overwrite=False
        )
        return known | added

    def remove_photos_without_files(self) -> int:
        """Remove photos that no file holds any more, and return how many.

        Their embeddings go too, so every checkpoint gets a new generation: an index file of before
        cannot be taken for one of now.
        """
        held = select(FileRow.id).where(FileRow.photo_id == PhotoRow.id).exists()
        removed = self._deleted(delete(PhotoRow).where(~held))
        if removed:
            self._session.execute(
                update(CheckpointRow).values(generation=CheckpointRow.generation + 1)
            )
        return removed

    def _find(self, digests: Sequence[bytes]) -> dict[bytes, int]:
        """The ids of known photos by SHA-256, their rows locked against removal."""
        found: dict[bytes, int] = {}
        for chunk in statement_chunks(digests):
            query = select(PhotoRow.digest, PhotoRow.id).where(PhotoRow.digest.in_(chunk))
            locked = query.order_by(PhotoRow.id).with_for_update(read=True, key_share=True)
            found.update(self._session.execute(locked).all())
        return found
