"""The options of searches that are facts of a query, such as `--date 2024`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])

FACTS = {
    "date": "Only photos taken then: 2024, 2024-05-17, 2023..2024-03, today, 'last month', 7d.",
    "since": "Only photos taken then or later.",
    "until": "Only photos taken then or earlier.",
    "place": "Only photos of this city, region or country.",
    "near": "Only photos taken within 10 km of a place: 38.72,-9.14, Lisbon or Lisbon,50km.",
    "camera": "Only photos of this camera, with or without its maker; * for any letters.",
    "lens": "Only photos of this lens.",
    "in": "Only photos in this directory and below: its path, or the end of it.",
    "rating": "Only photos with at least this many stars; =4 for exactly four.",
    "keyword": "Only photos with this keyword.",
    "title": "Only photos with this in their title.",
    "person": "Only photos that name this person.",
    "format": "Only photos of this format, such as JPEG.",
    "width": "Only photos at least this many pixels wide.",
    "height": "Only photos at least this many pixels high.",
    "is": "Only undated, damaged, missing, duplicate, tagged, untagged, portrait or landscape "
    "photos.",
    "tag": "Only photos with this tag.",
}
"""The help of the options that are facts, by their names."""


class _FactValue(click.ParamType[str]):
    """The value of a fact, which is not empty."""

    name = "value"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Return the value; an empty one is wrong syntax."""
        if not str(value).strip():
            self.fail("the value is empty; is a shell variable not set?", param, ctx)
        return str(value)


def fact_options(command: _Command) -> _Command:
    """Add an option for each kind of fact to a command; `given_facts` reads them."""
    for name, text in reversed(FACTS.items()):
        option = click.option(
            f"--{name}", name, type=_FactValue(), multiple=True, metavar="VALUE", help=text
        )
        command = option(command)
    return command


def given_facts(facts: Mapping[str, Sequence[str]]) -> str:
    """Return the facts that the options give, as a query."""
    if not any(facts.values()):
        return ""
    from sigseek.search.query import quoted  # `--help`, and counts of all photos, need none of it

    return " ".join(f"{name}:{quoted(value)}" for name, values in facts.items() for value in values)
