from sigseek.indexer.decoding.metadata import Metadata
from sigseek.indexer.facts import photo_metadata
from sigseek.indexer.facts_version import FACTS_VERSION
from sigseek.storage import PhotoMetadata

PARIS = {"latitude": 48.8887, "longitude": 2.3}


def names(**said: object) -> tuple[str | None, ...]:
    found = photo_metadata(Metadata(**said))  # type: ignore[arg-type]
    return found.city, found.region, found.country, found.place_source


def test_coordinates_name_the_place_that_nobody_named() -> None:
    looked_up = ("Paris", "Île-de-France", "France", "coordinates")
    assert names(**PARIS) == looked_up
    assert names(**PARIS, country="France", place_source="iptc") == looked_up
    assert names(latitude=0.5, longitude=-30.0) == (None, None, None, None)


def test_names_that_people_wrote_stay() -> None:
    written = {"city": "Montmartre", "place_source": "xmp"}
    assert names(**PARIS, **written) == ("Montmartre", None, None, "xmp")
    assert names(**PARIS, country="Frankreich", place_source="xmp") == (
        None, None, "Frankreich", "xmp",
    )  # fmt: skip


def test_all_else_is_kept() -> None:
    said = Metadata(taken_at="1978", title="Noon", keywords=("a",), orientation=6)
    assert photo_metadata(said) == PhotoMetadata(
        taken_at="1978", title="Noon", keywords=("a",), facts_version=FACTS_VERSION
    )
