"""The yardstick's captions: what photos commonly show, and what almost none shows.

They are composed from lists of words, the same ones every time. The common texts tell a photo's
bias: a photo that many of them fit scores high whatever is asked. The absent texts tell how high a
text scores when nothing in a library fits it.
"""

import heapq
import random
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache

from sigseek.siglip.yardstick.steps import WHOLE

COMMON, ABSENT = WHOLE.common, WHOLE.absent
"""The numbers of common and of absent texts. More of them judge no better (docs/scores.md)."""
_COMPOSED = 2000
"""The number of captions that the common texts are chosen from."""


def _entries(words: str) -> list[str]:
    return words.split("|")


_BUILDINGS = _entries(
    "house|cottage|barn|church|castle|tower|lighthouse|windmill|bridge|skyscraper|street|fence|"
    "gate|door|window|staircase|roof|tent|fountain|statue|bench|swing|mailbox|fire hydrant|"
    "traffic light|sign|flag|waterfall|rock"
)
_VEHICLES = _entries(
    "car|bus|truck|van|taxi|bicycle|motorcycle|scooter|train|tram|tractor|airplane|helicopter|"
    "balloon|sailboat|ship|canoe|ferry|rowing boat|toy car|skateboard|surfboard|kite|drone"
)
_ANIMALS = _entries(
    "cat|kitten|dog|puppy|horse|pony|cow|sheep|goat|pig|rabbit|squirrel|fox|deer|bear|elephant|"
    "lion|giraffe|monkey|duck|swan|goose|chicken|owl|eagle|seagull|parrot|butterfly|bee|spider|"
    "snail|frog|turtle|fish|shark|whale|jellyfish"
)
_PLANTS = _entries(
    "flower|rose|tulip|sunflower|mushroom|tree|palm tree|pine tree|bush|cactus|leaf|pumpkin|"
    "apple|banana|tomato"
)
_OBJECTS = _entries(
    "cake|birthday cake|pizza|sandwich|burger|bowl of soup|salad|plate of pasta|cup of coffee|"
    "cup of tea|glass of wine|bottle|chair|armchair|sofa|table|desk|bed|lamp|bookshelf|mirror|"
    "clock|vase|candle|umbrella|suitcase|backpack|handbag|hat|helmet|pair of shoes|"
    "pair of glasses|dress|shirt|coat|scarf|guitar|piano|violin|drum|book|newspaper|laptop|"
    "phone|keyboard|camera|television|ball|football|doll|teddy bear|snowman|sandcastle|map|"
    "painting|letter|receipt|whiteboard|shell"
)
_THINGS = [*_BUILDINGS, *_VEHICLES, *_ANIMALS, *_PLANTS, *_OBJECTS]
_PEOPLE = _entries(
    "man|woman|boy|girl|baby|child|old man|old woman|couple|family|group of friends|crowd|"
    "bride and groom|musician|cook|football player|cyclist|swimmer|dancer|teacher with a class|"
    "worker in a helmet|tourist|farmer|fisherman|runner|skier"
)
_ACTIONS = _entries(
    "smiling|laughing|sitting on a bench|walking|running|jumping|dancing|swimming|sleeping|"
    "eating|cooking|reading|playing the guitar|riding a bicycle|riding a horse|holding a baby|"
    "holding an umbrella|looking at a phone|taking a photo|waving|talking|opening a present|"
    "blowing out candles|climbing a rock|throwing a ball|working at a desk|wearing sunglasses|"
    "with a dog"
)
_ANIMAL_ACTIONS = _entries(
    "sleeping|running|jumping|eating|looking at the camera|lying in the grass|swimming|"
    "playing with a ball"
)
_COLORS = _entries("red|orange|yellow|green|blue|purple|pink|brown|black|white|grey|golden")
_QUALITIES = _entries(
    "big|small|old|new|wooden|broken|colourful|wet|dirty|beautiful|empty|striped|shiny"
)
_NUMBERS = _entries("two|three|four|many|several")
_PLACES = _entries(
    "by the sea|at the beach|in the mountains|in a forest|in a city|in the desert|in a meadow|"
    "in a garden|in a park|on a street|on a table|in a kitchen|in a living room|in a bedroom|"
    "in an office|in a restaurant|in a museum|in a church|on a lake|by a river|in a village|"
    "on a farm|at an airport|at a train station|in a stadium|on a boat|on a roof|"
    "in a classroom|in a shop|at a market|on a bridge|under a tree|against a white wall|"
    "in front of a house|in the water|in the sky"
)
_TIMES = _entries(
    "at dawn|at sunrise|in the morning|at noon|by day|in the afternoon|at sunset|"
    "in the evening|at dusk|at night|in the dark|in spring|in summer|in autumn|in winter|"
    "at Christmas"
)
_WEATHERS = _entries(
    "in clear weather|in sunshine|under a cloudy sky|in cloudy weather|in the rain|in the snow|"
    "in the fog|in a storm|under a blue sky|with a rainbow"
)
_VIEWS = _entries(
    "aerial view|close-up|panorama|black and white photo|blurry photo|portrait|old photograph|"
    "painting|drawing|cartoon|silhouette|night shot"
)
_FRAMES = ("a photo of {}", "this is a photo of {}", "a picture of {}", "an image of {}")
_FRAMED = 0.4
_SMALL_WORDS = frozenset(_entries("a|an|of|the|in|on|at|by|with|and|photo|picture|image|this|is"))

_STRANGE_SUBJECTS = _entries(
    "woolly mammoth|ichthyosaur|ribosome|diatom|walrus|narwhal|axolotl|pangolin|samurai|"
    "gladiator|astronaut|pharaoh|trebuchet|zeppelin|particle accelerator|theodolite|"
    "harpsichord|weaving loom|blast furnace|submarine|lunar module|cuneiform tablet|"
    "suit of armour|abacus|oscilloscope|giant squid|coral polyp|chest of gold coins"
)
_STRANGE_ACTIONS = _entries(
    "playing chess|repairing a watch|reciting a poem|conducting an orchestra|weighing gold|"
    "solving an equation|knitting a net|forging a sword|casting a bronze bell|"
    "directing traffic|grinding a lens|signing a treaty"
)
_STRANGE_PLACES = _entries(
    "on the moon|on Mars|inside a volcano|in a salt mine|in a centrifuge|"
    "at the bottom of the ocean|in an operating theatre|in a Viking longship|"
    "in a pharaoh's tomb|in a bank vault|in orbit"
)
_SYLLABLES = _entries(
    "bla|dro|fi|gna|hox|ju|kra|lum|mip|nar|ost|pli|qua|rud|sti|tev|ulk|vro|wib|xan|yop|zut"
)


def common_texts() -> list[str]:
    """Return 256 different captions of what photos commonly show, in a fixed order.

    Together they use all words as evenly as possible, and so does each beginning of the list.
    """
    return list(_chosen())


@cache
def _chosen() -> tuple[str, ...]:
    """Choose captions one after the other, always the one whose words were used least so far.

    A word's use is its share of the word's uses in all composed captions. Uses only grow. So a
    caption whose use is out of date stands too early in the heap, never too late.
    """
    composed = composed_texts()
    words = [_words(text) for text in composed]
    total = Counter(word for text in words for word in text)
    used: Counter[str] = Counter()

    def use(number: int) -> float:
        shares = [(used[word] + 0.5) / total[word] for word in words[number]]
        return sum(shares) / len(shares)

    heap = [(use(number), number) for number in range(len(composed))]
    heapq.heapify(heap)
    chosen: list[str] = []
    while len(chosen) < COMMON:
        known, number = heapq.heappop(heap)
        current = use(number)
        if current > known:
            heapq.heappush(heap, (current, number))
            continue
        chosen.append(composed[number])
        used.update(words[number])
    return tuple(chosen)


def composed_texts() -> list[str]:
    """Return the 2,000 different captions that the common texts are chosen from."""
    makers = (
        _thing,
        _circumstances,
        _view,
        *[_placed_thing] * 3,
        *[_colored_thing] * 4,
        *[_person] * 2,
        _animal,
        _things,
    )
    return _different(random.Random("common"), makers, _COMPOSED)


def _words(text: str) -> list[str]:
    """Return the words that say what a picture shows."""
    return [word for word in text.split() if word not in _SMALL_WORDS]


def absent_texts() -> list[str]:
    """Return 200 different texts that almost no photo fits, in a fixed order.

    They are strange sights, and words that mean nothing.
    """
    return _different(random.Random("absent"), (_strange_sight, _strange_sight, _gibberish), ABSENT)


def _different(
    rng: random.Random, makers: Sequence[Callable[[random.Random], str]], count: int
) -> list[str]:
    """Return `count` different texts by these makers, some framed as people frame captions."""
    made: dict[str, None] = {}
    while len(made) < count:
        maker = rng.choice(makers)
        framed = maker is not _circumstances and rng.random() < _FRAMED
        made[(rng.choice(_FRAMES) if framed else "{}").format(maker(rng))] = None
    return list(made)


def _thing(rng: random.Random) -> str:
    noun = rng.choice(_THINGS)
    return _a(f"{rng.choice(_QUALITIES)} {noun}" if rng.random() < 0.5 else noun)


def _colored_thing(rng: random.Random) -> str:
    thing = _a(f"{rng.choice(_COLORS)} {rng.choice(_THINGS)}")
    return f"{thing} {_circumstance(rng)}" if rng.random() < 0.25 else thing


def _placed_thing(rng: random.Random) -> str:
    return f"{_a(rng.choice(_THINGS))} {_circumstance(rng)}"


def _things(rng: random.Random) -> str:
    first, second = rng.sample(_THINGS, 2)
    return (
        f"{_a(first)} and {_a(second)}"
        if rng.random() < 0.5
        else f"{rng.choice(_NUMBERS)} {_plural(rng.choice(_ANIMALS))}"
    )


def _person(rng: random.Random) -> str:
    person = f"{_a(rng.choice(_PEOPLE))} {rng.choice(_ACTIONS)}"
    return f"{person} {_circumstance(rng)}" if rng.random() < 0.4 else person


def _animal(rng: random.Random) -> str:
    return f"{_a(rng.choice(_ANIMALS))} {rng.choice(_ANIMAL_ACTIONS)}"


def _circumstances(rng: random.Random) -> str:
    said = [rng.choice(_PLACES), rng.choice(_TIMES), rng.choice(_WEATHERS)]
    return " ".join(rng.sample(said, rng.randint(1, 2)))


def _view(rng: random.Random) -> str:
    return f"{_a(rng.choice(_VIEWS))} of {_a(rng.choice(_THINGS))}"


def _strange_sight(rng: random.Random) -> str:
    subject, action = rng.choice(_STRANGE_SUBJECTS), rng.choice(_STRANGE_ACTIONS)
    return f"{_a(subject)} {action} {rng.choice(_STRANGE_PLACES)}"


def _gibberish(rng: random.Random) -> str:
    return " ".join(
        "".join(rng.choices(_SYLLABLES, k=rng.randint(2, 4))) for _ in range(rng.randint(1, 3))
    )


def _circumstance(rng: random.Random) -> str:
    return rng.choice(rng.choice((_PLACES, _TIMES, _WEATHERS)))


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _plural(noun: str) -> str:
    return {
        "sheep": "sheep",
        "deer": "deer",
        "fish": "fish",
        "goose": "geese",
        "puppy": "puppies",
        "pony": "ponies",
        "fox": "foxes",
        "butterfly": "butterflies",
        "jellyfish": "jellyfish",
    }.get(noun, f"{noun}s")
