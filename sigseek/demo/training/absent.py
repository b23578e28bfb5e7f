"""Texts that no drawing shows: things that are never drawn, and words that mean nothing. mini
learns to refuse them.

The words of these lists are not in any caption, and not in the texts that refusing is measured
with. The tests check this.
"""

import random
from dataclasses import replace

from sigseek.demo.captions import Statement, Subject, article, phrase, random_statement
from sigseek.demo.scene import Scene

_NOUNS = (
    # at home
    "hammer|spanner|screwdriver|chisel|toaster|kettle|saucepan|ladle|spoon|fork|teapot|colander|corkscrew|sieve|bucket|mop|"
    "broom|ladder|wheelbarrow|lawnmower|shovel|rake|hosepipe|doormat|carpet|curtain|pillow|blanket|wardrobe|cupboard|"
    "chandelier|radiator|thermostat|bathtub|towel|razor|comb|sponge|napkin|refrigerator|dishwasher|oven|blender|freezer|"
    # to wear
    "lipstick|necklace|bracelet|earring|wallet|belt|glove|mitten|sock|sandal|boot|slipper|jacket|sweater|waistcoat|ribbon|"
    "button|zipper|thimble|needle|apron|bikini|crown|tiara|monocle|wig|"
    # to eat and to drink
    "carrot|onion|cucumber|cabbage|turnip|lemon|grape|melon|pineapple|coconut|walnut|almond|pretzel|croissant|muffin|pancake|"
    "waffle|doughnut|biscuit|omelette|sausage|kebab|dumpling|noodle|taco|burrito|yoghurt|cheese|lasagne|lollipop|espresso|"
    "milkshake|cocktail|lemonade|"
    # animals
    "camel|zebra|crocodile|alligator|lizard|gecko|tortoise|beaver|badger|hedgehog|otter|weasel|raccoon|kangaroo|koala|gorilla|"
    "chimpanzee|leopard|tiger|cheetah|panther|hyena|antelope|llama|donkey|hamster|penguin|pelican|flamingo|peacock|"
    "turkey|pigeon|sparrow|crow|woodpecker|lobster|crab|shrimp|dolphin|seal|trout|eel|beetle|caterpillar|scorpion|worm|"
    "dinosaur|dragon|unicorn|mermaid|"
    # people
    "dentist|plumber|carpenter|surgeon|nurse|firefighter|butcher|baker|barber|tailor|lawyer|judge|priest|monk|nun|soldier|"
    "juggler|magician|clown|acrobat|queen|king|prince|grandmother|uncle|toddler|teenager|twin|stranger|president|goalkeeper|"
    "skeleton|elbow|finger|tooth|nose|tongue|"
    # machines and instruments
    "printer|telescope|microscope|calculator|stethoscope|syringe|bandage|escalator|elevator|crane|bulldozer|excavator|forklift|"
    "ambulance|limousine|rocket|satellite|router|charger|loudspeaker|microwave|robot|turnstile|trumpet|trombone|flute|clarinet|"
    "saxophone|banjo|accordion|harmonica|cello|tambourine|xylophone|racket|dartboard|trampoline|treadmill|dumbbell|puck|"
    # on paper
    "invoice|contract|spreadsheet|timetable|menu|calendar|envelope|barcode|diagram|blueprint|certificate|diploma|ticket|"
    "banknote|crossword|logo|selfie|meme|recipe|signature|"
    # indoors and in public
    "cellar|attic|garage|tunnel|prison|hospital|warehouse|supermarket|cinema|casino|aquarium|corridor|dungeon|"
    # not to be seen
    "gravity|democracy|sorrow|inflation|grammar|insurance|rumour|opinion|deadline|holiday|question|password|melody|"
    "algorithm|birthmark|promise|secret|theory|headache|tax"
)
_ACTIONS = (
    "whispering|juggling|sneezing|yawning|crying|arguing|sewing|ironing|shaving|skating|surfing|wrestling|boxing|typing|singing|"
    "shouting|praying|kneeling|crawling|marching|hugging|sweeping|digging|welding|diving|meditating|snoring|queueing"
)
NOUNS, ACTIONS = _NOUNS.split("|"), _ACTIONS.split("|")
_CONSONANTS, _VOWELS = "bcdfghjklmnpqrstvwxyz", "aeiou"


def absent_text(scene: Scene, rng: random.Random) -> str:
    """Return a text that no drawing shows. Often it is the caption of the scene with something else
    in the place of an object.
    """
    form = rng.choices(("letters", "noun", "action", "caption"), (0.25, 0.1, 0.15, 0.5))[0]
    if form == "letters":
        return _letters(rng)
    noun = rng.choice(NOUNS)
    if form == "noun":
        return noun
    if form == "action":
        return f"{article(noun)} {noun} {rng.choice(ACTIONS)}"
    return phrase(
        _without_truth(random_statement(scene, rng), _letters(rng) if rng.random() < 0.3 else noun),
        rng,
    )


def _without_truth(statement: Statement, name: str) -> Statement:
    first, *others = statement.subjects or (Subject(name),)
    return replace(statement, subjects=(replace(first, name=name), *others))


def _letters(rng: random.Random) -> str:
    """Return a word without meaning: any letters, or consonants and vowels in turn."""
    length = rng.randint(3, 12)
    if rng.random() < 0.5:
        return "".join(rng.choices(_CONSONANTS + _VOWELS, k=length))
    start = rng.randint(0, 1)
    return "".join(
        rng.choice((_CONSONANTS, _VOWELS)[(start + place) % 2]) for place in range(length)
    )
