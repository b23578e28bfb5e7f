"""The folders of a library, as users name them."""

import os
from pathlib import Path, PurePath, PureWindowsPath

from sigseek.errors import ErrorKind, Remedy, Step
from sigseek.indexer import FolderError
from sigseek.indexer.presence import real_path
from sigseek.operations.location import LibraryLocation
from sigseek.paths import spellings, typed_path
from sigseek.storage import Catalog, FolderRecord

# fmt: off
_SYSTEM_FOLDERS = {
    "/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/media", "/mnt", "/proc", "/run",
    "/run/media", "/sbin", "/sys", "/tmp", "/usr", "/var",
    "/Applications", "/Library", "/System", "/System/Volumes", "/Users", "/Volumes", "/private",
    "/private/var",
}
# fmt: on
_WINDOWS_FOLDERS = {"users", "windows", "programdata", "program files", "program files (x86)"}


class SystemFolderError(FolderError):
    """A folder that holds far more than photos, and that nobody said should be indexed."""


def find_folder(catalog: Catalog, path: Path) -> tuple[FolderRecord, PurePath]:
    """Find the library's folder that is `path` or contains it.

    Returns the folder and the path inside it. The path need not exist. Raises FolderError when no
    folder of the library contains it.
    """
    path = typed_path(path)
    plain = Path(os.path.abspath(path))  # noqa: PTH100 - unlike Path.absolute, without ".."
    places = dict.fromkeys((*spellings(plain), real_path(path)))
    found = [known for known in map(catalog.find_folder, places) if known]
    if not found:
        folders = ", ".join(folder.path for folder in catalog.folders()) or "none"
        raise FolderError(
            f"{plain} is not in the library", f"its folders are: {folders}", ErrorKind.NOT_FOUND
        )
    # The path may be that of a directory which is gone, whose spelling only its files tell.
    return next((known for known in found if _has_files(catalog, *known)), found[0])


def _has_files(catalog: Catalog, folder: FolderRecord, inside: PurePath) -> bool:
    return inside == PurePath() or catalog.has_files_below(Path(folder.path, inside))


def check_no_system_folder(library: LibraryLocation, path: Path, otherwise: Step) -> None:
    """Raise SystemFolderError for a folder of the system that the library does not know yet.

    `otherwise` is what to do for somebody who wants it all the same.
    """
    if not is_system_folder(path):
        return
    if not library.exists() or library.catalog().find_folder(path) is None:
        raise SystemFolderError(
            f"{path} holds a system, everybody's files or all disks, and not photos alone",
            Remedy("name the folders that your photos are in; or, for all of it: {}", (otherwise,)),
        )


def is_system_folder(path: PurePath, system_drive: str | None = None) -> bool:
    """Return whether the absolute path is that of a folder that holds a system, everybody's files
    or all disks.
    """
    if isinstance(path, PureWindowsPath):
        drive = system_drive or os.environ.get("SYSTEMDRIVE", "C:")
        if path.drive.upper() != drive.upper():
            return False
        return len(path.parts) == 1 or (
            len(path.parts) == 2 and path.name.lower() in _WINDOWS_FOLDERS
        )
    return str(path) in _SYSTEM_FOLDERS
