"""What could reorder hits better than the cosine: an ablation with `mini` on drawn pictures.

python -m benchmarks.rerank [--pictures 1000] [--seed 11]

Mean average precision by kind of query, as a difference to the plain cosine: Nearest Neighbor
Normalization by the common texts, the mean of several wordings of a query, and closer looks at
parts of the picture, of all photos.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from benchmarks.drawn_queries import Queries, kinds_of_queries
from sigseek.demo.photos import draw_photos
from sigseek.demo.scene import Scene
from sigseek.evaluation.metrics import average_precision
from sigseek.indexer.decoding.decode import decode_views
from sigseek.library import Library, open_library
from sigseek.siglip.names import MINI
from sigseek.siglip.yardstick.texts import composed_texts

Floats = npt.NDArray[np.float32]

_FRAMES = (
    "{}",
    "a photo of {}",
    "this is a photo of {}",
    "a picture of {}",
    "photo of {}",
    "an image of {}",
)
_NEIGHBOURS = ((8, 0.25), (8, 0.5), (16, 0.25), (16, 0.5), (48, 0.25), (48, 0.5))


def sides(
    library: Library, images: Floats, views: Floats
) -> dict[str, Callable[[list[str]], Floats]]:
    """Return ways to score images (n, dim), with their views (n, views, dim), for texts: from m
    texts to (m, n).
    """
    common = images @ library.embed_texts(composed_texts()).T

    def plain(texts: list[str]) -> Floats:
        return library.embed_texts(texts) @ images.T

    def normalized(neighbours: int, share: float) -> Callable[[list[str]], Floats]:
        bias = np.sort(common, axis=1)[:, -neighbours:].mean(axis=1)
        return lambda texts: plain(texts) - np.float32(share) * bias

    def ensemble(frames: tuple[str, ...]) -> Callable[[list[str]], Floats]:
        def scores(texts: list[str]) -> Floats:
            bare = [text.removeprefix("a photo of ") for text in texts]
            mean = np.mean(
                [library.embed_texts([frame.format(text) for text in bare]) for frame in frames],
                axis=0,
            )
            scored: Floats = mean @ images.T
            return scored

        return scores

    def closer(best: float, mean: float) -> Callable[[list[str]], Floats]:
        def scores(texts: list[str]) -> Floats:
            parts = np.einsum("md,nvd->mnv", library.embed_texts(texts), views)
            mixed: Floats = (
                plain(texts)
                + np.float32(best) * parts.max(axis=2)
                + np.float32(mean) * parts.mean(axis=2)
            )
            return mixed

        return scores

    return {
        "plain cosine": plain,
        **{
            f"NNN, k {neighbours}, alpha {share}": normalized(neighbours, share)
            for neighbours, share in _NEIGHBOURS
        },
        "two wordings": ensemble(_FRAMES[:2]),
        "six wordings": ensemble(_FRAMES),
        "closer, best part": closer(0.5, 0),
        "closer, mean part": closer(0, 0.5),
        "closer, both": closer(0.5, 0.5),
    }


def mean_ap(scores: Floats, queries: Queries, scenes: list[Scene]) -> float:
    """Return the mean average precision of the queries with an answer; `scores` are (m, n)."""
    precisions = []
    for row, (_, statement) in zip(scores, queries, strict=True):
        relevant = np.array([statement.facts() <= scene.facts() for scene in scenes])
        if relevant.any():
            precisions.append(average_precision(row, relevant))
    return float(np.mean(precisions))


def main() -> None:
    """Draw, embed, score, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=int, default=1000, help="(default: %(default)s)")
    parser.add_argument(
        "--seed",
        type=int,
        default=11,
        help="not 1 or 2, which training uses (default: %(default)s)",
    )
    arguments = parser.parse_args()
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        scenes = draw_photos(folder, arguments.pictures, arguments.seed)
        photos = sorted(folder.glob("*.jpg"))
        with open_library(folder / ".sigseek", MINI) as library:
            embeddings, _ = library.embed_photos(photos)
            images = np.stack([embeddings[photo] for photo in photos])
            preprocessing, tower = library.checkpoint.preprocessing, library._opened.model.images()
            views = np.stack([tower.embed(decode_views(photo, preprocessing)) for photo in photos])
            kinds = kinds_of_queries()
            print(f"{'mAP':<24}" + "".join(f"{kind:>19}" for kind in [*kinds, "mean"]))
            before: list[float] = []
            for name, score in sides(library, images, views).items():
                figures = [
                    mean_ap(score([text for text, _ in queries]), queries, scenes)
                    for queries in kinds.values()
                ]
                figures.append(float(np.mean(figures)))
                shown = (
                    [value - plain for value, plain in zip(figures, before, strict=True)]
                    if before
                    else figures
                )
                print(
                    f"{name:<24}"
                    + "".join(f"{value:>{'+' if before else ''}19.3f}" for value in shown),
                    flush=True,
                )
                before = before or figures


if __name__ == "__main__":
    main()
