"""XMP: metadata that people and programs wrote into a photo or beside it, as XML."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

MAX_BYTES = 4_000_000
"""Larger packets are not read. Those of photos have some kilobytes, or a few hundred with the
history of edits.
"""

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns"
_LANGUAGE = "http://www.w3.org/XML/1998/namespace lang"
_DEEPEST = 8
"""How many elements a structure may lie in. The names of people lie in five."""
_NAMESPACES = {
    "acdsee": "http://ns.acdsee.com/iptc/1.0/",
    "aux": "http://ns.adobe.com/exif/1.0/aux/",
    "crs": "http://ns.adobe.com/camera-raw-settings/1.0/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "digiKam": "http://www.digikam.org/ns/1.0/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "exifEX": "http://cipa.jp/exif/1.0/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "lr": "http://ns.adobe.com/lightroom/1.0/",
    "mediapro": "http://ns.iview-multimedia.com/mediapro/1.0/",
    "MicrosoftPhoto": "http://ns.microsoft.com/photo/1.0/",
    "MP": "http://ns.microsoft.com/photo/1.2/",
    "MPReg": "http://ns.microsoft.com/photo/1.2/t/Region#",
    "mwg-kw": "http://www.metadataworkinggroup.com/schemas/keywords/",
    "mwg-rs": "http://www.metadataworkinggroup.com/schemas/regions/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "tiff": "http://ns.adobe.com/tiff/1.0/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "xmpMM": "http://ns.adobe.com/xap/1.0/mm/",
}
"""The namespaces that are read here, by their usual prefixes. Some programs leave out the character
at the end, so it is not compared.
"""
_ENDS = "/#"


@dataclass(frozen=True)
class Xmp:
    """The properties of a packet, asked for by their usual names: "dc:title"."""

    _descriptions: list[Element] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether the packet has nothing in it that could be a property."""
        return not self._descriptions

    def texts(self, *names: str) -> tuple[str, ...]:
        """Return all texts of the properties that are not empty."""
        return tuple(text for name in names for text, _ in self._values(name))

    def first(self, *names: str) -> str:
        """Return the text of the first of the properties that has one. Of texts in several
        languages, it is the one for any language.
        """
        for name in names:
            found = list(self._values(name))
            for text, language in found:
                if language == "x-default":
                    return text
            if found:
                return found[0][0]
        return ""

    def within(self, structure: str, name: str, unless: tuple[str, str] = ("", "")) -> list[str]:
        """Return the texts of a property of structures, at any depth within the property
        `structure`.

        A structure is passed over if its property `unless[0]` is there and is not `unless[1]`.
        """
        texts = []
        for found in self._properties(structure):
            for part in _parts(found, _DEEPEST):
                other = _own_text(part, unless[0]) if unless[0] else ""
                text = _own_text(part, name)
                if text and (not other or other == unless[1]):
                    texts.append(text)
        return texts

    def with_more(self, other: "Xmp") -> "Xmp":
        """Return the properties of both, this one's first."""
        return Xmp([*self._descriptions, *other._descriptions])

    def keyword_trees(self) -> list[str]:
        """Return the keywords of the Metadata Working Group's trees, the levels joined by "|".

        A keyword that does not say whether it applies does if there is none below it.
        """
        return [
            keyword
            for tree in self._properties("mwg-kw:Keywords")
            for root in _structures(tree, "mwg-kw:Hierarchy")
            for keyword in _applied(root, (), _DEEPEST)
        ]

    def _values(self, name: str) -> Iterator[tuple[str, str]]:
        """Yield the texts of the property with their languages. A property is an attribute, an
        element, or the members of its list.
        """
        qualified = _qualified(name)
        for description in self._descriptions:
            if attribute := description.get(qualified, "").strip():
                yield attribute, ""
        for element in self._properties(name):
            for member in list(element.iter(f"{_RDF} li")) or [element]:
                if text := _text(member):
                    yield text, member.get(_LANGUAGE, "")

    def _properties(self, name: str) -> Iterator[Element]:
        qualified = _qualified(name)
        for description in self._descriptions:
            yield from (element for element in description if element.tag == qualified)


def read_xmp(packet: bytes) -> Xmp:
    """Return the properties in the packet. Raises ValueError when it is not XML, too large, or
    defines entities, with which it could grow.
    """
    if len(packet) > MAX_BYTES:
        raise ValueError(f"{len(packet)} bytes of XMP")
    root = _parse(_as_utf8(packet))
    # Only what describes this picture: structures deeper down describe others, which it is made of.
    about = root if root.tag == f"{_RDF} RDF" else _child(root, f"{_RDF} RDF")
    return Xmp(list(about) if about is not None else [])


def _as_utf8(packet: bytes) -> bytes:
    """Return the packet from its first tag on. UTF-16 becomes UTF-8, as UTF-16 would need its first
    bytes to be told apart.
    """
    head = packet[:200]
    if b"<\0" in head or b"\0<" in head:
        start = head.index(b"<")
        big = start > 0 and head[start - 1] == 0
        text = packet[start - big :].decode("utf-16-be" if big else "utf-16-le", "replace")
        if text.startswith("<?xml"):  # it names the encoding of before
            text = text.partition("?>")[2]
        return text.strip("\0 \r\n\t").encode("utf-8", "replace")
    return packet[max(0, packet.find(b"<")) :].strip(b"\0 \r\n\t")


def _parse(packet: bytes) -> Element:
    """Return the XML as elements, their names with the namespace before a space. Bytes behind the
    document are left alone.
    """

    def refuse(*_: object) -> None:
        raise ValueError("XMP with a document type")

    builder, depth, complete = TreeBuilder(), 0, False

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        builder.start(
            _comparable(tag), {_comparable(name): value for name, value in attributes.items()}
        )

    def end(tag: str) -> None:
        nonlocal depth, complete
        depth -= 1
        complete = complete or depth == 0
        builder.end(_comparable(tag))

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartDoctypeDeclHandler = refuse  # no document type, no entities
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(packet, True)
    except (expat.ExpatError, LookupError) as error:  # LookupError is for an unknown encoding
        if not complete:
            raise ValueError(f"no XML: {error}") from error
    return builder.close()


def _qualified(name: str) -> str:
    prefix, _, local = name.partition(":")
    return f"{_NAMESPACES[prefix].rstrip(_ENDS)} {local}"


def _comparable(name: str) -> str:
    """Return the name of an element or attribute, its namespace without its last character."""
    namespace, _, local = name.rpartition(" ")
    return f"{namespace.rstrip(_ENDS)} {local}" if namespace else local


def _text(element: Element) -> str:
    """Return the element's text. A value with qualifiers has it in an element of its own."""
    value = _child(element, f"{_RDF} value")
    return ((element if value is None else value).text or "").strip()


def _own_text(structure: Element, name: str) -> str:
    """Return the text of a structure's property, which is an attribute or an element."""
    qualified = _qualified(name)
    if attribute := structure.get(qualified, "").strip():
        return attribute
    element = _child(structure, qualified)
    if element is None:
        return ""
    return next(filter(None, map(_text, element.iter(f"{_RDF} li"))), "") or _text(element)


def _child(element: Element, tag: str) -> Element | None:
    """Return the first child of that tag. `Element.find` takes namespaces for paths."""
    return next((child for child in element if child.tag == tag), None)


def _parts(element: Element, depth: int) -> Iterator[Element]:
    """Yield the element and those within it, down to a depth."""
    yield element
    if depth:
        for child in element:
            yield from _parts(child, depth - 1)


def _structures(parent: Element, name: str) -> Iterator[Element]:
    """Yield the members of a list of structures. The list is a property of `parent`."""
    qualified = _qualified(name)
    for part in _parts(parent, 1):
        for found in part:
            if found.tag == qualified:
                yield from _members(found)


def _members(element: Element) -> Iterator[Element]:
    """Yield the members of the list in the element, and not those of lists within them."""
    for kind in element:
        yield from (member for member in kind if member.tag == f"{_RDF} li")


def _applied(structure: Element, above: tuple[str, ...], depth: int) -> Iterator[str]:
    """Yield the keywords of a tree that apply, the levels joined by "|"."""
    texts = [_own_text(part, "mwg-kw:Keyword") for part in _parts(structure, 1)]
    levels = (*above, next(filter(None, texts), "").replace("|", " "))
    below = list(_structures(structure, "mwg-kw:Children")) if depth else []
    said = [_own_text(part, "mwg-kw:Applied").lower() for part in _parts(structure, 1)]
    applies = next(filter(None, said), "false" if below else "true")
    if applies == "true":
        yield "|".join(levels)
    for child in below:
        yield from _applied(child, levels, depth - 1)
