"""Files without a picture's extension that hold a picture all the same.

Indexing passes them over, and tells of them. A file is looked into once and again when it changes.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from sigseek import disk
from sigseek.indexer.decoding.brands import AVIF, CANON_RAW, HEIF, brands
from sigseek.indexer.map_ahead import map_ahead
from sigseek.indexer.watched_pool import WatchedPool
from sigseek.progress import Stop
from sigseek.storage.records import OtherFile

DIRECTORY = "directory"
"""What a link to a directory holds."""
_NO_PICTURES = (
    "3gp aac aae afphoto ai aif aiff ape apk avi bak-journal bat bz2 c cfg class conf cos cot "
    "cpp cs css csv db db-shm db-wal deb dll dmg doc docx dop dwg ebook epub exe exif flac flv "
    "gpx gz h html htm ics img ini iso jar java js json jsonl key kml less lnk log lrcat lrf lrv "
    "lua lz4 m2t m2ts m3u m4a m4b m4v md mid mkv mobi mov mp3 mp4 mpeg mpg msg mts numbers o odp "
    "ods odt ogg opus otf pages pdf php pkl pp3 ppt pptx psb ps1 py pyc rar rb rpm rs rst rtf "
    "scss sh so sql sqlite sqlite-shm sqlite-wal srt sub tar tex toml torrent ts tsv ttf txt url "
    "vcf vob vtt wav webloc webm wma wmv woff woff2 xls xlsx xml xmp xz yaml yml zip zst 7z"
)
NO_PICTURES = frozenset(f".{extension}" for extension in _NO_PICTURES.split())
"""Extensions of files that are not looked into: common ones, of which none holds a picture."""
_HEAD = 32
_AHEAD = 64
_THREADS = 2
_HEADS = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0\x08\0", "TIFF"),
    (b"MM\0+\0\x08", "TIFF"),
    (b"FUJIFILMCCD-RAW", "RAW"),
    (b"IIU\0", "RAW"),
    (b"IIRO", "RAW"),
    (b"IIRS", "RAW"),
    (b"MMOR", "RAW"),
    (b"FOVb", "RAW"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"8BPS\0\x01", "PSD"),
    (b"qoif", "QOI"),
)
_BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)
"""The lengths in bytes of the header that follows the first 14 bytes of a BMP."""


def picture_format(head: bytes) -> str | None:
    """Return the format of the picture that the first bytes of a file tell; None for another
    file.
    """
    for start, name in _HEADS:
        if head.startswith(start):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "BMP"
    found = brands(head)
    if found & AVIF:
        return "AVIF"
    if found & HEIF:
        return "HEIF"
    return "RAW" if CANON_RAW in found else None


def look_into(
    root: Path,
    found: Mapping[str, tuple[int, int]],
    known: Mapping[str, OtherFile],
    stop: Stop,
) -> list[OtherFile]:
    """Read the first bytes of the files that are not known as they are now.

    `found` has the size and mtime of each file in the folder `root`. A file that cannot be read is
    left out, so the next run tries it again.
    """
    new = [
        OtherFile(path, size, mtime_ns, None)
        for path, (size, mtime_ns) in found.items()
        if path not in known or known[path][1:3] != (size, mtime_ns)
    ]
    if not new:
        return []
    pool = WatchedPool(_THREADS, disk.PATIENCE)
    try:
        heads = map_ahead(pool, partial(_read_head, root), new, lambda: _AHEAD, stop)
        return [
            file._replace(holds=picture_format(head))
            for file, head in heads
            if not isinstance(head, Exception)
        ]
    finally:
        pool.close()


def reason(holds: str) -> str:
    """Return why indexing passes over a file that holds this."""
    if holds == DIRECTORY:
        return "a link to a directory; index the directory itself"
    return f"it holds a picture ({holds}) but has no picture's extension; rename it"


def directory_links(paths: Mapping[str, tuple[int, int]]) -> Sequence[OtherFile]:
    """Return the links to directories, as files that are passed over."""
    return [OtherFile(path, size, mtime, DIRECTORY) for path, (size, mtime) in paths.items()]


def _read_head(root: Path, file: OtherFile) -> bytes:
    with Path(root, file.path).open("rb", buffering=0) as opened:
        return opened.read(_HEAD)
