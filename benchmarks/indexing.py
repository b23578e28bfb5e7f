"""Indexing compared with the model card's loop and the machine's limit.

    python -m benchmarks.indexing

All sides take the same photos through the same checkpoint, which has the exact base configuration
and random weights. They run in turn. The model card's loop (transformers, fp32) gets fewer photos
because it is slow. The figures are images per second.
"""

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.processes import Finished, last_json, run, sigseek
from benchmarks.subjects import CAMERA, SMALL, save_base, save_photos
from sigseek.progress import Silence, Stop
from sigseek.siglip import Checkpoint, load_checkpoint
from sigseek.siglip.runtimes.conversion import convert
from sigseek.siglip.runtimes.openvino import CompiledModel, best_precision, import_openvino
from sigseek.storage import Catalog

_LOOP = """
import sys, time, warnings, logging
import numpy as np, torch
from PIL import Image
from transformers import SiglipImageProcessorPil, SiglipModel
checkpoint, batch, out, *paths = sys.argv[1:]
batch = int(batch)
model = SiglipModel.from_pretrained(checkpoint).eval()
processor = SiglipImageProcessorPil.from_pretrained(checkpoint)
started = time.perf_counter()
found = []
with torch.no_grad():
    for at in range(0, len(paths), batch):
        images = [Image.open(path).convert("RGB") for path in paths[at : at + batch]]
        inputs = processor(images=images, return_tensors="pt")
        found.append(model.get_image_features(**inputs).pooler_output)
seconds = time.perf_counter() - started
vectors = torch.nn.functional.normalize(torch.cat(found), dim=-1).numpy()
np.save(out, vectors)
print(len(paths) / seconds)
"""
"""What the model card shows, in a separate process, as a user's script would be. Its embeddings are
the reference.
"""

_MATRIX = 4096


@dataclass
class Row:
    """The images per second of one side, in each round."""

    rates: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    """The busy share of all cores, without what a run with a single photo takes."""
    peak: float = 0.0
    cosine: float = float("nan")

    def text(self, name: str, against: "Row") -> str:
        """Return the row as it is printed."""
        rate, ratio = (
            statistics.median(self.rates),
            statistics.median(self.rates) / statistics.median(against.rates),
        )
        busy = f"{statistics.median(self.busy):6.0%}" if self.busy else "      "
        peak = f"{self.peak / 1e6:8,.0f}" if self.peak else "        "
        cosine = f"{self.cosine:.5f}" if self.cosine == self.cosine else ""
        return f"{name:44} {rate:7.2f} {ratio:7.2f}x {busy} {peak}  {cosine}"


def main() -> None:
    """Make checkpoint and photos, run the sides and print the table."""
    parser = argparse.ArgumentParser("python -m benchmarks.indexing", description="Time indexing.")
    parser.add_argument("--photos", type=int, default=48, help="how many of each size (default 48)")
    parser.add_argument(
        "--rounds", type=int, default=2, help="how often each side runs (default 2)"
    )
    parser.add_argument(
        "--folder", type=Path, help="real photos to time too, with their paths below this folder"
    )
    parser.add_argument(
        "--no-int8", action="store_true", help="leave int8 out: preparing it takes minutes"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sigseek-indexing-") as made:
        checkpoint = load_checkpoint(str(save_base(Path(made, "base"))))
        os.environ["SIGSEEK_CACHE"] = str(Path(made, "cache"))
        folders = {
            "12 MP": save_photos(Path(made, "camera"), arguments.photos, CAMERA),
            "small": save_photos(Path(made, "small"), arguments.photos, SMALL),
        }
        if arguments.folder:
            folders[arguments.folder.name] = sorted(
                p for p in arguments.folder.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg")
            )
        precisions = [best_precision()] if arguments.no_int8 else [best_precision(), "int8"]
        print(
            f"{'images per second':44} {'median':>7} {'ratio':>8} {'cores':>6} {'peak MB':>8}  "
            "least cosine",
            flush=True,
        )
        for name, paths in folders.items():
            compare(
                name,
                paths,
                checkpoint,
                precisions,
                arguments.rounds,
                Path(made, f"libraries of {name}"),
            )
        ceiling(checkpoint, precisions, arguments.rounds)


def compare(
    name: str,
    paths: list[Path],
    checkpoint: Checkpoint,
    precisions: list[str],
    rounds: int,
    scratch: Path,
) -> None:
    """Index the photos and run the loop over some of them, in turn."""
    some = paths[: max(8, len(paths) // 4)]
    loops = {1: Row(), 16: Row()}
    ours = {precision: Row() for precision in precisions}
    folder, reference = Path(os.path.commonpath(paths)), scratch / "reference.npy"
    scratch.mkdir(exist_ok=True)
    for precision in precisions:  # converts the checkpoint, once
        index(folder, checkpoint, precision, scratch)
    (scratch / "one").mkdir()
    shutil.copy(paths[0], scratch / "one")
    for _ in range(rounds):
        for batch, row in loops.items():
            done = run(
                [sys.executable, "-c", _LOOP, checkpoint.name, str(batch), reference, *some],
                PYTHONWARNINGS="ignore",
            )
            row.rates.append(float(done.output.split()[-1]))
            row.peak = max(row.peak, done.peak)
        for precision, row in ours.items():
            start, done = (
                index(photos, checkpoint, precision, scratch)
                for photos in (scratch / "one", folder)
            )
            row.rates.append(last_json(done)["images_per_second"])
            row.busy.append(
                (done.busy - start.busy) / ((done.wall - start.wall) * (os.cpu_count() or 1))
            )
            row.peak = max(row.peak, done.peak)
            row.cosine = float(
                (_embeddings(scratch / precision, some) * np.load(reference)).sum(axis=1).min()
            )
    print(loops[1].text(f"{name}: the model card's loop", loops[1]))
    print(loops[16].text(f"{name}: the same, 16 at a time", loops[1]))
    for precision, row in ours.items():
        print(row.text(f"{name}: sigseek index, {precision}", loops[1]), flush=True)


def index(folder: Path, checkpoint: Checkpoint, precision: str, scratch: Path) -> Finished:
    """Index with the program into a new library, and make all thumbnails again."""
    library = scratch / precision
    shutil.rmtree(library, ignore_errors=True)
    shutil.rmtree(Path(os.environ["SIGSEEK_CACHE"], "thumbnails"), ignore_errors=True)
    words = (
        "--library",
        library,
        "--model",
        checkpoint.name,
        "--precision",
        precision,
        "--device",
        "cpu",
    )
    return sigseek("index", folder, *words, "--json")


def _embeddings(library: Path, paths: list[Path]) -> npt.NDArray[np.float32]:
    """Return the unit-norm embeddings float32 (n, dim) that the library keeps of these files."""
    catalog = Catalog(library)
    ids, vectors = catalog.embeddings(catalog.checkpoints()[0].id)
    rows = {int(id_): row for row, id_ in enumerate(ids)}
    by_path = {
        path: rows[photo.id]
        for photo in catalog.photos(ids.tolist()).values()
        for path in photo.paths
    }
    catalog.close()
    found = vectors[[by_path[str(path.resolve())] for path in paths]].astype(np.float32)
    unit: npt.NDArray[np.float32] = found / np.linalg.norm(found, axis=1, keepdims=True)
    return unit


def ceiling(checkpoint: Checkpoint, precisions: list[str], rounds: int) -> None:
    """Measure the image tower alone, and a large matrix product, which tells what the processor can
    do.
    """
    size = checkpoint.preprocessing.height
    pixels = np.random.default_rng(0).integers(0, 256, (16, size, size, 3), np.uint8)
    towers = {
        precision: CompiledModel(
            convert(checkpoint, precision, Silence(), Stop()) / "image.xml", precision
        )
        for precision in precisions
    }
    product = _matrix_product(precisions[0])
    flops, rates = [], {precision: Row() for precision in precisions}
    for _ in range(3 * rounds):
        flops.append(2 * _MATRIX**3 / _seconds(product))
        for precision, tower in towers.items():
            rates[precision].rates.append(len(pixels) / _seconds(partial(tower.embed, pixels)))
    limit = Row([rate / _image_flops(checkpoint) for rate in flops])
    print(
        f"\na matrix product in {precisions[0]}: {statistics.median(flops) / 1e9:,.0f} GFLOP/s",
        end="; ",
    )
    print(f"an image takes {_image_flops(checkpoint) / 1e9:.1f} GFLOP")
    print(limit.text(f"the ceiling by that product, {precisions[0]}", limit))
    for precision, row in rates.items():
        print(row.text(f"the image tower alone, {precision}", limit))


def _matrix_product(precision: str) -> Callable[[], object]:
    openvino = import_openvino()
    ops = openvino.opset13
    one = ops.parameter([_MATRIX, _MATRIX], np.float32)
    other = ops.constant(np.random.default_rng(0).standard_normal((_MATRIX, _MATRIX), np.float32))
    model = openvino.Model([ops.matmul(one, other, False, False)], [one])
    hint = {
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
        "PERFORMANCE_HINT": "LATENCY",
    }
    request = openvino.Core().compile_model(model, "CPU", hint).create_infer_request()
    inputs = np.random.default_rng(1).standard_normal((_MATRIX, _MATRIX), np.float32)
    return lambda: request.infer({0: inputs}, share_inputs=True, share_outputs=True)


def _image_flops(checkpoint: Checkpoint) -> float:
    """Return the multiplications and additions that one picture takes in the image tower of the
    base configuration.
    """
    width, layers, patch, wide = checkpoint.dimension, 12, 16, 4
    tokens = (checkpoint.preprocessing.height // patch) ** 2
    layer = 2 * tokens * (4 + 2 * wide) * width**2 + 4 * tokens**2 * width
    head = 2 * tokens * 2 * width**2 + 4 * tokens * width + 2 * (2 + 2 * wide) * width**2
    return layers * layer + 2 * tokens * 3 * patch**2 * width + head


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
