"""What the files beside a photo say about it: XMP that programs write there, and Google Takeout's
JSON.
"""

import json
import re
import unicodedata
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

from sigseek.indexer.decoding import coordinates, descriptions
from sigseek.indexer.decoding.capture_date import refined, xmp_dates
from sigseek.indexer.decoding.dates import read_date, utc_date
from sigseek.indexer.decoding.formats import RAW
from sigseek.indexer.decoding.keywords import merged_keywords, xmp_keywords
from sigseek.indexer.decoding.metadata import (
    Metadata,
    camera_name,
    dated_by_name,
    place_names,
    xmp_lens,
)
from sigseek.indexer.decoding.ratings import is_unrated, rating
from sigseek.indexer.decoding.raw_header import read_capture
from sigseek.indexer.decoding.same_shot import is_same_shot
from sigseek.indexer.decoding.xmp import MAX_BYTES, Xmp, read_xmp
from sigseek.storage import DateSource, PlaceSource

_STANDS_FOR_RAW = (".jpg", ".jpeg", ".jpe", ".jfif", ".heic", ".heif", ".hif")
"""Extensions of the pictures that cameras take beside a RAW."""
_LETTERS = re.compile(r"[\W_]+")
_NUMBER = re.compile(r"\(\d+\)$")


def with_sidecars(metadata: Metadata, path: Path, names: tuple[str, ...]) -> Metadata:
    """Return the metadata of the file at `path`, and what the files of these names beside it say.

    The first XMP file that belongs to the photo wins over the file where it says something, and
    over the XMP of the RAW file of the same shot. The file's name, and behind it Takeout, are asked
    for what nothing else tells. Files that cannot be read, are damaged or belong to another photo
    say nothing. `names` also has the RAW file of the same name where that has sidecars.
    """
    others = {
        PurePath(name).parent
        for name in names
        if PurePath(name).suffix.lower() in RAW and not _is_pair(path, name, metadata)
    }
    names = tuple(
        name for name in names if not (_is_of_raw(path, name) and PurePath(name).parent in others)
    )
    beside_other = PurePath() in others
    written = [name for name in names if name.lower().endswith(".xmp")]
    own = [name for name in written if not _is_of_raw(path, name)]
    of_raw = [name for name in written if name not in own]
    camera = metadata.camera
    for group in (of_raw, own):
        found = (_xmp(path, path.parent / name, camera, beside_other) for name in group)
        xmp = next(filter(None, found), None)
        if xmp:
            metadata = _overridden(metadata, xmp)
    metadata = dated_by_name(metadata, path)
    for name in names:
        if name.lower().endswith(".json"):
            metadata = _completed(metadata, _takeout(path, path.parent / name))
    return metadata


def _is_of_raw(photo: Path, name: str) -> bool:
    """Return whether the sidecar is by its name one of the RAW file of the same shot, and not of
    the photo itself.
    """
    sidecar = PurePath(name)
    if sidecar.name != name:
        return True
    if photo.suffix.lower() in RAW or name.lower().startswith(photo.name.lower()):
        return False
    return any(suffix.lower() in RAW for suffix in sidecar.suffixes)


def _is_pair(photo: Path, raw: str, metadata: Metadata) -> bool:
    """Return whether the RAW file of this name is of the same shot as the photo."""
    said = read_capture(photo.parent / raw)
    return is_same_shot(said, metadata, same_directory=PurePath(raw).name == raw)


def _contents(path: Path) -> bytes:
    """Return the file's contents; none for what is not a file, is too large or cannot be read."""
    try:
        if not path.is_file() or path.stat().st_size > MAX_BYTES:
            return b""
        return path.read_bytes()
    except OSError:
        return b""


def _xmp(photo: Path, sidecar: Path, camera: str | None, beside_other: bool) -> Xmp | None:
    try:
        xmp = read_xmp(_contents(sidecar))
    except Exception:  # whatever is in it
        return None
    if xmp.is_empty:
        return None
    return xmp if _belongs(photo, sidecar, xmp, camera, beside_other) else None


def _belongs(photo: Path, sidecar: Path, xmp: Xmp, camera: str | None, beside_other: bool) -> bool:
    """Return whether the sidecar "a.xmp" is about "a.jpg", and not about "a.png" beside it or about
    the RAW of another camera.

    A picture that a camera takes beside a RAW is the same photo. "a.jpg.xmp" names its photo. With
    `beside_other`, there is "a.nef" of another shot, and the sidecar must say that it is about the
    photo or name its camera.
    """
    suffix = photo.suffix.lower()
    if sidecar.name.lower() == f"{photo.name.lower()}.xmp":
        return True
    other = camera_name(xmp)
    names_camera = camera and other and xmp.first("tiff:Model")
    if camera and other and names_camera and camera.lower() != other.lower():
        return False
    written_for = xmp.first("photoshop:SidecarForExtension").lower().strip(".")
    if not written_for:
        return bool(names_camera) or not beside_other
    if f".{written_for}" == suffix:
        return True
    alike = {".jpg", ".jpeg", ".jpe", ".jfif"}, {".tif", ".tiff"}, {".heic", ".heif", ".hif"}
    if any(suffix in kinds and f".{written_for}" in kinds for kinds in alike):
        return True
    return not beside_other and suffix in _STANDS_FOR_RAW and f".{written_for}" in RAW


def _overridden(metadata: Metadata, xmp: Xmp) -> Metadata:
    """Return the metadata, with the sidecar's values where it has some."""
    changes: dict[str, Any] = {}
    written = next(iter(xmp_dates(xmp)), None)
    if written:
        date = refined(written, read_date(metadata.taken_at or ""))
        changes |= {"taken_at": str(date), "date_source": DateSource.SIDECAR}
    position = coordinates.xmp_position(xmp)
    if position:
        changes["latitude"], changes["longitude"] = position
    named = place_names(xmp, PlaceSource.SIDECAR, {})
    if named["place_source"]:
        changes |= named
    flat, hierarchical = xmp_keywords(xmp)
    stars = (xmp.first("xmp:Rating"),)
    said = {
        "lens": descriptions.lens((xmp_lens(xmp),)),
        "rating": rating(stars, (xmp.first("MicrosoftPhoto:Rating"),)),
        "title": descriptions.title((xmp.first("dc:title"), xmp.first("photoshop:Headline"))),
        "description": descriptions.description(
            (xmp.first("dc:description"), xmp.first("exif:UserComment"))
        ),
        "keywords": merged_keywords(flat, hierarchical),
        "people": descriptions.people(xmp),
    }
    changes |= {name: value for name, value in said.items() if value}
    if is_unrated(stars):  # somebody took the stars away
        changes["rating"] = None
    return replace(metadata, **changes)


def _takeout(photo: Path, sidecar: Path) -> dict[str, Any]:
    """Return what Takeout's file holds; nothing if it is of another kind or about another photo."""
    try:
        found = json.loads(_contents(sidecar))
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict) or not isinstance(found.get("photoTakenTime"), dict):
        return {}
    title = found.get("title")
    return found if not isinstance(title, str) or _same_name(photo, title) else {}


def _same_name(photo: Path, title: str) -> bool:
    """Return whether the photo may be called so: Takeout cuts long names, numbers those that occur
    twice, and replaces characters that file systems do not take.
    """
    own, other = _letters(_NUMBER.sub("", photo.stem)), _letters(Path(title).stem)
    return own.startswith(other) or other.startswith(own)


def _letters(name: str) -> str:
    return _LETTERS.sub("", unicodedata.normalize("NFC", name)).casefold()


def _completed(metadata: Metadata, takeout: dict[str, Any]) -> Metadata:
    """Return the metadata, with what Takeout tells where nothing else did."""
    changes: dict[str, Any] = {}
    if metadata.taken_at is None and (date := _taken(takeout.get("photoTakenTime"))):
        changes |= {"taken_at": date, "date_source": DateSource.TAKEOUT}
    if metadata.latitude is None:
        for name in ("geoData", "geoDataExif"):
            found = takeout.get(name)
            if isinstance(found, dict) and (
                place := coordinates.position(found.get("latitude"), found.get("longitude"))
            ):
                changes["latitude"], changes["longitude"] = place
                break
    if metadata.description is None and isinstance(takeout.get("description"), str):
        changes["description"] = descriptions.description((takeout["description"],))
    if not metadata.people and isinstance(takeout.get("people"), list):
        people = [person.get("name") for person in takeout["people"] if isinstance(person, dict)]
        changes["people"] = descriptions.names(name for name in people if isinstance(name, str))
    return replace(metadata, **changes)


def _taken(time: Any) -> str | None:
    try:
        date = utc_date(float(time["timestamp"]))
    except (KeyError, TypeError, ValueError):
        return None
    return str(date) if date else None
