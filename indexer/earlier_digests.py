"""The digests by which the library knows photos since an earlier version of the digests' reader."""

from sigseek.indexer.decoding.digest import FileDigest
from sigseek.indexer.decoding.identity.picture import VERSION
from sigseek.indexer.listing import FoundFile
from sigseek.storage import Catalog, FolderRecord


class EarlierDigests:
    """Finds the photos of files that were read before by an earlier version, which may have made
    another digest of the same picture.

    A file with the same bytes as then holds the same photo. It is looked for at its path, and else
    among the files that are missing, from which it may have moved.
    """

    def __init__(self, catalog: Catalog, folder: FolderRecord) -> None:
        self._catalog = catalog
        self._folder = folder
        self._are_any = catalog.has_earlier_digests(VERSION)
        self._of_missing: dict[bytes, bytes] | None = None
        self._renewed: dict[bytes, bytes] = {}
        """The new digest that takes the place of each earlier one."""

    def of(self, file: FoundFile, read: FileDigest) -> bytes | None:
        """Return the digest by which the photo in the file is known; None if it is of this version,
        or new.
        """
        if not self._are_any:
            return None
        earlier = self._catalog.earlier_digest(self._folder.id, file.path, read.digest, VERSION)
        if earlier is None:
            if self._of_missing is None:
                self._of_missing = self._catalog.earlier_digests_of_missing(VERSION)
            earlier = self._of_missing.get(read.digest)
        if earlier is None:
            return None
        # Two files may hold different pictures that an earlier version took for one. The first
        # keeps the photo.
        first = self._renewed.setdefault(earlier, read.picture)
        return earlier if first == read.picture else None
