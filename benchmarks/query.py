"""A text query from the shell, compared with the same query in transformers.

    python -m benchmarks.query

The library holds 100,000 synthetic embeddings of a checkpoint of the exact base configuration. Cold
is a whole process, from its start to the printed hits, with the files in the system's cache. Warm
is one more query to an open library.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from benchmarks.geometry import Geometry
from benchmarks.libraries import fill, measure
from benchmarks.processes import Finished, run, sigseek
from benchmarks.subjects import save_base
from sigseek.library import open_library
from sigseek.siglip import load_checkpoint

_QUERY = "two cats on a sofa"
_TRANSFORMERS = """
import sys, time, warnings
import numpy as np, torch
from transformers import SiglipModel, SiglipTokenizer
checkpoint, vectors, query, rounds = sys.argv[1:]
model = SiglipModel.from_pretrained(checkpoint).eval()
tokenizer = SiglipTokenizer.from_pretrained(checkpoint)
library = np.load(vectors, mmap_mode="r")

def search():
    with torch.no_grad():
        tokens = tokenizer(
            [query], padding="max_length", max_length=64, truncation=True, return_tensors="pt"
        )
        text = model.get_text_features(input_ids=tokens["input_ids"]).pooler_output
    text = torch.nn.functional.normalize(text, dim=-1).numpy()[0]
    cosines = library.astype(np.float32) @ text
    best = np.argpartition(-cosines, 10)[:10]
    logits = cosines[best] * np.exp(model.logit_scale.item()) + model.logit_bias.item()
    return sorted(zip(1 / (1 + np.exp(-logits)), best), reverse=True)

for score, row in search():
    print(f"{score:.3f} {row}")
for _ in range(int(rounds)):
    started = time.perf_counter()
    search()
    print("seconds", time.perf_counter() - started)
"""
"""The same query as a short script with transformers. Its library is a matrix of fp16 in a file."""


def main() -> None:
    """Make the library, run both sides in turn and print the table."""
    parser = argparse.ArgumentParser("python -m benchmarks.query", description="Time a text query.")
    parser.add_argument("--embeddings", type=int, default=100_000, help="(default 100,000)")
    parser.add_argument(
        "--rounds", type=int, default=7, help="how often each side runs (default 7)"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sigseek-query-") as made:
        os.environ["SIGSEEK_CACHE"] = str(Path(made, "cache"))
        checkpoint, library, matrix = (
            save_base(Path(made, "base")),
            Path(made, "library"),
            Path(made, "matrix.npy"),
        )
        # Apart: a process counts what its parent held when it began as memory of its own.
        with ProcessPoolExecutor(1, get_context("spawn")) as apart:
            apart.submit(_prepare, library, matrix, checkpoint, arguments.embeddings).result()
        time.sleep(2.5)  # a file that has just been written is not trusted to stay as it is
        first = sigseek("search", _QUERY, "--all", "--library", library)
        print(f"the first query, with conversion and index: {first.wall:.0f} s", flush=True)
        ours, theirs = [], []
        for _ in range(arguments.rounds):
            ours.append(sigseek("search", _QUERY, "--all", "--library", library))
            theirs.append(
                run([sys.executable, "-c", _TRANSFORMERS, checkpoint, matrix, _QUERY, "0"])
            )
        warm = _warm(library, arguments.rounds)
        script = run(
            [sys.executable, "-c", _TRANSFORMERS, checkpoint, matrix, _QUERY, str(arguments.rounds)]
        )
    their_warm = [
        float(line.split()[1]) for line in script.output.splitlines() if line.startswith("seconds")
    ]
    print(
        f"\n{'one text query over ' + format(arguments.embeddings, ','):36} "
        f"{'cold s':>8} {'warm ms':>8} {'peak MB':>8}"
    )
    for name, runs, seconds in (
        ("sigseek search", ours, warm),
        ("transformers and numpy", theirs, their_warm),
    ):
        print(
            f"{name:36} {_median(runs):8.3f} {1000 * statistics.median(seconds):8.1f} "
            f"{max(r.peak for r in runs) / 1e6:8,.0f}"
        )
    print(
        f"{'ratio':36} {_median(theirs) / _median(ours):7.2f}x "
        f"{statistics.median(their_warm) / statistics.median(warm):7.2f}x"
    )


def _prepare(library: Path, matrix: Path, checkpoint: Path, count: int) -> None:
    """Make the library and the matrix."""
    vectors = Geometry(768).images(count)
    np.save(matrix, vectors)
    fill(library, vectors, load_checkpoint(str(checkpoint)))
    measure(library, Geometry(768).captions(vectors[-2200:]))


def _warm(library: Path, rounds: int) -> list[float]:
    """Return the seconds of each further query to an open library."""
    seconds = []
    with open_library(library) as opened:
        opened.search(_QUERY)
        for _ in range(rounds):
            started = time.perf_counter()
            opened.search(_QUERY)
            seconds.append(time.perf_counter() - started)
    return seconds


def _median(runs: list[Finished]) -> float:
    return statistics.median(finished.wall for finished in runs)


if __name__ == "__main__":
    main()
