"""XMP: metadata that people and programs wrote into a photo, as XML."""

from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

MAX_BYTES = 1_000_000
"""Larger packets are not read. Those of photos have some kilobytes, or a few hundred with the
history of edits.
"""

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_XMP = "http://ns.adobe.com/xap/1.0/"
_DC = "http://purl.org/dc/elements/1.1/"
_DATES = (
    ("http://ns.adobe.com/exif/1.0/", "DateTimeOriginal"),
    ("http://ns.adobe.com/photoshop/1.0/", "DateCreated"),
    (_XMP, "CreateDate"),
)
_LENSES = (("http://cipa.jp/exif/1.0/", "LensModel"), ("http://ns.adobe.com/exif/1.0/aux/", "Lens"))
_LANGUAGE = "http://www.w3.org/XML/1998/namespace lang"


@dataclass(frozen=True)
class Xmp:
    """Values as they are written; empty ones where there are none."""

    dates: tuple[str, ...] = ()
    """Candidates for when the photo was taken, the most likely first."""
    lens: str = ""
    rating: str = ""
    keywords: tuple[str, ...] = ()
    description: str = ""


def read_xmp(packet: bytes) -> Xmp:
    """The values in the packet. ValueError when it is not XML, too large, or defines entities, with
    which it could grow.
    """
    if len(packet) > MAX_BYTES:
        raise ValueError(f"{len(packet)} bytes of XMP")
    described = list(_parse(packet.strip(b"\0 \r\n\t")).iter(f"{_RDF} Description"))
    return Xmp(
        dates=tuple(found for name in _DATES if (found := _first(described, *name))),
        lens=next((found for name in _LENSES if (found := _first(described, *name))), ""),
        rating=_first(described, _XMP, "Rating"),
        keywords=tuple(text for text, _ in _values(described, _DC, "subject")),
        description=_first(described, _DC, "description"),
    )


def _parse(packet: bytes) -> Element:
    """The XML as elements, their names with the namespace before a space."""

    def refuse(*_: object) -> None:
        raise ValueError("XMP with a document type")

    builder = TreeBuilder()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartDoctypeDeclHandler = refuse  # no document type, no entities
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(packet, True)
    except (expat.ExpatError, LookupError) as error:  # LookupError is for an unknown encoding
        raise ValueError(f"no XML: {error}") from error
    return builder.close()


def _values(described: list[Element], namespace: str, name: str) -> Iterator[tuple[str, str]]:
    """All texts of the property with their languages. A property is an attribute, an element, or
    the members of its list.
    """
    for description in described:
        if attribute := description.get(f"{namespace} {name}"):
            yield attribute, ""
        for element in description:
            if element.tag == f"{namespace} {name}":
                members = list(element.iter(f"{_RDF} li")) or [element]
                yield from ((member.text or "", member.get(_LANGUAGE, "")) for member in members)


def _first(described: list[Element], namespace: str, name: str) -> str:
    """The property's text. Of several, the one for any language."""
    found = [
        (text.strip(), language)
        for text, language in _values(described, namespace, name)
        if text.strip()
    ]
    return next(
        (text for text, language in found if language == "x-default"), found[0][0] if found else ""
    )
