"""What decoding JPEGs at a reduced size costs and gains: `python -m benchmarks.decoding`.

Each headroom is the least multiple of the wanted size that is decoded; "whole" is the plain way.
The cosine compares the embedding of the photo with that of the whole photo, in fp32, by mini and by
a checkpoint of the base configuration with random weights. It is the least over all photos.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.subjects import CAMERA, save_base, save_photos
from sigseek.siglip import Checkpoint, ImageTower, Preprocessing, load_checkpoint

_HEADROOMS = (None, 4, 2, 1)


def main() -> None:
    """Make photos of camera size, decode them in each way and print the table."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.decoding", description="Judge reduced decoding."
    )
    parser.add_argument(
        "--photos", type=int, default=16, help="how many of 12 megapixels (default 16)"
    )
    parser.add_argument("--folder", type=Path, help="real JPEG photos to take instead")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sigseek-decoding-") as made:
        photos = (
            sorted(p for p in arguments.folder.rglob("*") if p.suffix.lower() == ".jpg")
            if arguments.folder
            else []
        )
        photos = photos or save_photos(Path(made, "photos"), arguments.photos, CAMERA)
        checkpoints = {
            "mini": load_checkpoint("mini"),
            "base": load_checkpoint(str(save_base(Path(made, "base")))),
        }
        print(
            f"{'headroom':>10} {'ms per photo':>12} {'PSNR dB':>8}  "
            f"{'cosine, mini':>13}  {'cosine, base':>13}"
        )
        judge(photos, checkpoints)


def judge(photos: list[Path], checkpoints: dict[str, Checkpoint]) -> None:
    """Print one row per headroom."""
    from sigseek.siglip.runtimes.torch import TorchImageTower

    towers: dict[str, ImageTower] = {
        name: TorchImageTower(checkpoint, "cpu") for name, checkpoint in checkpoints.items()
    }
    whole: dict[str, tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]] = {}
    for headroom in _HEADROOMS:
        figures, times, psnr = [], [0.0], [float("inf")]
        for name, checkpoint in checkpoints.items():
            decoded = [_timed(path, checkpoint.preprocessing, headroom) for path in photos]
            pixels = np.stack([pixels for pixels, _ in decoded])
            embedded = np.concatenate(
                [
                    towers[name].embed(pixels[start : start + 16])
                    for start in range(0, len(pixels), 16)
                ]
            )
            plain_pixels, plain = whole.setdefault(name, (pixels, embedded))
            figures.append(f"{(embedded * plain).sum(axis=1).min():13.5f}")
            times, psnr = (
                [seconds for _, seconds in decoded],
                [_psnr(*pair) for pair in zip(pixels, plain_pixels, strict=True)],
            )
        shown = "whole" if headroom is None else f"{headroom}x"
        milliseconds, cosines = 1000 * statistics.median(times), "  ".join(figures)
        print(
            f"{shown:>10} {milliseconds:11.1f} {statistics.median(psnr):8.1f}  {cosines}",
            flush=True,
        )


def _timed(
    path: Path, preprocessing: Preprocessing, headroom: int | None
) -> tuple[npt.NDArray[np.uint8], float]:
    started = time.perf_counter()
    with Image.open(path) as image:
        if headroom:
            image.draft(None, (headroom * preprocessing.width, headroom * preprocessing.height))
        pixels = preprocessing.resize(image.convert("RGB"))
    return pixels, time.perf_counter() - started


def _psnr(one: npt.NDArray[np.uint8], other: npt.NDArray[np.uint8]) -> float:
    error = float(((one.astype(np.float64) - other) ** 2).mean())
    return float("inf") if error == 0 else 10 * float(np.log10(255**2 / error))


if __name__ == "__main__":
    main()
