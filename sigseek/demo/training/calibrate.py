"""Fits mini's calibration to drawn pictures, and writes it next to the checkpoint's files.

python -m sigseek.demo.training.calibrate
"""

import argparse
import json
import random
from pathlib import Path
from tempfile import TemporaryDirectory

from sigseek.demo.captions import Statement, phrase, random_statement
from sigseek.demo.photos import draw_photos
from sigseek.demo.scene import Scene
from sigseek.library import open_library
from sigseek.siglip.checkpoint import MINI_DIRECTORY
from sigseek.siglip.names import MINI

CAPTIONS = 400
PICTURES = 2000
SEED = 3


def random_queries(scenes: list[Scene], count: int, rng: random.Random) -> dict[str, Statement]:
    """Return `count` different texts and what they state. Half of them are short, as queries are,
    and each is true of at least one scene.
    """
    queries: dict[str, Statement] = {}
    while len(queries) < count:
        statement = random_statement(rng.choice(scenes), rng)
        queries.setdefault(phrase(statement, rng), statement)
    return queries


def write_captions(
    file: Path, names: list[str], scenes: list[Scene], queries: dict[str, Statement]
) -> None:
    """Write, for each picture, all texts that are true of it as captions."""
    with file.open("w", encoding="utf-8") as lines:
        for name, scene in zip(names, scenes, strict=True):
            facts = scene.facts()
            true = [text for text, statement in queries.items() if statement.facts() <= facts]
            if true:
                lines.write(json.dumps({"file": name, "captions": true}) + "\n")


def main() -> None:
    """Draw pictures, index and caption them, fit the calibration and write it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=MINI_DIRECTORY / "calibration.json",
        help="(default: %(default)s)",
    )
    parser.add_argument("--pictures", type=int, default=PICTURES, help="(default: %(default)s)")
    parser.add_argument(
        "--seed",
        type=int,
        default=SEED,
        help="not 1 or 2, which training uses (default: %(default)s)",
    )
    args = parser.parse_args()
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        scenes = draw_photos(folder, args.pictures, args.seed)
        names = sorted(path.name for path in folder.glob("*.jpg"))
        captions = folder / "queries.jsonl"
        write_captions(
            captions, names, scenes, random_queries(scenes, CAPTIONS, random.Random(args.seed))
        )
        with open_library(folder / "library", MINI) as library:
            library.index(folder)
            calibration, _ = library.calibrate(captions)
    args.out.write_text(calibration.as_json() + "\n", encoding="utf-8")
    print(calibration)


if __name__ == "__main__":
    main()
