"""Whether a library is on a file system of another machine.

SQLite's WAL does not work there, and a lock of the operating system need not reach other machines.
"""

import os
import re
import sys
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")
_ESCAPED = re.compile(r"\\([0-7]{3})")
_REMOTE = "remote"
_NETWORK = frozenset(
    {
        _REMOTE, "nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "v9fs", "afs", "ceph", "lustre",
        "glusterfs", "beegfs", "davfs", "fuse.davfs2", "fuse.sshfs", "fuse.rclone",
        "fuse.glusterfs", "fuse.smbnetfs", "fuse.gvfsd-fuse", "fuse.s3fs", "fuse.vmhgfs-fuse",
        "vboxsf", "prl_fs",
    }
)  # fmt: skip
"""Types of file systems whose files are on another machine, as Linux calls them. A virtual machine
and its host count as two.
"""


def network_type(directory: Path) -> str | None:
    """Return the type of the directory's file system if it is that of another machine, else None.
    The directory need not exist.
    """
    found = file_system_type(directory)
    return found if found in _NETWORK else None


def file_system_type(directory: Path) -> str | None:
    """Return the type of the file system that the directory is on or would be on; None where the
    system does not tell.
    """
    place = os.path.realpath(directory)
    if sys.platform == "win32":
        import ctypes

        root = Path(place).anchor
        remote = root.startswith("\\\\") or ctypes.windll.kernel32.GetDriveTypeW(root) == 4
        return _REMOTE if remote else None
    try:
        mounts = _MOUNTS.read_text(errors="surrogateescape")
    except OSError:  # not Linux
        return None
    return _type_of(place, mounts)


def _type_of(place: str, mounts: str) -> str | None:
    """Return the type of the last mount on the longest path that leads to the place (`man
    proc`).
    """
    found, longest = None, 0
    for line in mounts.splitlines():
        before, separator, after = line.partition(" - ")
        if not separator:
            continue
        at = _ESCAPED.sub(lambda octal: chr(int(octal[1], 8)), before.split(" ")[4])
        leads = place == at or place.startswith(at.rstrip("/") + "/")
        if leads and len(at) >= longest:
            found, longest = after.split(" ")[0], len(at)
    return found
