"""How right the default list is, and whether the numbers of an answer agree with each other.

    python -m benchmarks.verdicts --seeds 12 41 51 [--pictures 2000] [--keep DIR] [--whole]

Each seed is a library of drawings, asked about what it shows and about what was left out. Every
answer comes from `Library.search`, as it is listed by default. A row of the table is a figure:
its mean over the seeds and its worst. `--whole` joins the drawings of all seeds in one library,
`--parts` adds small libraries and tagged photos, and `--steps` compares the yardstick's steps.
"""

import argparse
import random
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.drawn_libraries import Drawings, embedded_drawings, filled_library, tag_part
from benchmarks.drawn_queries import compound_queries, kinds_of_queries
from benchmarks.presence import NearMisses, figures_by_steps, presence_figures
from sigseek.answers import headline
from sigseek.cli.remedies import spell
from sigseek.demo.scene import Scene
from sigseek.evaluation.metrics import calibration_error, reliability
from sigseek.library import Library, open_library
from sigseek.search.results import Hit, SearchResults
from sigseek.search.verdicts import VERDICTS
from sigseek.siglip.checkpoint import MINI_DIRECTORY
from sigseek.siglip.names import MINI

_PER_KIND = 20
_SHOWN = 10
_GROUPS = {
    "object": "1-2 facts",
    "colour and object": "1-2 facts",
    "object and time": "1-2 facts",
    "object and place": "1-2 facts",
    "circumstance": "circumstance",
    "number of objects": "number",
}
"""Kinds of queries, and the group that each is counted in."""
_HARDER = ("circumstance", "number", "AND", "NOT")
"""Groups of queries whose lists are also counted together."""
_SMALL = {40: 10, 200: 4}
"""The sizes of small libraries, and how many of each are made of a seed's drawings."""
_SHARES = (0.1, 0.01)
_TAG = "part"

IsTrue = Callable[[frozenset[str]], bool]
Figures = dict[str, float]


@dataclass(frozen=True)
class Asked:
    """A query, and which photos it is true of."""

    group: str
    query: str
    is_true: IsTrue


@dataclass(frozen=True)
class Part:
    """A library, or the photos `within` it that have the tag, by their ids."""

    library: Library
    scenes: Sequence[Scene]
    within: set[int] | None = None


@dataclass
class Lists:
    """What the default lists of some queries hold, photo by photo."""

    right: int = 0
    listed: int = 0
    wanted: int = 0
    recalls: list[float] = field(default_factory=list)
    """The recall of each query."""
    shown: list[tuple[float, bool]] = field(default_factory=list)
    """The number shown beside each photo, and whether it belongs."""
    wrong_headlines: int = 0
    inverted: int = 0

    def add(self, hits: Sequence[Hit], relevant: set[int]) -> None:
        """Count the list of a query that is true of the photos `relevant`."""
        own = [hit.id in relevant for hit in hits]
        self.right += sum(own)
        self.listed += len(hits)
        self.wanted += len(relevant)
        self.recalls.append(sum(own) / len(relevant))
        self.shown += zip((hit.probability for hit in hits), own, strict=True)

    def figures(self, prefix: str) -> Iterator[tuple[str, float]]:
        """Yield the figures by name."""
        yield f"{prefix}: precision", self.right / max(self.listed, 1)
        yield f"{prefix}: recall", self.right / max(self.wanted, 1)
        yield f"{prefix}: recall, mean of queries", float(np.mean(self.recalls))


def questions(seed: int) -> list[Asked]:
    """Return queries of all kinds, the same for the same seed."""
    rng = random.Random(seed)
    asked = []
    for kind, queries in kinds_of_queries().items():
        for text, statement in rng.sample(queries, min(_PER_KIND, len(queries))):
            asked.append(Asked(_GROUPS[kind], text, statement.facts().issubset))
    compound = rng.sample(compound_queries(), 3 * _PER_KIND)
    return asked + [Asked(one.kind, one.operators, one.is_true) for one in compound]


def lists_of(part: Part, asked: Sequence[Asked], groups: dict[str, Lists]) -> None:
    """Ask a part, and add what is listed to the groups."""
    scenes = part.scenes
    for one in asked:
        relevant = {row for row, scene in enumerate(scenes, 1) if one.is_true(scene.facts())}
        if part.within is not None:
            relevant &= part.within
        if not relevant:
            continue
        query = one.query if part.within is None else f"tag:{_TAG} AND ({one.query})"
        found = part.library.search(query, len(scenes))
        lists = groups.setdefault(one.group, Lists())
        lists.add(found.hits, relevant)
        page = part.library.search(query, _SHOWN)
        lists.wrong_headlines += counted_in_headline(page) != len(found)
        lists.inverted += is_inverted(part.library.search(query, 5 * _SHOWN, include_all=True))


def counted_in_headline(found: SearchResults) -> int:
    """Return how many photos match according to the line over the hits."""
    number = re.match(r"(?:about )?([\d,]+)", headline(found, _SHOWN).spelled(spell))
    return int(number[1].replace(",", "")) if number else 0


def is_inverted(hits: Sequence[Hit]) -> bool:
    """Return whether a photo stands above one of a higher number, or has a better verdict."""
    return any(
        above.probability < below.probability or _level(above) < _level(below)
        for above, below in pairwise(hits)
    )


def _level(hit: Hit) -> int:
    return VERDICTS.index(hit.verdict) if hit.verdict else -1


def list_figures(parts: Sequence[Part], seed: int, name: str) -> Figures:
    """Return the figures of the default lists, over all parts together."""
    groups: dict[str, Lists] = {}
    for part in parts:
        lists_of(part, questions(seed), groups)
    figures: Figures = {}
    for group, lists in groups.items():
        figures |= lists.figures(f"{name}, {group}")
    harder = [lists for group, lists in groups.items() if group in _HARDER]
    if harder:
        right = sum(lists.right for lists in harder)
        figures[f"{name}, {', '.join(_HARDER)}: precision"] = right / max(
            sum(lists.listed for lists in harder), 1
        )
        figures[f"{name}, {', '.join(_HARDER)}: recall"] = right / max(
            sum(lists.wanted for lists in harder), 1
        )
    shown = [pair for lists in groups.values() for pair in lists.shown]
    if shown:
        values, own = (np.array(column) for column in zip(*shown, strict=True))
        error = calibration_error(reliability(values.astype(np.float32), own))
        figures[f"{name}: ECE of the listed"] = error
    queries = sum(len(lists.recalls) for lists in groups.values())
    wrong = sum(lists.wrong_headlines for lists in groups.values())
    figures[f"{name}: headline differs from the list"] = wrong / queries
    figures[f"{name}: lower above higher"] = (
        sum(lists.inverted for lists in groups.values()) / queries
    )
    return figures


def measured(drawings: Drawings, root: Path, bare: Path, *, parts: bool) -> Figures:
    """Return all figures of one seed."""
    scenes, seed = drawings.scenes, drawings.seed
    library = filled_library(root / "all", drawings.vectors)
    figures: Figures = {}
    near = NearMisses(drawings, root / "near")
    for name, opened in (
        ("calibrated", library),
        ("uncalibrated", open_library(library.directory, str(bare))),
    ):
        figures |= all_figures([Part(opened, scenes)], seed, name)
        figures |= near.figures(MINI if name == "calibrated" else str(bare), name)
        for share in _SHARES if parts else ():
            few = round(share * len(scenes))
            chosen = sorted(random.Random(seed).sample(range(1, len(scenes) + 1), few))
            tag_part(library, _TAG, chosen)
            tagged = [Part(opened, scenes, set(chosen))]
            figures |= list_figures(tagged, seed, f"{name}, {share:.0%} tagged")
    for size, count in _SMALL.items() if parts else ():
        small = []
        for start in range(0, size * count, size):
            rows = slice(start, start + size)
            directory = root / f"{size} from {start}"
            small.append(Part(filled_library(directory, drawings.vectors[rows]), scenes[rows]))
        figures |= all_figures(small, seed, f"calibrated, {size} photos")
        uncalibrated = [
            Part(open_library(part.library.directory, str(bare)), part.scenes) for part in small
        ]
        figures |= all_figures(uncalibrated, seed, f"uncalibrated, {size} photos")
    return figures


def all_figures(parts: Sequence[Part], seed: int, name: str) -> Figures:
    """Return the figures of the lists and of what is there and is not."""
    libraries = [(part.library, part.scenes) for part in parts]
    return list_figures(parts, seed, name) | presence_figures(libraries, seed, name)


def report(by_seed: dict[int, Figures]) -> None:
    """Print the figures: the mean over seeds, the worst, and each seed."""
    names = list(dict.fromkeys(name for figures in by_seed.values() for name in figures))
    print(f"{'':58}  mean  worst  " + "  ".join(f"{seed:>5}" for seed in by_seed))
    for name in names:
        values = [figures.get(name, np.nan) for figures in by_seed.values()]
        best_is_high = name.endswith(("precision", "recall", "queries")) or "AUROC" in name
        worst = (np.nanmin if best_is_high else np.nanmax)(values)
        numbers = "  ".join(f"{value:.3f}" for value in (np.nanmean(values), worst, *values))
        print(f"{name:58} {numbers}")


def main() -> None:
    """Draw, ask, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[12], help="not 1, 2 or 3")
    parser.add_argument("--pictures", type=int, default=2000, help="(default: %(default)s)")
    parser.add_argument("--keep", type=Path, help="keep the embeddings of the drawings here")
    parser.add_argument("--parts", action="store_true", help="also small libraries and selections")
    parser.add_argument(
        "--steps", action="store_true", help="only what is there, by each step of the yardstick"
    )
    parser.add_argument(
        "--whole", action="store_true", help="measure all seeds' drawings as one library"
    )
    arguments = parser.parse_args()
    with TemporaryDirectory() as temporary:
        root = Path(temporary)
        bare = root / "mini"
        shutil.copytree(MINI_DIRECTORY, bare, ignore=shutil.ignore_patterns("calibration.json"))
        keep = arguments.keep or root / "kept"
        series = [embedded_drawings(seed, arguments.pictures, keep) for seed in arguments.seeds]
        if arguments.whole:
            scenes = [scene for drawings in series for scene in drawings.scenes]
            vectors = np.concatenate([drawings.vectors for drawings in series])
            library = filled_library(root / "whole", vectors)
            figures = list_figures([Part(library, scenes)], series[0].seed, "calibrated")
            with open_library(root / "whole", str(bare)) as opened:
                part = Part(opened, scenes)
                figures |= list_figures([part], series[0].seed, "uncalibrated")
            report({series[0].seed: figures})
            return
        if arguments.steps:
            report(
                {one.seed: figures_by_steps(one, root / str(one.seed), str(bare)) for one in series}
            )
            return
        report(
            {
                drawings.seed: measured(
                    drawings, root / str(drawings.seed), bare, parts=arguments.parts
                )
                for drawings in series
            }
        )


if __name__ == "__main__":
    main()
