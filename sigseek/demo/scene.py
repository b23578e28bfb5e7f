"""What a drawn photo shows: objects with colours and counts, place, time of day and weather."""

import random
from dataclasses import dataclass
from itertools import product

OBJECTS = (
    "house",
    "car",
    "bus",
    "sailboat",
    "lighthouse",
    "balloon",
    "umbrella",
    "tent",
    "bicycle",
    "airplane",
    "kite",
    "mushroom",
    "flower",
    "butterfly",
    "cat",
    "duck",
    "chair",
    "windmill",
)
COLORS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white")
PLACES = (
    "by the sea",
    "in the mountains",
    "in a forest",
    "in a city",
    "in the desert",
    "in a meadow",
)
TIMES = ("at dawn", "at noon", "at sunset", "at night")
WEATHERS = ("in clear weather", "in cloudy weather", "in the rain", "in the snow", "in the fog")
MAX_COUNT = 3

_TWO_KINDS = 0.4
_COUNT_WEIGHTS = (0.6, 0.25, 0.15)


@dataclass(frozen=True)
class Group:
    """`count` (1 to 3) objects of one kind and one colour."""

    name: str
    color: str
    count: int


@dataclass(frozen=True)
class Scene:
    """One or two groups of objects of different kinds, with the place, the time of day and the
    weather.
    """

    objects: tuple[Group, ...]
    place: str
    time: str
    weather: str

    def facts(self) -> frozenset[str]:
        """Return everything that a caption may truthfully say of the scene, one short string per
        fact.
        """
        said = {self.place, self.time, self.weather}
        for group in self.objects:
            said |= {
                subject_fact(group.name, color, count)
                for color in (None, group.color)
                for count in (None, group.count)
            }
        return frozenset(said)


def subject_fact(name: str, color: str | None, count: int | None) -> str:
    """Return the fact that a scene shows `count` objects `name` in `color`. None stands for any
    number or any colour.
    """
    return f"{count or 'any'} {color or 'any'} {name}"


def all_facts() -> list[str]:
    """Return every fact that some scene has, in a fixed order."""
    subjects = product(OBJECTS, (None, *COLORS), (None, *range(1, MAX_COUNT + 1)))
    return [
        *(subject_fact(name, color, count) for name, color, count in subjects),
        *PLACES,
        *TIMES,
        *WEATHERS,
    ]


def random_scene(rng: random.Random) -> Scene:
    """Draw a random scene; all kinds, colours, places, times and weathers are equally likely."""
    names = rng.sample(OBJECTS, 2 if rng.random() < _TWO_KINDS else 1)
    counts = [rng.choices(range(1, MAX_COUNT + 1), _COUNT_WEIGHTS)[0] for _ in names]
    if len(counts) == 2 and sum(counts) > 4:
        counts[1] = 1
    return Scene(
        tuple(
            Group(name, rng.choice(COLORS), count)
            for name, count in zip(names, counts, strict=True)
        ),
        rng.choice(PLACES),
        rng.choice(TIMES),
        rng.choice(WEATHERS),
    )


def numbered_scene(seed: int, number: int) -> Scene:
    """Return scene `number` of the endless series that `seed` names."""
    return random_scene(random.Random(f"scene {seed} {number}"))
