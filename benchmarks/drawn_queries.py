"""Queries about drawn pictures. What was drawn tells the right answers."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

from sigseek.demo.captions import Statement, Subject, article, phrase, plural, random_statement
from sigseek.demo.scene import COLORS, OBJECTS, PLACES, TIMES, WEATHERS, Scene, numbered_scene
from sigseek.demo.training.calibrate import random_queries

Queries = list[tuple[str, Statement]]
Facts = frozenset[str]

_NONSENSE_SHARE = 0.1
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
UNKNOWN = (
    "a set of dominoes|a pair of scissors|a hot dog|a rhinoceros|a marble statue|"
    "a group of schoolchildren|a portrait in profile|handwritten notes|a stack of books|a mosque|"
    "an avalanche|a beehive|an ostrich|a bottle of wine|a wristwatch|a map of Europe|"
    "a graduation ceremony|a drummer on stage|a roller coaster|a cup of tea|a beekeeper|a toilet|"
    "a washing machine|a smiling woman|a bride and groom|a scarecrow|a hippopotamus|"
    "a bowl of rice|a keyboard|a jellyfish|a polar bear|a squirrel|a typewriter|a sandwich|"
    "a combine harvester|a fire engine|a vending machine|a construction site|a bonfire|lightning|"
    "an x-ray of a knee|a tattoo on an arm|a pizza|a cathedral|a nightclub|a ballerina|"
    "a yoga class|a fish market|a motorway|a chemistry laboratory|a parade|a goldfish|a frog|"
    "a monkey|a beard|a piano|a drum kit|a violinist|a basketball hoop|a hairdresser"
)
"""Things that no drawing shows and that mini has never read about."""


@dataclass(frozen=True)
class CompoundQuery:
    """One wish, written with operators and as a sentence, and the facts that decide what it is true
    of.
    """

    kind: str
    operators: str
    sentence: str
    is_true: Callable[[Facts], bool]


def present_queries(scenes: list[Scene], count: int, seed: int) -> Queries:
    """Return different texts, each true of at least one scene."""
    return list(random_queries(scenes, count, random.Random(seed)).items())


def absent_queries(
    objects: set[str], places: set[str], weathers: set[str], count: int, seed: int
) -> Queries:
    """Return different texts that are true of no scene: texts with objects, places and weathers
    that no scene has, unknown things, and nonsense.
    """
    rng = random.Random(f"absent {seed}")
    few = round(_NONSENSE_SHARE * count)
    texts = ["".join(rng.choices(_LETTERS, k=rng.randint(4, 12))) for _ in range(few)]
    texts += rng.sample(UNKNOWN.split("|"), few)
    found = {text: Statement() for text in texts}
    while (objects or places or weathers) and len(found) < count:
        statement = random_statement(numbered_scene(1000 + seed, rng.randrange(100_000)), rng)
        named = {subject.name for subject in statement.subjects}
        if (named and named <= objects) or (
            not named and {statement.place, statement.weather} & (places | weathers)
        ):
            found.setdefault(phrase(statement, rng), statement)
    return list(found.items())


def kinds_of_queries() -> dict[str, Queries]:
    """Return short queries by kind, in the words of the facts."""
    return {
        "object": [(f"a photo of {_a(name)}", Statement((Subject(name),))) for name in OBJECTS],
        "colour and object": [
            (_a(f"{color} {name}"), Statement((Subject(name, color),)))
            for color, name in product(COLORS, OBJECTS)
        ],
        "object and time": [
            (f"{_a(name)} {time}", Statement((Subject(name),), time=time))
            for name, time in product(OBJECTS, TIMES)
        ],
        "object and place": [
            (f"{_a(name)} {place}", Statement((Subject(name),), place=place))
            for name, place in product(OBJECTS, PLACES)
        ],
        "circumstance": [
            *((time, Statement(time=time)) for time in TIMES),
            *((place, Statement(place=place)) for place in PLACES),
            *((weather, Statement(weather=weather)) for weather in WEATHERS),
        ],
        "number of objects": [
            (f"{word} {plural(name)}", Statement((Subject(name, count=count),)))
            for (count, word), name in product(((2, "two"), (3, "three")), OBJECTS)
        ],
    }


def compound_queries() -> list[CompoundQuery]:
    """Return about a hundred queries with AND, OR and NOT of two or three concepts, drawn at random
    but always the same.
    """
    rng = random.Random(4)
    queries = []
    for name in OBJECTS:
        other = rng.choice([one for one in OBJECTS if one != name])
        circumstance = rng.choice((*TIMES, *PLACES, *WEATHERS))
        time, place, color = rng.choice(TIMES), rng.choice(PLACES), rng.choice(COLORS)
        thing, colored = (
            Statement((Subject(name),)).facts(),
            Statement((Subject(name, color),)).facts(),
        )
        second = Statement((Subject(other),)).facts()
        queries += [
            _compound(
                "AND",
                f"{_a(name)} AND {circumstance}",
                f"{_a(name)} {circumstance}",
                [thing, {circumstance}],
                [],
            ),
            _compound(
                "AND",
                f"{_a(name)} AND {time} AND {place}",
                f"{_a(name)} {time} {place}",
                [thing, {time}, {place}],
                [],
            ),
            _compound(
                "NOT",
                f"{_a(name)} NOT {circumstance}",
                f"{_a(name)} not {circumstance}",
                [thing],
                [{circumstance}],
            ),
            _compound(
                "NOT",
                f"{_a(name)} NOT {_a(f'{color} {name}')}",
                f"{_a(name)} that is not {color}",
                [thing],
                [colored],
            ),
            _either(f"{_a(name)} OR {_a(other)}", f"{_a(name)} or {_a(other)}", thing, second),
            _either(f"{_a(name)} OR {time}", f"{_a(name)} or {time}", thing, frozenset({time})),
        ]
    return queries


def _compound(
    kind: str,
    operators: str,
    sentence: str,
    wanted: list[Facts | set[str]],
    unwanted: list[Facts | set[str]],
) -> CompoundQuery:
    return CompoundQuery(
        kind,
        operators,
        sentence,
        lambda facts: (
            all(part <= facts for part in wanted) and not any(part <= facts for part in unwanted)
        ),
    )


def _either(operators: str, sentence: str, one: Facts, other: Facts) -> CompoundQuery:
    return CompoundQuery("OR", operators, sentence, lambda facts: one <= facts or other <= facts)


def _a(noun: str) -> str:
    return f"{article(noun)} {noun}"
