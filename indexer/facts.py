"""What the catalog keeps of a photo: what its file says, and the names of its place."""

from dataclasses import fields, replace

from sigseek.cities import city_at
from sigseek.indexer.decoding.decode import DecodedPhoto
from sigseek.indexer.decoding.metadata import Metadata
from sigseek.indexer.facts_version import FACTS_VERSION
from sigseek.storage import PhotoFacts, PhotoMetadata, PlaceSource


def photo_facts(digest: bytes, photo: DecodedPhoto) -> PhotoFacts:
    """Return the facts of a decoded photo whose picture has this digest."""
    said = photo_metadata(photo.metadata)
    return PhotoFacts(digest, photo.width, photo.height, photo.format, photo.damaged, **vars(said))


def photo_metadata(metadata: Metadata) -> PhotoMetadata:
    """Return the metadata as it is kept. If there are coordinates, they give the names of the place
    that nobody wrote.
    """
    names = {field.name for field in fields(PhotoMetadata)} - {"facts_version"}
    said = PhotoMetadata(
        facts_version=FACTS_VERSION, **{name: getattr(metadata, name) for name in names}
    )
    if said.latitude is None or said.longitude is None or said.city:
        return said
    found = city_at(said.latitude, said.longitude)
    if found is None or (said.country and said.country != found.country):
        return said
    return replace(
        said,
        city=found.city,
        region=said.region or found.region,
        country=found.country,
        place_source=PlaceSource.COORDINATES,
    )
