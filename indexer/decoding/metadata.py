"""A photo's metadata: when, where and with what it was taken, and what people wrote into it.

Cameras write EXIF; people and their programs write XMP and IPTC. Broken metadata is ignored.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import PurePath
from types import MappingProxyType
from typing import Any

from PIL import ExifTags, Image

from sigseek.indexer.decoding import coordinates, descriptions, iptc
from sigseek.indexer.decoding.capture_date import capture_date
from sigseek.indexer.decoding.exif_text import exif_text, user_comment, windows_text
from sigseek.indexer.decoding.iptc import read_iptc
from sigseek.indexer.decoding.keywords import merged_keywords, split_keywords, xmp_keywords
from sigseek.indexer.decoding.metadata_blocks import MetadataBlocks, read_blocks
from sigseek.indexer.decoding.named_dates import date_in_name
from sigseek.indexer.decoding.ratings import rating
from sigseek.indexer.decoding.xmp import Xmp, read_xmp
from sigseek.storage import DateSource, PhotoMetadata, PlaceSource

SIDES_SWAPPED = (5, 6, 7, 8)
"""Orientations that swap width and height."""

_RATING, _RATING_PERCENT = 0x4746, 0x4749
_XP_TITLE, _XP_COMMENT, _XP_KEYWORDS = 0x9C9B, 0x9C9C, 0x9C9E
_TAGS = ExifTags.Base
_BASE_TAGS = (
    _TAGS.Orientation,
    _TAGS.Make,
    _TAGS.Model,
    _TAGS.DateTime,
    _TAGS.ImageDescription,
    _RATING,
    _RATING_PERCENT,
    _XP_TITLE,
    _XP_COMMENT,
    _XP_KEYWORDS,
)
_DETAIL_TAGS = (
    _TAGS.DateTimeOriginal,
    _TAGS.DateTimeDigitized,
    _TAGS.OffsetTime,
    _TAGS.OffsetTimeOriginal,
    _TAGS.OffsetTimeDigitized,
    _TAGS.UserComment,
    _TAGS.LensModel,
)
"""What belongs into EXIF's own directory. TIFF/EP, and camera RAW after it, has it in the first."""
CITY = ("photoshop:City",), "Iptc4xmpExt:City", iptc.CITY
REGION = ("photoshop:State",), "Iptc4xmpExt:ProvinceState", iptc.REGION
COUNTRY = ("photoshop:Country",), "Iptc4xmpExt:CountryName", iptc.COUNTRY
"""XMP's properties for a name of the place, the property of XMP's structures for it, and IPTC's
field.
"""


_NOTHING: Mapping[int, Any] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Metadata(PhotoMetadata):
    """The facts that a file states.

    `latitude` and `longitude` are in degrees, north and east positive; `rating` is 1 to 5, or -1
    for a rejected photo. Texts are one line, without control characters; `keywords` and `people`
    are in the order of the file, none twice.
    """

    orientation: int = 1
    """The orientation as EXIF has it, 1 to 8."""


def read_metadata(image: Image.Image) -> Metadata:
    """Return the metadata of an opened image. It raises nothing, whatever the file holds."""
    try:
        return metadata_of(read_blocks(image))
    except Exception:  # the photo must not be lost by what is written about it
        return Metadata()


def merged(said: Metadata, other: Metadata) -> Metadata:
    """Return the metadata, with what is missing of it taken from the other."""
    names = (field.name for field in fields(Metadata))
    return Metadata(**{name: getattr(said, name) or getattr(other, name) for name in names})


def metadata_of(blocks: MetadataBlocks) -> Metadata:
    """Return the metadata that EXIF, XMP and IPTC give together."""
    base = _tags(blocks.exif, _BASE_TAGS)
    detail = _tags(blocks.exif, _DETAIL_TAGS) | _directory(blocks.exif, ExifTags.IFD.Exif)
    gps = _directory(blocks.exif, ExifTags.IFD.GPSInfo)
    xmp = parsed_xmp(blocks.xmp).with_more(parsed_xmp(blocks.more_xmp))
    fields = read_iptc(blocks.iptc)
    position = coordinates.exif_position(gps) or coordinates.xmp_position(xmp)
    latitude, longitude = position or (None, None)
    taken = capture_date(base, detail, gps, longitude, xmp, fields)
    comment = user_comment(
        detail.get(_TAGS.UserComment), big_endian=getattr(blocks.exif, "endian", None) == ">"
    )
    flat, hierarchical = xmp_keywords(xmp)
    orientation = base.get(_TAGS.Orientation)
    return Metadata(
        taken_at=str(taken.date) if taken else None,
        date_source=taken.source if taken else None,
        camera=camera_name(xmp, base),
        latitude=latitude,
        longitude=longitude,
        **place_names(xmp, PlaceSource.XMP, fields),
        orientation=orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1,
        lens=descriptions.lens((exif_text(detail.get(_TAGS.LensModel)), xmp_lens(xmp))),
        rating=rating(
            (xmp.first("xmp:Rating"), base.get(_RATING)),
            (xmp.first("MicrosoftPhoto:Rating"), base.get(_RATING_PERCENT)),
        ),
        title=descriptions.title((*_titles(base, xmp, fields), blocks.title)),
        description=descriptions.description(
            (*_descriptions(base, detail, xmp, fields, comment), blocks.description)
        ),
        keywords=merged_keywords(
            (
                *flat,
                *fields.get(iptc.KEYWORDS, ()),
                *split_keywords(windows_text(base.get(_XP_KEYWORDS))),
            ),
            hierarchical,
        ),
        people=descriptions.people(xmp),
    )


def dated_by_name(metadata: Metadata, path: PurePath) -> Metadata:
    """Return the metadata, with the date in the file's name if the file itself gives none."""
    named = None if metadata.taken_at else date_in_name(path)
    if named is None:
        return metadata
    return replace(metadata, taken_at=str(named), date_source=DateSource.FILE_NAME)


def parsed_xmp(packet: bytes) -> Xmp:
    """Return the packet's properties; none where it is damaged."""
    try:
        return read_xmp(packet) if packet else Xmp()
    except Exception:  # whatever is in it
        return Xmp()


def place_names(
    xmp: Xmp, source: PlaceSource, fields: Mapping[int, tuple[str, ...]]
) -> dict[str, Any]:
    """Return city, region and country by XMP, or else by IPTC. `source` is where XMP comes from."""
    structures = ("Iptc4xmpExt:LocationCreated", "Iptc4xmpExt:LocationShown")

    def named(properties: tuple[str, ...], part: str, field: int) -> tuple[str | None, str | None]:
        within = (text for structure in structures for text in xmp.within(structure, part))
        written = descriptions.name((xmp.first(*properties), *within))
        return written, descriptions.name(fields.get(field, ()))

    found = {"city": named(*CITY), "region": named(*REGION), "country": named(*COUNTRY)}
    by_xmp = any(written for written, _ in found.values())
    by_iptc = any(other for _, other in found.values())
    return {name: written or other for name, (written, other) in found.items()} | {
        "place_source": source if by_xmp else PlaceSource.IPTC if by_iptc else None
    }


def xmp_lens(xmp: Xmp) -> str:
    """Return the lens that XMP names."""
    return xmp.first("exifEX:LensModel", "aux:Lens")


def _tags(directory: Any, wanted: Iterable[int]) -> dict[int, Any]:
    """Return the values of the tags that can be read."""
    found = {}
    for tag in wanted:
        try:
            value = directory.get(tag)
        except Exception:  # damaged EXIF raises many kinds, even SyntaxError and struct.error
            continue
        if value is not None:
            found[tag] = value
    return found


def _directory(exif: Image.Exif, number: int) -> dict[int, Any]:
    try:
        return dict(exif.get_ifd(number))
    except Exception:  # as above
        return {}


def camera_name(xmp: Xmp, base: Mapping[int, Any] = _NOTHING) -> str | None:
    """Return the camera's maker and model by EXIF or else by XMP, without the maker where the model
    repeats it.
    """
    maker = exif_text(base.get(_TAGS.Make)) or xmp.first("tiff:Make")
    model = exif_text(base.get(_TAGS.Model)) or xmp.first("tiff:Model")
    first = maker.split()[:1]
    if first and model.lower().startswith(first[0].lower()):
        maker = ""
    return descriptions.name((f"{maker} {model}",))


def _titles(
    base: Mapping[int, Any], xmp: Xmp, fields: Mapping[int, tuple[str, ...]]
) -> tuple[str, ...]:
    return (
        xmp.first("dc:title"),
        *fields.get(iptc.TITLE, ()),
        xmp.first("photoshop:Headline"),
        *fields.get(iptc.HEADLINE, ()),
        windows_text(base.get(_XP_TITLE)),
    )


def _descriptions(
    base: Mapping[int, Any],
    detail: Mapping[int, Any],
    xmp: Xmp,
    fields: Mapping[int, tuple[str, ...]],
    comment: str,
) -> tuple[str, ...]:
    return (
        xmp.first("dc:description"),
        *fields.get(iptc.CAPTION, ()),
        exif_text(base.get(_TAGS.ImageDescription)),
        comment,
        xmp.first("exif:UserComment"),
        windows_text(base.get(_XP_COMMENT)),
    )
