"""How far the scores can be trusted: `mini` on drawn pictures of a seed that neither training
nor calibration used.

python -m benchmarks.scores [--pictures 2000] [--seed 12] [--verdicts]

Prints how well what is there is told from what is not, how often verdicts and the expected number
of matches are wrong, what a closer look gains, and what operators gain over one sentence. Every
query goes through `Library.search`; what is compared with comes from the same run.
"""

import argparse
import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.drawn_queries import (
    Queries,
    absent_queries,
    compound_queries,
    kinds_of_queries,
    present_queries,
)
from sigseek.demo.captions import Statement
from sigseek.demo.photos import draw_photos
from sigseek.demo.scene import COLORS, OBJECTS, PLACES, WEATHERS, Scene
from sigseek.evaluation.metrics import auroc, average_precision, calibration_error, reliability
from sigseek.library import Library, open_library
from sigseek.search.results import Hit, SearchResults
from sigseek.siglip.checkpoint import MINI_DIRECTORY
from sigseek.siglip.names import MINI
from sigseek.storage.index import faiss_build

Bools = npt.NDArray[np.bool_]

_QUERIES = 200
_NEAR_PAIRS = 60
_CLOSER = (0, 200, 2000)


@dataclass(frozen=True)
class Drawings:
    """A library of drawn pictures, and what was drawn, by the number in a picture's name."""

    library: Library
    scenes: list[Scene]

    def search(self, query: str, **options: Any) -> SearchResults:
        """Return all photos, whatever the verdict."""
        return self.library.search(query, len(self.scenes), include_all=True, **options)

    def true(self, hits: Sequence[Hit], statement: Statement) -> Bools:
        """Return for each hit whether the statement is true of it."""
        stated = statement.facts()
        return self.relevant(hits, lambda facts: stated <= facts)

    def relevant(self, hits: Sequence[Hit], is_true: Callable[[frozenset[str]], bool]) -> Bools:
        """Return for each hit whether `is_true` says so of the facts of its scene."""
        return np.array([is_true(self.scenes[_number(hit)].facts()) for hit in hits])


def _number(hit: Hit) -> int:
    return int(Path(hit.path).stem.split("-")[1])


def _drawn(
    folder: Path,
    count: int,
    seed: int,
    wanted: Callable[[Scene], bool] = lambda scene: True,
    model: str = MINI,
) -> Drawings:
    scenes = draw_photos(folder, count, seed, wanted=wanted)
    library = open_library(folder / ".sigseek", model)
    library.index(folder)
    return Drawings(library, scenes)


def judge(
    name: str, drawings: Drawings, uncalibrated: Library, present: Queries, absent: Queries
) -> None:
    """Print AUROC and errors of the verdict on texts that the library shows and on texts that it
    does not.
    """
    for how, library in (("calibrated", drawings.library), ("uncalibrated", uncalibrated)):
        there, not_there = (
            [_best(library, text) for text, _ in queries] for queries in (present, absent)
        )
        print(
            f"{name}, {how}: {len(there)} present, {len(not_there)} absent, "
            f"{len(drawings.scenes)} pictures"
        )
        for measure in ("confidence", "score", "cosine"):
            values = [
                np.array([getattr(hit, measure) for hit in hits], np.float32)
                for hits in (there, not_there)
            ]
            print(f"  AUROC by best {measure:<11}{auroc(*values):.3f}")
        verdicts = [[hit.verdict for hit in hits] for hits in (there, not_there)]
        print(f"  false match             {verdicts[1].count('match') / len(not_there):.3f}")
        print(f"  false no match          {verdicts[0].count('no match') / len(there):.3f}")
        print(
            f"  no match or maybe       {1 - verdicts[0].count('match') / len(there):.3f} of "
            f"the present"
        )


def _best(library: Library, text: str) -> Hit:
    """Return the hit of the highest confidence."""
    found = library.search(text, 100, include_all=True)
    return max(found, key=lambda hit: hit.confidence or 0)


def closer(drawings: Drawings) -> None:
    """Print mean average precision of single queries by kind, with a closer look at the best photos
    and without.
    """
    print("mAP of single queries, closer look at the best " + ", ".join(map(str, _CLOSER)))
    every: dict[int, list[float]] = {count: [] for count in _CLOSER}
    for kind, queries in kinds_of_queries().items():
        figures = [_precisions(drawings, queries, closer=count) for count in _CLOSER]
        print(f"  {kind:<20}" + "  ".join(f"{np.mean(figure):.3f}" for figure in figures))
        for count, figure in zip(_CLOSER, figures, strict=True):
            every[count] += figure
    print(
        f"  {'every query':<20}" + "  ".join(f"{np.mean(figure):.3f}" for figure in every.values())
    )


def _precisions(drawings: Drawings, queries: Queries, **options: Any) -> list[float]:
    """Return the average precision of each query that has an answer."""
    precisions = []
    for text, statement in queries:
        hits = sorted(drawings.search(text, **options), key=_standing)
        relevant = drawings.true(hits, statement)
        if relevant.any():
            precisions.append(average_precision(-np.arange(len(hits), dtype=np.float32), relevant))
    return precisions


def _standing(hit: Hit) -> tuple[bool, float]:
    """Return the order before verdicts: the photos that were looked at closely come first."""
    value = (
        hit.closer
        if hit.closer is not None
        else hit.cosine
        if hit.cosine is not None
        else hit.probability
    )
    return hit.closer is None, -value


def calibration(drawings: Drawings) -> None:
    """Print the expected calibration error over each query's ten best pictures and over all, raw
    and calibrated.
    """
    shown: dict[str, list[tuple[float, bool]]] = {"all pairs": [], "ten best": []}
    raw: dict[str, list[tuple[float, bool]]] = {"all pairs": [], "ten best": []}
    for text, statement in present_queries(drawings.scenes, _QUERIES, 99):
        hits = sorted(drawings.search(text), key=_standing)
        relevant = drawings.true(hits, statement)
        for place, (hit, true) in enumerate(zip(hits, relevant.tolist(), strict=True)):
            for pairs in ("all pairs", "ten best")[: 2 if place < 10 else 1]:
                shown[pairs].append((hit.probability, true))
                raw[pairs].append((hit.score, true))
    print("expected calibration error, raw sigmoid and calibrated")
    for pairs in shown:
        print(f"  {pairs:<12}{_ece(raw[pairs]):.4f}  {_ece(shown[pairs]):.4f}")


def _ece(pairs: list[tuple[float, bool]]) -> float:
    values, true = (np.array(column) for column in zip(*pairs, strict=True))
    return calibration_error(reliability(values.astype(np.float32), true)) or 0.0


def numbers(drawings: Drawings) -> None:
    """Print the expected number of matches and the true one."""
    errors, zero = [], []
    for text, statement in present_queries(drawings.scenes, _QUERIES, 98):
        true = sum(statement.facts() <= scene.facts() for scene in drawings.scenes)
        errors.append(abs(drawings.library.search(text, 1).expected - true) / true)
    print(
        f"expected number of matches: median relative error {np.median(errors):.3f} over "
        f"{len(errors)} queries"
    )
    for low, high in ((0, 0.1), (0.1, 0.25), (0.25, 0.5), (0.5, 1), (1, 1e9)):
        print(f"  {low:>4} to {high:<6g}{np.mean([low <= error < high for error in errors]):.2f}")
    for text, _ in absent_queries(set(), set(), set(), 50, 5):
        zero.append(drawings.library.search(text, 1).expected)
    print(f"  of what is not there: median {np.median(zero):.2f}, worst {max(zero):.1f}")


def compound(drawings: Drawings) -> None:
    """Print the mean average precision of queries with operators, and of the same wish as one
    sentence, and the recall against all photos.
    """
    operators: dict[str, list[float]] = {}
    sentences: dict[str, list[float]] = {}
    for query in compound_queries():
        hits = sorted(drawings.search(query.operators), key=_standing)
        relevant = drawings.relevant(hits, query.is_true)
        if not relevant.any():
            continue
        descending = -np.arange(len(hits), dtype=np.float32)
        operators.setdefault(query.kind, []).append(average_precision(descending, relevant))
        hits = sorted(drawings.search(f'"{query.sentence}"'), key=_standing)
        sentences.setdefault(query.kind, []).append(
            average_precision(descending, drawings.relevant(hits, query.is_true))
        )
    print(f"mAP of {sum(map(len, operators.values()))} compound queries, operators and sentence")
    for kind, figures in operators.items():
        print(
            f"  {kind:<6}{np.mean(figures):.3f}  {np.mean(sentences[kind]):.3f}  ({len(figures)})"
        )


def complete(drawings: Drawings) -> None:
    """Print the recall of the ten best of NOT and OR through estimates, against every photo scored
    exactly.
    """
    usual = faiss_build._QUANTISED_FROM
    exact = {
        query.operators: _paths(drawings.library, query.operators)
        for query in compound_queries()
        if query.kind != "AND"
    }
    faiss_build._QUANTISED_FROM = 500
    try:
        for file in (drawings.library.directory / "index").iterdir():
            file.unlink()
        with open_library(drawings.library.directory) as quantised:
            recall = [
                len(set(found) & set(_paths(quantised, query))) / len(found)
                for query, found in exact.items()
                if found
            ]
    finally:
        faiss_build._QUANTISED_FROM = usual
    print(
        f"recall of the ten best of {len(recall)} NOT and OR by estimates: "
        f"{np.mean(recall):.4f}, least {min(recall):.2f}"
    )


def _paths(library: Library, query: str) -> list[str]:
    return [hit.path for hit in library.search(query, 10, include_all=True)]


def main() -> None:
    """Draw three libraries, ask, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=int, default=2000, help="(default: %(default)s)")
    parser.add_argument("--seed", type=int, default=12, help="not 1, 2 or 3 (default: %(default)s)")
    parser.add_argument(
        "--verdicts", action="store_true", help="only how what is there is told from what is not"
    )
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    with TemporaryDirectory() as temporary:
        root = Path(temporary)
        bare = root / "mini"
        shutil.copytree(MINI_DIRECTORY, bare, ignore=shutil.ignore_patterns("calibration.json"))
        objects, places, weathers = (
            set(rng.sample(OBJECTS, 5)),
            {rng.choice(PLACES)},
            {rng.choice(WEATHERS)},
        )

        def without(scene: Scene) -> bool:
            return not (
                objects & {group.name for group in scene.objects}
                or scene.place in places
                or scene.weather in weathers
            )

        far = _drawn(root / "far", arguments.pictures, arguments.seed, without)
        absent = absent_queries(objects, places, weathers, _QUERIES, arguments.seed)
        judge(
            "far",
            far,
            open_library(far.library.directory, str(bare)),
            present_queries(far.scenes, _QUERIES, 97),
            absent,
        )
        pairs = rng.sample(list(product(COLORS, OBJECTS)), _NEAR_PAIRS)
        near = _drawn(
            root / "near", arguments.pictures, arguments.seed + 1,
            lambda scene: not any((group.color, group.name) in pairs for group in scene.objects),
        )  # fmt: skip
        colored = kinds_of_queries()["colour and object"]
        there = {(group.color, group.name) for scene in near.scenes for group in scene.objects}
        by_pair = dict(zip(product(COLORS, OBJECTS), colored, strict=True))
        judge(
            "near miss", near, open_library(near.library.directory, str(bare)),
            [query for pair, query in by_pair.items() if pair in there],
            [by_pair[pair] for pair in pairs],
        )  # fmt: skip
        if arguments.verdicts:
            return
        whole = _drawn(root / "whole", arguments.pictures, arguments.seed + 2)
        calibration(whole)
        numbers(whole)
        compound(whole)
        closer(whole)
        complete(whole)


if __name__ == "__main__":
    main()
