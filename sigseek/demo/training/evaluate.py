"""Measures how well a checkpoint finds drawn pictures. What was drawn decides what is right, not
captions.

    python -m sigseek.demo.training.evaluate [CHECKPOINT]
"""

import argparse
import random
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from sigseek.demo.captions import Statement, Subject, article, caption
from sigseek.demo.photos import draw_photos
from sigseek.demo.scene import COLORS, OBJECTS, PLACES, TIMES, Scene
from sigseek.evaluation.metrics import average_precision
from sigseek.indexer.decoding.decode import decode_photo
from sigseek.siglip import load_checkpoint
from sigseek.siglip.runtimes.torch import TorchImageTower, TorchTextTower

BATCH = 32

EmbedTexts = Callable[[list[str]], npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Figures:
    """Mean average precision by kind of query, and the recall of full captions; each is 0 to 1,
    over the full library.
    """

    object_map: float
    color_object_map: float
    object_time_map: float
    object_place_map: float
    caption_r1: float
    caption_r10: float


def retrieval_figures(
    scenes: list[Scene], images: npt.NDArray[np.float32], embed_texts: EmbedTexts, seed: int = 0
) -> Figures:
    """Measure text-to-image search over `images`, the unit-norm embeddings (n, dim) of `scenes`."""
    facts = [scene.facts() for scene in scenes]

    def mean_ap(queries: Iterable[tuple[str, Statement]]) -> float:
        judged = [
            (text, np.array([statement.facts() <= known for known in facts]))
            for text, statement in queries
        ]
        judged = [(text, relevant) for text, relevant in judged if relevant.any()]
        scores = embed_texts([text for text, _ in judged]) @ images.T
        return float(
            np.mean(
                [
                    average_precision(row, relevant)
                    for row, (_, relevant) in zip(scores, judged, strict=True)
                ]
            )
        )

    rng = random.Random(seed)
    scores = embed_texts([caption(scene, rng) for scene in scenes]) @ images.T
    ranks = (scores > np.diag(scores)[:, None]).sum(axis=1)
    return Figures(
        object_map=mean_ap(
            (f"a photo of {article(name)} {name}", Statement((Subject(name),))) for name in OBJECTS
        ),
        color_object_map=mean_ap(
            (f"{article(color)} {color} {name}", Statement((Subject(name, color),)))
            for color, name in product(COLORS, OBJECTS)
        ),
        object_time_map=mean_ap(
            (f"{article(name)} {name} {time}", Statement((Subject(name),), time=time))
            for name, time in product(OBJECTS, TIMES)
        ),
        object_place_map=mean_ap(
            (f"{article(name)} {name} {place}", Statement((Subject(name),), place=place))
            for name, place in product(OBJECTS, PLACES)
        ),
        caption_r1=float((ranks < 1).mean()),
        caption_r10=float((ranks < 10).mean()),
    )


def report(figures: Figures) -> str:
    """Return the figures as `name value` pairs on one line."""
    return "  ".join(f"{name} {value:.3f}" for name, value in asdict(figures).items())


def main() -> None:
    """Draw photos of a seed that no training used, index them as any photos are indexed, and print
    the figures.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "checkpoint",
        nargs="?",
        default="mini",
        help="a checkpoint directory (default: %(default)s)",
    )
    parser.add_argument("--pictures", type=int, default=1000, help="(default: %(default)s)")
    parser.add_argument(
        "--seed", type=int, default=7, help="not 1 or 2, which training uses (default: %(default)s)"
    )
    args = parser.parse_args()
    checkpoint = load_checkpoint(args.checkpoint)
    with TemporaryDirectory() as folder:
        scenes = draw_photos(Path(folder), args.pictures, args.seed)
        photos = sorted(Path(folder).glob("*.jpg"))
        tower = TorchImageTower(checkpoint)
        batches = [photos[start : start + BATCH] for start in range(0, len(photos), BATCH)]
        pixels = (
            np.stack([decode_photo(path, checkpoint.preprocessing).pixels for path in batch])
            for batch in batches
        )
        images = np.concatenate([tower.embed(batch) for batch in pixels])
    print(report(retrieval_figures(scenes, images, TorchTextTower(checkpoint).embed)))


if __name__ == "__main__":
    main()
