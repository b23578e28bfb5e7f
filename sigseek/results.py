"""Records as JSON and as words, for the command line, pages and HTTP alike.

Nothing here prints. A sentence that names a command or an option is a Remedy, which the command
line spells as what a person types and Python as a call.
"""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sigseek.errors import Call, Option, Remedy, escaped
from sigseek.search.verdicts import MATCH_FROM, MAYBE_FROM

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from sigseek.indexer import IndexReport
    from sigseek.indexer.preview import ListedFile
    from sigseek.operations.facets import Facet, Facets
    from sigseek.search.duplicates.results import Duplicates
    from sigseek.search.results import SearchResults

CALIBRATIONS = {
    "given": "the checkpoint's calibration",
    "cross-fitted": "a calibration fitted to the other half of the pictures",
}
"""Where the calibrated figures of an evaluation come from, by `Evaluation.calibration`."""

FINISH_INDEXING = Remedy("To finish indexing: {}", (Call("index"),))
"""What to do about a library whose hits have no verdicts yet."""
FINISH_YARDSTICK = Remedy(
    "Verdicts are provisional so far. To embed the other reference captions: {}", (Call("index"),)
)
"""What to do when an indexing run has not made the whole yardstick."""

_ONLY_ON_REQUEST = ("terms", "closer", "query_photo")
"""Fields of hits that are left out where they are None: unless the search was asked for them, and
for photos that the query does not name.
"""
_NOT_IN_JSON = {
    "Hit": ("held_back_by",),  # `terms` tells the same to programs
    "Evaluation": ("reliability_before", "reliability", "histogram", "misses"),  # for its page
    "LibraryFailure": ("kind", "pixels", "tried_at"),
}
"""Fields that are left out of JSON, by the record's class."""
_WITHOUT_PARTS = frozenset({str, int, float, bool, type(None)})
"""The types of values that hold no other ones."""
_COUNTS = ("added", "changed", "moved", "unchanged", "missing", "excluded", "offline", "failed")
QUERY_PHOTOS = {"itself": "the photo itself", "copy": "exact copy"}
"""What is said of a hit that is the photo that the query names."""


def json_line(record: DataclassInstance | dict[str, Any]) -> str:
    """Return a record as a line of JSON. It is ASCII, so a path of any bytes survives any pipe."""
    told = record if isinstance(record, dict) else record_fields(record)
    return json.dumps(told, default=_json_value)


def record_fields(record: DataclassInstance) -> dict[str, Any]:
    """Return the fields of a record that its JSON form has."""
    left_out = _NOT_IN_JSON.get(type(record).__name__, ())
    told = {name: _plain(getattr(record, name)) for name in _names(type(record), left_out)}
    for name in _ONLY_ON_REQUEST:
        if told.get(name, ...) is None:
            del told[name]
    return told


def summary_fields(found: SearchResults) -> dict[str, Any]:
    """Return what is known of all photos that were searched, without the hits."""
    left_out = ("hits", "best", "notes")
    return {name: _plain(getattr(found, name)) for name in _names(type(found), left_out)}


@cache
def _names(kind: type[DataclassInstance], left_out: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the names of the fields of a class of records, but for some."""
    return tuple(field.name for field in fields(kind) if field.name not in left_out)


def _plain(value: Any) -> Any:
    """Return a value with a dict in the place of each record.

    `dataclasses.asdict` copies every text and number as well, which takes a millisecond for the
    hits of a search.
    """
    if type(value) in _WITHOUT_PARTS:
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return {name: _plain(getattr(value, name)) for name in _names(type(value))}
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value


def _json_value(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def rounded(probability: float, digits: int) -> str:
    """Return a probability with so many decimals. One that is below the bound of a verdict stays
    below it, so that 0.4996, a maybe, does not read as 0.500, a match.
    """
    text = f"{probability:.{digits}f}"
    if any(probability < bound <= float(text) for bound in (MATCH_FROM, MAYBE_FROM)):
        return f"{float(text) - 10**-digits:.{digits}f}"
    return text


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number and what is counted: "1 file", "2,000 files"."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def size_in_words(size: int) -> str:
    """Return a size in bytes as a person reads it."""
    amount = float(size)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def report_in_words(report: IndexReport) -> str:
    """Say in a line what an indexing run did."""
    if not report.scanned and not report.offline:
        found = "No picture was looked at" if report.stopped else "No pictures found"
        return f"{found} ({report.seconds:.1f} s, {report.model})"
    counts = [f"{getattr(report, name):,} {name}" for name in _COUNTS if getattr(report, name)]
    if report.by_others:
        counts.append(f"{report.by_others:,} by other processes")
    speed = (
        f", {report.images_per_second:.1f} images/s on {report.device} in {report.precision}, "
        f"{report.batch} at a time, {report.threads} threads decoding"
        if report.device
        else ""
    )
    return (
        f"{counted(report.scanned, 'picture')}: {', '.join(counts)} "
        f"({report.seconds:.1f} s{speed}, {report.model})"
    )


def offline_folder(folder: str, files: int) -> Remedy:
    """Say what to do about a folder that is offline."""
    kept = f"{counted(files, 'known file')} {'is' if files == 1 else 'are'} kept"
    return Remedy(
        f"{escaped(folder)} is offline (missing or empty); its {kept}. "
        "If it has moved: {}; if it is gone for good: {}",
        (Call("relocate", (folder, "NEW")), Call("forget", (folder,))),
    )


def lost_tags(photos: int) -> Remedy:
    """Say what to do when photos with tags were replaced by others."""
    return Remedy(
        f"{counted(photos, 'photo')} with tags changed, and the tags are gone. "
        "Tag again with: {}",
        (Call("tag", ("LABELS",)),),
    )


def unreadable_files(files: int, directories: int) -> Remedy:
    """Say where to see which files an indexing run could not use, and which directories it could
    not look into. There is one at least.
    """
    several = (
        counted(files, "file") if files else "",
        counted(directories, "directory", "directories") if directories else "",
    )
    found = " and ".join(filter(None, several))
    return Remedy(f"{found} could not be read. To see why: {{}}", (Call("failures"),))


def passed_over_files(files: int) -> Remedy:
    """Return where to see which files an indexing run passed over though they seem to hold
    photos.
    """
    seem = "seems to hold photos but was" if files == 1 else "seem to hold photos but were"
    return Remedy(
        f"{counted(files, 'file')} {seem} passed over. To see why: {{}}", (Call("skipped_files"),)
    )


def excluded_files(report: IndexReport) -> Remedy:
    """Say what left the library with files that are left out from now on, and how to undo it."""
    were = "was" if report.excluded == 1 else "were"
    tagged = f", {report.excluded_tagged:,} of them with tags" if report.excluded_tagged else ""
    without_tags = "; the tags do not come back" if report.excluded_tagged else ""
    return Remedy(
        f"{counted(report.excluded, 'file')} {were} removed from the library because a rule now "
        f"leaves out such files, and {counted(report.excluded_photos, 'photo')} without any other "
        f"file{tagged} (your photo files stay). To take a pattern back: {{}}{without_tags}",
        (Call("index", (), (("include", ("PATTERN",)),)),),
    )


def emptied_folder(folder: str) -> Remedy:
    """Return what to do about a folder of which everything is left out."""
    return Remedy(
        f"warning: everything in {escaped(folder)} is left out, so nothing of it was changed. "
        "To take a pattern back: {}; to go on all the same: {}; to see why: {}",
        (Option("include", "PATTERN"), Option("accept_missing", True), Call("preview", (folder,))),
    )


def listed_in_words(file: ListedFile) -> str:
    """Return a line for a file that an indexing run would take, or for what it would leave out."""
    if not file.reason:
        return shown(file.path)
    known = f"; {counted(file.leaving, 'file')} would leave the library" if file.leaving else ""
    return f"{shown(file.path)}: {file.reason}{known}"


def leaving_files(files: int) -> str:
    """Say what an indexing run would remove from the library because a rule leaves it out."""
    return (
        f"{counted(files, 'file')} would be removed from the library because a rule now leaves out "
        "such files, and with them photos without any other file, their embeddings and tags (your "
        "photo files stay)"
    )


def duplicates_headline(found: Duplicates) -> str:
    """Say how many groups of duplicates there are, as a line over them or in their place."""
    photos = counted(found.photos, "photo")
    if not found.photos and found.query:
        return f"No photo in the selection: {shown(found.query)}"
    if not found.groups:
        return f"No duplicates among {photos}"
    kinds = [group.kind for group in found.groups]
    counts = [f"{kinds.count(kind):,} {kind}" for kind in dict.fromkeys(kinds)]
    others = found.others()
    groups = "group" if len(kinds) == 1 else "groups"
    line = f"{', '.join(counts)} {groups} among {photos}"
    if not others:
        return line
    size = size_in_words(sum(photo.bytes for photo in others))
    return f"{line}; {counted(len(others), 'copy', 'copies')} besides those to keep, {size}"


def facets_headline(found: Facets) -> str:
    """Say which photos were counted, and how many they are."""
    query = f": {shown(found.query)}" if found.query else ""
    if not found.photos:
        nothing = {
            "library": "No photo in this library yet",
            "selection": "No photo in the selection",
            "matches": "No photo matches",
        }
        return f"{nothing[found.counted]}{query}"
    photos = counted(found.photos, "photo")
    if found.counted == "library":
        return f"{photos} in the library"
    if found.counted == "selection":
        return f"{photos} in the selection{query}"
    return f"{photos} {'matches' if found.photos == 1 else 'match'}{query}"


def facet_in_words(facet: Facet) -> str:
    """Return a value that photos have in common as a person reads it."""
    if facet.value is None:
        without = {"folder": "no file", "rating": "no rating", "tag": "no tag"}
        return without.get(facet.by, "unknown")
    if facet.by == "rating":
        return "rejected" if facet.value == -1 else counted(int(facet.value), "star")
    return shown(str(facet.value))


_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip


def day_in_words(day: str) -> str:
    """Return a day, month or year of ISO 8601 as a person writes it: "2 May 1978", "May 1978"."""
    year, *rest = day.split("-")
    words = [str(int(number)) for number in rest[1:]]
    words += [_MONTHS[int(number) - 1] for number in rest[:1]]
    return " ".join([*words, year])


def time_in_words(taken_at: str | None) -> str | None:
    """Return when a photo was taken as a person writes it: "2 May 1978, 14:30". Seconds and the UTC
    offset are left out.
    """
    if taken_at is None:
        return None
    day, _, time = taken_at.partition("T")
    return f"{day_in_words(day)}, {time[:5]}" if time else day_in_words(day)


def shown(path: str) -> str:
    """Return a path for people. Control characters, which could steer a terminal, are spelled
    out.
    """
    return "".join(
        c if c.isprintable() or "\udc80" <= c <= "\udcff" else repr(c)[1:-1] for c in path
    )
