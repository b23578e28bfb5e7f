"""How well what a library of drawings shows is told from what it does not show."""

import random
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.drawn_libraries import Drawings, filled_library, left_out
from benchmarks.drawn_queries import absent_queries, kinds_of_queries, present_queries
from sigseek.demo.scene import COLORS, OBJECTS, Scene
from sigseek.evaluation.metrics import auroc
from sigseek.indexer.measure_biases import measure_biases
from sigseek.library import Library, open_library
from sigseek.search.results import SearchResults
from sigseek.siglip.yardstick.steps import STEPS
from sigseek.storage import Catalog

_CAPTIONS = 200
"""Queries of each kind in a library: so many that a seed's share is not mostly chance."""
_CAPTIONS_OF_SMALL = 100
"""The same in each of several small libraries."""
_NEAR_PAIRS = 60
_FEW = 600


def presence_figures(
    libraries: Sequence[tuple[Library, Sequence[Scene]]], seed: int, name: str
) -> dict[str, float]:
    """Return how often what is absent matches and what is present does not, how well confidence and
    cosine tell both apart, and how wrong the expected number is.

    The scenes of each library are drawings of the seed.
    """
    without = left_out(seed)
    count = _CAPTIONS if len(libraries) == 1 else _CAPTIONS_OF_SMALL
    absent = absent_queries(
        set(without.objects), set(without.places), set(without.weathers), count, seed
    )
    here, not_here, errors = [], [], []
    for library, scenes in libraries:
        not_here += [_best(library, text) for text, _ in absent]
        for text, statement in present_queries(list(scenes), count, seed):
            found = _best(library, text)
            true = sum(statement.facts() <= scene.facts() for scene in scenes)
            here.append(found)
            errors.append(abs(found.expected - true) / true)
    return {
        f"{name}: absent with a match": _share(not_here, "match"),
        f"{name}: present with no match": _share(here, "no match"),
        f"{name}: AUROC of confidence, far": auroc(_confidences(here), _confidences(not_here)),
        f"{name}: AUROC of the best cosine, far": auroc(_cosines(here), _cosines(not_here)),
        f"{name}: expected number, median error": float(np.median(errors)),
    }


class NearMisses:
    """A library without 60 pairs of a colour and an object that its drawings could have had. It has
    the colours on other objects, and the objects in other colours.
    """

    def __init__(self, drawings: Drawings, directory: Path) -> None:
        known = [name for name in OBJECTS if name not in left_out(drawings.seed).objects]
        rng = random.Random(f"near {drawings.seed}")
        pairs = set(rng.sample(list(product(COLORS, known)), _NEAR_PAIRS))
        shown = [
            {(group.color, group.name) for group in scene.objects} for scene in drawings.scenes
        ]
        rows = [row for row, own in enumerate(shown) if not own & pairs]
        texts = zip(product(COLORS, OBJECTS), kinds_of_queries()["colour and object"], strict=True)
        by_pair = {pair: text for pair, (text, _) in texts}
        there = {pair for row in rows for pair in shown[row]}
        self._absent = [by_pair[pair] for pair in sorted(pairs)]
        self._present = [by_pair[pair] for pair in sorted(there)]
        self.directory = filled_library(directory, drawings.vectors[rows]).directory

    def figures(self, model: str, name: str) -> dict[str, float]:
        """Return how often a pair that is absent matches and one that is present does not."""
        with open_library(self.directory, model) as library:
            here = [_best(library, text) for text in self._present]
            not_here = [_best(library, text) for text in self._absent]
        return {
            f"{name}: near misses with a match": _share(not_here, "match"),
            f"{name}: pairs with no match": _share(here, "no match"),
            f"{name}: AUROC of confidence, near": auroc(_confidences(here), _confidences(not_here)),
        }


def figures_by_steps(drawings: Drawings, root: Path, model: str) -> dict[str, float]:
    """Return the figures of the first 600 drawings by each step of the yardstick."""
    few = Drawings(drawings.seed, drawings.scenes[:_FEW], drawings.vectors[:_FEW])
    library = filled_library(root / "few", few.vectors)
    near = NearMisses(few, root / "near")
    figures: dict[str, float] = {}
    for step in STEPS:
        name = f"{step.common} common texts"
        for directory in (library.directory, near.directory):
            catalog = Catalog(directory)
            (record,) = catalog.checkpoints()
            measure_biases(catalog, record, library.yardstick().first(step))
            catalog.close()
        with open_library(library.directory, model) as opened:
            figures |= presence_figures([(opened, few.scenes)], few.seed, name)
        figures |= near.figures(model, name)
    return figures


def _best(library: Library, text: str) -> SearchResults:
    return library.search(text, 1, include_all=True)


def _share(found: Sequence[SearchResults], verdict: str) -> float:
    return float(np.mean([results[0].verdict == verdict for results in found]))


def _confidences(found: Sequence[SearchResults]) -> npt.NDArray[np.float32]:
    return np.array([results[0].confidence for results in found], np.float32)


def _cosines(found: Sequence[SearchResults]) -> npt.NDArray[np.float32]:
    return np.array([results[0].cosine for results in found], np.float32)
