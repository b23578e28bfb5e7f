"""The kinds of facts by the names that queries give them."""

from collections.abc import Callable
from functools import partial

from sigseek.search.facts.folders import Directory
from sigseek.search.facts.names import Camera, Keyword, NamedFact, Person, parse_name
from sigseek.search.facts.numbers import parse_height, parse_rating, parse_width
from sigseek.search.facts.periods import parse_period, parse_since, parse_until
from sigseek.search.facts.places import parse_near, parse_place
from sigseek.search.facts.states import parse_state
from sigseek.search.facts.values import FactValue

KINDS: dict[str, Callable[[str], FactValue]] = {
    "date": parse_period,
    "since": parse_since,
    "until": parse_until,
    "place": parse_place,
    "near": parse_near,
    "camera": lambda typed: parse_name("camera", typed, Camera),
    "lens": lambda typed: parse_name("lens", typed, partial(NamedFact, "lens")),
    "in": Directory,
    "rating": parse_rating,
    "keyword": lambda typed: parse_name("keyword", typed, Keyword),
    "title": lambda typed: parse_name("title", typed, partial(NamedFact, "title")),
    "person": lambda typed: parse_name("person", typed, Person),
    "format": lambda typed: parse_name("format", typed, partial(NamedFact, "format")),
    "width": parse_width,
    "height": parse_height,
    "is": parse_state,
}
"""The functions that read a value as it was typed, by the name of the fact. They raise
FactValueError for a value that the fact cannot have.
"""
NAMES_OF_PERIODS = {"since": "date", "until": "date"}
"""The facts that give one end of a period, and the fact that gives the whole period."""
OTHER_NAMES = {
    "folder": "in", "directory": "in", "dir": "in", "path": "in", "album": "in",
    "city": "place", "region": "place", "country": "place", "location": "place", "where": "place",
    "year": "date", "month": "date", "day": "date", "when": "date", "taken": "date",
    "after": "since", "from": "since", "before": "until", "stars": "rating", "gps": "near",
    "people": "person", "face": "person", "label": "tag", "model": "camera", "make": "camera",
    "type": "format", "ext": "format", "filetype": "format",
}  # fmt: skip
"""Names of terms in other programs, and what they are called here."""
