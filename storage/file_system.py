"""Whether a library is on a file system of another machine.

SQLite's WAL does not work there, and a lock of the operating system need not reach other machines.
"""

import os
import re
import subprocess
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
        "vboxsf", "prl_fs", "afpfs", "webdav", "ftp",
    }
)  # fmt: skip
"""Types of file systems whose files are on another machine, as Linux and macOS call them. A virtual
machine and its host count as two.
"""
_MAC_MOUNT = Path("/sbin/mount")
_MAC_PATIENCE = 5.0
"""Seconds in which macOS must list its mounts. It answers at once, even where a server is gone."""
_MAC_LINE = re.compile(r".* on (?P<at>/.*) \((?P<type>[^,()]+)(?P<flags>(?:, [^()]*)?)\)")
_MAC_FUSE = ("macfuse", "osxfuse", "fuse-t")
"""Types that macOS gives to a server's files and to those of a local disk alike."""


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
    if sys.platform == "darwin":
        return _type_on_mac(place, _mac_mounts())
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
    for line in mounts.split("\n"):  # a path may have other characters that break lines
        before, separator, after = line.partition(" - ")
        if not separator:
            continue
        at = _ESCAPED.sub(lambda octal: chr(int(octal[1], 8)), before.split(" ")[4])
        if _leads(at, place) and len(at) >= longest:
            found, longest = after.split(" ")[0], len(at)
    return found


def _mac_mounts() -> str:
    """Return what macOS tells of its mounts; nothing where it does not answer."""
    try:
        done = subprocess.run(
            [_MAC_MOUNT],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_MAC_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="surrogateescape")


def _type_on_mac(place: str, mounts: str) -> str | None:
    """Return the type of the last mount on the longest path that leads to the place.

    A line of `mount` is
    `//me@server/photos on /Volumes/photos (smbfs, nodev, nosuid, mounted by me)`.
    """
    found, longest = None, 0
    for line in mounts.split("\n"):
        mount = _MAC_LINE.fullmatch(line)
        if mount and _leads(mount["at"], place) and len(mount["at"]) >= longest:
            longest = len(mount["at"])
            local = "local" in mount["flags"].split(", ")
            found = _REMOTE if mount["type"] in _MAC_FUSE and not local else mount["type"]
    return found


def _leads(mounted_at: str, place: str) -> bool:
    return place == mounted_at or place.startswith(mounted_at.rstrip("/") + "/")
