"""Captions: what they say about a scene, and in which words."""

import random
from dataclasses import dataclass

from sigseek.demo.scene import Group, Scene, subject_fact

_PLURALS = {"bus": "buses", "butterfly": "butterflies"}
NUMBERS = {1: "one", 2: "two", 3: "three"}
_SYNONYMS = {
    "sailboat": ("boat", "sailing boat"),
    "airplane": ("plane", "aeroplane"),
    "bicycle": ("bike",),
    "balloon": ("hot air balloon",),
    "cat": ("kitten",),
    "house": ("cottage",),
    "by the sea": ("at the beach", "on the coast"),
    "in the mountains": ("with mountains",),
    "in a forest": ("in the woods", "among trees"),
    "in a city": ("in town", "in the city"),
    "in the desert": ("in a desert",),
    "in a meadow": ("in a field", "in the grass"),
    "at dawn": ("at sunrise", "in the early morning"),
    "at noon": ("by day", "in the daytime"),
    "at sunset": ("in the evening", "at dusk"),
    "at night": ("in the dark", "by moonlight"),
    "in clear weather": ("under a clear sky",),
    "in cloudy weather": ("under clouds", "under a cloudy sky"),
    "in the rain": ("in rainy weather", "on a rainy day"),
    "in the snow": ("in snowy weather", "while it snows"),
    "in the fog": ("in foggy weather", "in the mist"),
}
_FRAMES = (
    "a photo of {}",
    "this is a photo of {}",
    "a picture of {}",
    "photo of {}",
    "an image of {}",
)
_BARE = 0.6
_SYNONYM = 0.15
# How often a random caption says each thing. Half of them are short queries: one object, or one
# circumstance.
_KINDS = {
    "object": 0.25,
    "circumstance": 0.1,
    "object and circumstance": 0.25,
    "some": 0.2,
    "full": 0.2,
}


@dataclass(frozen=True)
class Subject:
    """Objects as a caption names them. A colour or number is None if the caption leaves it out."""

    name: str
    color: str | None = None
    count: int | None = None


@dataclass(frozen=True)
class Statement:
    """What a caption says, apart from its words."""

    subjects: tuple[Subject, ...] = ()
    place: str | None = None
    time: str | None = None
    weather: str | None = None

    def facts(self) -> frozenset[str]:
        """Return the facts that the statement claims. It is true of a scene if they are a subset of
        `Scene.facts()`.
        """
        circumstances = {c for c in (self.place, self.time, self.weather) if c}
        return frozenset(
            circumstances | {subject_fact(s.name, s.color, s.count) for s in self.subjects}
        )


def full_statement(scene: Scene) -> Statement:
    """Say everything about the scene. Of a single object, say only that it is there, as people
    write.
    """
    subjects = tuple(
        Subject(group.name, group.color, group.count if group.count > 1 else None)
        for group in scene.objects
    )
    return Statement(subjects, scene.place, scene.time, scene.weather)


def random_statement(scene: Scene, rng: random.Random) -> Statement:
    """Say something true about the scene. Most of the scene is often left out, as in a search
    query.
    """
    kind = rng.choices(list(_KINDS), list(_KINDS.values()))[0]
    if kind == "full":
        return full_statement(scene)
    circumstances = {"place": scene.place, "time": scene.time, "weather": scene.weather}
    if kind == "some":
        subjects = tuple(_subject(group, rng) for group in scene.objects if rng.random() < 0.8)
        said = {key: value for key, value in circumstances.items() if rng.random() < 0.5}
        if not subjects and not said:
            subjects = (_subject(scene.objects[0], rng),)
        return Statement(subjects, **said)
    subjects = () if kind == "circumstance" else (_subject(rng.choice(scene.objects), rng),)
    key = rng.choice(list(circumstances))
    said = {} if kind == "object" else {key: circumstances[key]}
    return Statement(subjects, **said)


def phrase(statement: Statement, rng: random.Random, *, synonyms: bool = True) -> str:
    """Put the statement into words, in one of many wordings; without `synonyms`, in the words of
    the facts.
    """

    def word(canonical: str) -> str:
        chosen = synonyms and canonical in _SYNONYMS and rng.random() < _SYNONYM
        return rng.choice(_SYNONYMS[canonical]) if chosen else canonical

    subjects = list(statement.subjects)
    rng.shuffle(subjects)
    nouns = " and ".join(_noun(subject, word(subject.name), rng) for subject in subjects)
    circumstances = [word(c) for c in (statement.place, statement.time, statement.weather) if c]
    rng.shuffle(circumstances)
    if not nouns:
        return " ".join(circumstances)
    if circumstances and rng.random() < 0.15:
        return f"{circumstances[0]}, {' '.join([nouns, *circumstances[1:]])}"
    sentence = " ".join([nouns, *circumstances])
    return sentence if rng.random() < _BARE else rng.choice(_FRAMES).format(sentence)


def caption(scene: Scene, rng: random.Random) -> str:
    """Describe the scene in full, in the words of its facts."""
    return phrase(full_statement(scene), rng, synonyms=False)


def article(noun: str) -> str:
    """Return 'a' or 'an', as the noun phrase needs it."""
    return "an" if noun[0] in "aeiou" else "a"


def plural(noun: str) -> str:
    """Return the plural of one of the demo's nouns."""
    return _PLURALS.get(noun, f"{noun}s")


def _subject(group: Group, rng: random.Random) -> Subject:
    color = group.color if rng.random() < 0.7 else None
    count = group.count if rng.random() < 0.35 else None
    return Subject(group.name, color, count)


def _noun(subject: Subject, name: str, rng: random.Random) -> str:
    def described(noun: str) -> str:
        return f"{subject.color} {noun}" if subject.color else noun

    if subject.count == 1:
        return f"one {described(name)}"
    if subject.count:
        return f"{NUMBERS[subject.count]} {described(plural(name))}"
    # Says nothing of the number: "a red house" is also true of a picture with two.
    form = rng.choices(("singular", "plural", "bare"), (0.7, 0.2, 0.1))[0]
    if form == "plural":
        return described(plural(name))
    return described(name) if form == "bare" else f"{article(described(name))} {described(name)}"
