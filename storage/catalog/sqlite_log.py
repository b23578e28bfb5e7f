"""The log of changes (WAL) beside an SQLite file, and whether the file says that it has one."""

from pathlib import Path

from sigseek.storage.lock import writer_lock


def remove_log_of_another(path: Path) -> None:
    """Remove the WAL of a previous catalog when another file was put in its place, such as a
    restored backup.

    SQLite would apply that log to the new file and so destroy it. A catalog with a log says in its
    header that it is in WAL mode (sqlite.org/fileformat2.html, offset 18), and a backup says that
    it is not.
    """
    logs = [path.with_name(f"{path.name}{suffix}") for suffix in ("-wal", "-shm")]
    if logs[0].exists() and path.exists() and has_no_log(path):
        with writer_lock(path.parent):
            if has_no_log(path):  # else another process has opened it meanwhile
                # `-wal` is removed last: as long as it exists, other processes wait for the lock.
                for log in reversed(logs):
                    log.unlink(missing_ok=True)


def state_of_files(path: Path) -> str:
    """Return the sizes and times of an SQLite file and of its log as a text, which is another one
    after every change.
    """
    found = []
    for name in (path.name, f"{path.name}-wal"):
        try:
            status = path.with_name(name).stat()
        except OSError:
            found.append("none")
        else:
            found.append(f"{status.st_size} {status.st_mtime_ns}")
    return ", ".join(found)


def has_no_log(path: Path) -> bool:
    """Return whether the file's header says that it is not in WAL mode."""
    with path.open("rb") as file:
        return file.read(20)[18:] == b"\1\1"


def is_in_wal_mode(path: Path) -> bool:
    """Return whether there is a file, and its header says that it is in WAL mode."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(20)[18:] == b"\2\2"
