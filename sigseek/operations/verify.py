"""Whether a library is sound: its catalog, its index, and the files it knows."""

import stat
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sigseek.indexer.decoding.digest import digest_file, mtime_ns
from sigseek.indexer.errors import DecodeError
from sigseek.indexer.presence import is_online
from sigseek.operations.directory import tidy_index
from sigseek.operations.status import default_checkpoint
from sigseek.storage import Catalog, FolderRecord
from sigseek.storage.index.contract import IndexStore
from sigseek.storage.verification import Problem, Verification

_EVERY = 1_000


@dataclass(frozen=True)
class VerifyReport:
    """What was looked at, and what is wrong."""

    problems: tuple[Problem, ...]
    embeddings: int
    files: int
    """Looked for; those of folders that are offline are not."""
    outdated: int
    """Files that have changed or gone since they were indexed: the next indexing takes care of
    them.
    """
    offline: int
    """Files of folders that are not there now."""
    unembedded: int
    """Photos that searches cannot find, because the checkpoint that they use has not embedded
    them.
    """
    leftover: int
    """Photos that no file holds any more, left by an indexing that was cut off: the next one, or a
    repair, removes them.
    """

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong, or nothing any more."""
        return all(problem.mended for problem in self.problems)


def verify(
    catalog: Catalog,
    index_store: IndexStore,
    *,
    repair: bool,
    contents: bool,
    on_embeddings: Callable[[int, int], None],
    on_files: Callable[[int, int], None],
) -> VerifyReport:
    """Check the catalog by itself, the index against it, and it against the files; with `contents`
    every byte of these.

    With `repair`, what can be made anew is mended. The callbacks are told how many are done of how
    many.
    """
    verification = Verification(catalog, index_store, repair=repair)
    if not verification.check_catalog():
        return VerifyReport(tuple(verification.problems), 0, 0, 0, 0, 0, 0)
    leftover = verification.check_photos()
    checkpoints = catalog.checkpoints()
    if repair:
        tidy_index(index_store, catalog)
    total, done = sum(checkpoint.embeddings for checkpoint in checkpoints), 0
    for checkpoint in checkpoints:
        verification.check_embeddings(checkpoint, partial(_tell, on_embeddings, done, total))
        done += checkpoint.embeddings
        current = catalog.find_checkpoint(checkpoint.fingerprint, checkpoint.preprocessing)
        if current and current.embeddings:
            verification.check_index(current)
    on_embeddings(total, total)
    searched = default_checkpoint(catalog.checkpoints())
    unembedded = max(0, catalog.photo_count() - searched.embeddings) if searched else 0
    files, outdated, offline = _check_files(catalog, verification, contents, on_files)
    return VerifyReport(
        tuple(verification.problems), total, files, outdated, offline, unembedded, leftover
    )


def _tell(on_embeddings: Callable[[int, int], None], before: int, total: int, count: int) -> None:
    on_embeddings(min(before + count, total), total)


def _check_files(
    catalog: Catalog,
    verification: Verification,
    contents: bool,
    on_files: Callable[[int, int], None],
) -> tuple[int, int, int]:
    """Look at the files of the folders that are there; how many, how many have changed, how many
    are in other folders.
    """
    counts = catalog.file_counts()
    folders = catalog.folders()
    online = [folder for folder in folders if is_online(Path(folder.path))]
    total = sum(counts.get(folder.id, (0, 0))[0] for folder in online)
    offline = sum(counts.get(folder.id, (0, 0))[0] for folder in folders) - total
    done = outdated = 0
    for folder in online:
        for path, digest, *known in catalog.digests(folder.id):
            state = _look_at(
                Path(folder.path, path), (known[0], known[1]), digest if contents else None
            )
            outdated += state == "outdated"
            if state not in ("same", "outdated"):
                _note_damage(verification, folder, path, state)
            done += 1
            if contents or done % _EVERY == 0:
                on_files(done, total)
    on_files(total, total)
    return total, outdated, offline


def _look_at(path: Path, known: tuple[int, int], digest: bytes | None) -> str:
    """What has become of the file: "same", "outdated" (size or time), "damaged" (its bytes alone),
    or why it cannot be read.

    Files that are too large for photos, which earlier versions took, are not read.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or (status.st_size, mtime_ns(status)) != known:
            return "outdated"
        return "same" if digest is None or digest_file(path).digest == digest else "damaged"
    except (FileNotFoundError, NotADirectoryError):
        return "outdated"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    except DecodeError:  # it is too large for a photo
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
