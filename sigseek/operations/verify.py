"""Checking a library: its catalog, its index, and its photo files."""

import stat
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sigseek.indexer.decoding.digest import digest_of_all_bytes, mtime_ns
from sigseek.indexer.errors import DecodeError
from sigseek.indexer.presence import is_online
from sigseek.operations.default_checkpoint import checkpoint_to_search
from sigseek.operations.location import tidy_index
from sigseek.operations.opened import OpenedLibrary
from sigseek.progress import Listener, Phase, Progress, Stop
from sigseek.storage import Catalog, FileDigestRecord, FolderRecord
from sigseek.storage.index.contract import IndexStore
from sigseek.storage.verification import Verification, VerifyProblem

_EVERY = 1_000


@dataclass(frozen=True)
class VerifyReport:
    """What was checked, and what is wrong."""

    problems: tuple[VerifyProblem, ...]
    embeddings: int
    files: int
    """Files in online folders; those in offline folders are not checked."""
    outdated: int
    """Files that have changed or are gone since indexing; the next indexing updates them."""
    offline: int
    """Files in folders that are offline."""
    unembedded: int
    """Photos that searches cannot find, because their checkpoint has not embedded them."""
    leftover: int
    """Photos without a file. An interrupted indexing leaves them, or one that could not read a file
    which may hold them. The next indexing removes them, or finds their files.
    """

    @property
    def sound(self) -> bool:
        """Whether there is no problem left."""
        return all(problem.repaired for problem in self.problems)


def verify_library(
    library: OpenedLibrary,
    *,
    repair: bool,
    contents: bool,
    listener: Listener | None,
    stop: Stop | None,
) -> VerifyReport:
    """Check a library as `Library.verify` describes."""
    catalog = library.directory.catalog()
    until = stop or Stop()
    with library.directory.writing(until) if repair else nullcontext():
        return verify(
            catalog,
            library.directory.index_store,
            repair=repair,
            contents=contents,
            listener=listener or library.listener,
            stop=until,
        )


def verify(
    catalog: Catalog,
    index_store: IndexStore,
    *,
    repair: bool,
    contents: bool,
    listener: Listener,
    stop: Stop,
) -> VerifyReport:
    """Check the catalog, the index and the photo files, and repair what can be if `repair`."""
    verification = Verification(catalog, index_store, repair=repair)
    if not verification.check_catalog():
        return VerifyReport(tuple(verification.problems), 0, 0, 0, 0, 0, 0)
    verification.check_counts()
    verification.check_facets()
    leftover = verification.check_photos()
    checkpoints = catalog.checkpoints()
    if repair:
        tidy_index(index_store, catalog)
    total, done = sum(checkpoint.embeddings for checkpoint in checkpoints), 0
    for checkpoint in checkpoints:
        verification.check_embeddings(checkpoint, partial(_tell, listener, stop, done, total))
        done += checkpoint.embeddings
        current = catalog.find_checkpoint(checkpoint.fingerprint, checkpoint.preprocessing)
        if current and current.embeddings:
            verification.check_index(current)
    listener.advanced(Progress(Phase.CHECKING_EMBEDDINGS, total, total))
    searched = checkpoint_to_search(catalog)
    unembedded = max(0, catalog.photo_count() - searched.embeddings) if searched else 0
    files, outdated, offline = _check_files(catalog, verification, contents, listener, stop)
    return VerifyReport(
        tuple(verification.problems), total, files, outdated, offline, unembedded, leftover
    )


def _tell(listener: Listener, stop: Stop, before: int, total: int, count: int) -> None:
    stop.check()
    done = min(before + count, total)  # more may be stored meanwhile
    listener.advanced(Progress(Phase.CHECKING_EMBEDDINGS, done, total))


def _check_files(
    catalog: Catalog,
    verification: Verification,
    contents: bool,
    listener: Listener,
    stop: Stop,
) -> tuple[int, int, int]:
    """Check the files of online folders.

    Returns the number of these files, of those among them that have changed, and of files in
    offline folders.
    """
    counts = catalog.file_counts()
    folders = catalog.folders()
    online = [folder for folder in folders if is_online(Path(folder.path))]
    total = sum(counts.get(folder.id, (0, 0))[0] for folder in online)
    offline = sum(counts.get(folder.id, (0, 0))[0] for folder in folders) - total
    done = outdated = 0
    for folder in online:
        for known in catalog.digests(folder.id):
            stop.check()
            path = known.path
            state = _look_at(Path(folder.path, path), known, contents)
            outdated += state == "outdated"
            if state not in ("same", "outdated"):
                _note_damage(verification, folder, path, state)
            done += 1
            if contents or done % _EVERY == 0:
                listener.advanced(Progress(Phase.CHECKING_FILES, done, total))
    listener.advanced(Progress(Phase.CHECKING_FILES, total, total))
    return total, outdated, offline


def _look_at(path: Path, known: FileDigestRecord, contents: bool) -> str:
    """Compare a file with what the catalog knows, its bytes too if `contents` is true.

    Returns "same", "outdated" (another size or time), "damaged" (other bytes with the same size and
    time), or why the file cannot be read. Files too large to be photos, which earlier versions
    accepted, are not read.
    """
    try:
        status = path.stat()
        seen = (status.st_size, mtime_ns(status))
        if not stat.S_ISREG(status.st_mode) or seen != (known.size, known.mtime_ns):
            return "outdated"
        same = not contents or digest_of_all_bytes(path) == known.digest
        return "same" if same else "damaged"
    except (FileNotFoundError, NotADirectoryError):
        return "outdated"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    except DecodeError:  # too large to be a photo
        return "same"


def _note_damage(verification: Verification, folder: FolderRecord, path: str, state: str) -> None:
    what = Path(folder.path, path)
    if state == "damaged":
        verification.note(
            f"{what} holds other bytes than when it was indexed, with the same size and date",
            "put a backup of it in its place; if the change was wanted, touch it and index again",
        )
    else:
        verification.note(f"{what} {state}", "check its permissions and the disk")
