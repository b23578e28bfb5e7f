"""The photos of hits. For them a search looks at the disk, to see which files are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from sigseek.disk import first_there
from sigseek.search.facts.folders import Directory
from sigseek.search.facts.values import FactValueError
from sigseek.search.known_photo import KnownPhoto
from sigseek.search.query import Fact, Query, terms
from sigseek.search.results import Hit, SearchResults
from sigseek.storage import CatalogReader, PhotoRecord

if TYPE_CHECKING:  # a query of facts alone needs no numpy
    from sigseek.search.retrieval import Ids
    from sigseek.search.scorer import Rows
    from sigseek.storage.catalog.reading.directories import KnownDirectory


def photos_with_files(
    rows: Rows, ids: Ids, catalog: CatalogReader, limit: int
) -> list[tuple[int, PhotoRecord]]:
    """Return the first `limit` of the rows whose photos have a file, present or missing, and these
    photos. `ids` has the id of each row's photo.
    """
    found: list[tuple[int, PhotoRecord]] = []
    for start in range(0, len(rows), limit + 1):
        chosen = rows[start : start + limit + 1].tolist()
        photos = catalog.photos(ids[chosen].tolist())
        found += [(row, photos[id_]) for row in chosen if (id_ := int(ids[row])) in photos]
        if len(found) >= limit:
            break
    return found[:limit]


def shown_where_asked(found: SearchResults, asked: Query, catalog: CatalogReader) -> SearchResults:
    """Return the results with paths in the directories that the query names, for photos that have
    a file there. A copy elsewhere is not what was asked for, and may be about to be deleted.
    """
    directories = [PurePath(directory.path) for directory in directories_in(asked, catalog)]
    if not directories:
        return found
    return replace(
        found,
        hits=tuple(_shown_in(directories, hit) for hit in found.hits),
        best=found.best and _shown_in(directories, found.best),
    )


def directories_in(query: Query, catalog: CatalogReader) -> list[KnownDirectory]:
    """Return the directories that a query names. Some may have been forgotten since it was
    answered.
    """
    found = []
    for term in terms(query):
        if isinstance(term, Fact) and isinstance(term.value, Directory):
            with suppress(FactValueError):
                found.append(term.value.known(catalog))
    return found


def _shown_in(directories: Sequence[PurePath], hit: Hit) -> Hit:
    paths = (hit.path, *hit.copies)
    inside = [
        path for path in paths if any(PurePath(path).is_relative_to(one) for one in directories)
    ]
    if not inside or hit.path in inside or hit.query_photo:
        return hit
    (present,) = first_there([inside])
    path = present or inside[0]
    copies = tuple(copy for copy in paths if copy != path)
    return replace(hit, path=path, copies=copies, available=present is not None)


def photo_fields(
    photos: Sequence[PhotoRecord], known: Mapping[int, KnownPhoto] | None = None
) -> list[dict[str, Any]]:
    """Return the fields of a `PhotoHit` for each photo, except for the rank. `known` has, by id,
    the photos that the query names.
    """
    named = known or {}
    shown = [
        named[photo.id].files_to_show(photo.paths) if photo.id in named else photo.paths
        for photo in photos
    ]
    return [
        _fields(photo, paths, present, named.get(photo.id))
        for photo, paths, present in zip(photos, shown, first_there(shown), strict=True)
    ]


def _fields(
    photo: PhotoRecord, paths: Sequence[str], present: str | None, known: KnownPhoto | None
) -> dict[str, Any]:
    """Return the fields of a photo, of whose `paths` this one is present, if any is."""
    path = present or paths[0]
    query_photo = ("itself" if path in known.named else "copy") if known else None
    return {
        "id": photo.id,
        "path": path,
        "width": photo.width,
        "height": photo.height,
        "damaged": photo.damaged,
        "taken_at": photo.taken_at,
        "date_source": photo.date_source,
        "camera": photo.camera,
        "latitude": photo.latitude,
        "longitude": photo.longitude,
        "city": photo.city,
        "region": photo.region,
        "country": photo.country,
        "place_source": photo.place_source,
        "lens": photo.lens,
        "rating": photo.rating,
        "title": photo.title,
        "description": photo.description,
        "keywords": photo.keywords,
        "people": photo.people,
        "tags": photo.tags,
        "copies": tuple(other for other in photo.paths if other != path),
        "available": present is not None,
        "query_photo": query_photo,
    }
