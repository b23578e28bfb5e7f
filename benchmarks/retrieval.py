"""Retrieval side by side: build, open, add, search, recall, memory and file size, at 10,000 to
1,000,000 embeddings.

python -m benchmarks.retrieval [--sizes 10000,100000,1000000]
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.geometry import Geometry
from benchmarks.retrieval_sides import HITS, SIDES, Float16s, Floats, Side

DIMENSION = 768
ADDED = 1_000
_QUERIES = 100  # of each kind
_SECONDS = 4.0  # for one kind of query in one round: slow sides answer fewer
_ROUNDS = 2
_KINDS = ("near", "text")

NOTES = """\
build    seconds from embeddings at hand (for sigseek: in the catalog) to the index on disk
open     milliseconds from the end of the imports to the first query, which is not included
add      seconds for 1,000 embeddings, from a closed index to a closed one that has them on disk
p50, p99 a query for ten hits, one at a time, both kinds together, in two rounds of all sides.
         sigseek's includes the exact rerank from the catalog. Looking up the paths and metadata of
         the hits takes 2 ms more and is not measured.
recall   share of the exact ten nearest (float32), for queries near an image and for queries of text
         geometry
resident the most that a fresh process which opens and queries had in memory, with the pages of
         mapped files that it touched, which the system takes back when others need memory
own      what it has in memory after its queries without the pages of mapped files (Linux only)
file     what is on disk for the search (for sigseek the index; its catalog has the embeddings in
         any case)"""


@dataclass
class Row:
    """What one side did at one size."""

    name: str
    missing: str = ""
    """The reason why the side was left out."""
    seconds: dict[str, float] = field(default_factory=dict)
    """The seconds that `build`, `open` and `add` took."""
    queries: list[float] = field(default_factory=list)
    recall: dict[str, float] = field(default_factory=dict)
    resident_mb: float = 0
    own_mb: float = 0
    file_mb: float = 0

    def cells(self) -> list[str]:
        """Return the cells of the table's row."""
        if self.missing:
            return [self.name] + ["-"] * (len(HEADER) - 1)
        p50, p99 = (1000 * float(np.quantile(self.queries, share)) for share in (0.5, 0.99))
        numbers = [
            f"{self.seconds['build']:.1f}",
            f"{1000 * self.seconds['open']:.0f}",
            f"{self.seconds['add']:.2f}",
            f"{p50:.2f}",
            f"{p99:.2f}",
            *(f"{self.recall[kind]:.3f}" for kind in _KINDS),
            f"{self.resident_mb:.0f}",
            f"{self.own_mb:.0f}",
            f"{self.file_mb:.0f}",
        ]
        return [self.name, *numbers]


HEADER = [
    "side",
    "build s",
    "open ms",
    f"add {ADDED:,} s",
    "p50 ms",
    "p99 ms",
    "recall near",
    "recall text",
    "resident MB",
    "own MB",
    "file MB",
]


def main() -> None:
    """Print a table for each size."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default="10000,100000,1000000", help="(default: %(default)s)")
    parser.add_argument(
        "--step", nargs=3, metavar=("STEP", "SIDE", "DIRECTORY"), help=argparse.SUPPRESS
    )
    args = parser.parse_args()
    if args.step:
        step, name, directory = args.step
        side = next(side for side in SIDES if side.name == name)
        print(json.dumps(_STEPS[step](side, Path(directory))))
        return
    print(NOTES)
    for size in [int(size) for size in args.sizes.split(",")]:
        with TemporaryDirectory() as directory:
            make_data(Path(directory), size)
            print_table(size, measure(Path(directory), size))
    from benchmarks.retrieval_drawings import (
        drawings_report,  # torch, whose memory is not to count among the sides'
    )

    print(f"\n{drawings_report()}")


def make_data(directory: Path, size: int) -> None:
    """Write `vectors.npy`, which has the embeddings and those to be added, and for each kind of
    query `KIND.npz`, which has queries and exact hits.
    """
    geometry = Geometry(DIMENSION)
    vectors = np.lib.format.open_memmap(
        directory / "vectors.npy", "w+", np.float16, (size + ADDED, DIMENSION)
    )
    start = 0
    for chunk in geometry.chunks(size + ADDED):
        vectors[start : start + len(chunk)] = chunk
        start += len(chunk)
    chosen = np.asarray(
        vectors[np.sort(np.random.default_rng(4).choice(size, _QUERIES, replace=False))]
    )
    queries = {"near": geometry.near(chosen), "text": geometry.captions(chosen)}
    exact = nearest(np.concatenate(list(queries.values())), vectors[:size])
    for number, kind in enumerate(_KINDS):
        np.savez(
            directory / f"{kind}.npz",
            queries=queries[kind],
            exact=exact[number * _QUERIES : (number + 1) * _QUERIES],
        )


def nearest(queries: Floats, vectors: Float16s) -> npt.NDArray[np.int64]:
    """Return the rows (queries, 10) of the nearest embeddings by float32 cosine, in no particular
    order.
    """
    best = np.full((len(queries), HITS), -np.inf, np.float32)
    rows = np.zeros((len(queries), HITS), np.int64)
    for start in range(0, len(vectors), 20_000):
        cosines = np.concatenate(
            [best, queries @ vectors[start : start + 20_000].astype(np.float32).T], axis=1
        )
        numbers = np.broadcast_to(
            np.arange(start, start + cosines.shape[1] - HITS),
            (len(queries), cosines.shape[1] - HITS),
        )
        chosen = np.argpartition(-cosines, HITS, axis=1)[:, :HITS]
        rows = np.take_along_axis(np.concatenate([rows, numbers], axis=1), chosen, axis=1)
        best = np.take_along_axis(cosines, chosen, axis=1)
    return rows


def measure(directory: Path, size: int) -> list[Row]:
    """Measure all sides. Each builds, then all answer in turn, then each adds. Every step is a
    process of its own.
    """
    rows = []
    for side in SIDES:
        rows.append(Row(side.name))
        if side.most and size > side.most:
            rows[-1].missing = "takes too long to build"
        else:
            _take(rows[-1], "build", directory)
    for step in ["query"] * _ROUNDS + ["add"]:
        for row in rows:
            if not row.missing:
                _take(row, step, directory)
    return rows


def _take(row: Row, step: str, directory: Path) -> None:
    """Run one step of the side in a fresh process and put what it said into the row."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.retrieval",
        "--step",
        step,
        row.name,
        str(directory),
    ]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if ended.returncode:
        row.missing = "failed, as said above"
        return
    said = json.loads(ended.stdout)
    row.missing = said.get("missing", "")
    row.seconds |= said.get("seconds", {})
    row.queries += said.get("queries", [])
    row.recall |= said.get("recall", {})
    row.resident_mb = max(row.resident_mb, said.get("resident_mb", 0))
    row.own_mb = max(row.own_mb, said.get("own_mb", 0))
    row.file_mb = said.get("file_mb", row.file_mb)


def _build(side: Side, directory: Path) -> dict[str, Any]:
    vectors = np.load(directory / "vectors.npy", mmap_mode="r")[:-ADDED]
    own = _own(side, directory)
    own.mkdir()
    try:
        side.prepare(vectors, own)
    except ImportError as error:
        return {"missing": f"{error}; pip install usearch sqlite-vec pysqlite3"}
    started = time.perf_counter()
    side.build(vectors, own)
    seconds = time.perf_counter() - started
    files = [
        path
        for path in own.rglob("*")
        if path.is_file() and not path.name.startswith(("catalog", "lock"))
    ]
    return {
        "seconds": {"build": seconds},
        "file_mb": sum(path.stat().st_size for path in files) / 1e6,
    }


def _query(side: Side, directory: Path) -> dict[str, Any]:
    started = time.perf_counter()
    search = side.open(_own(side, directory))
    opened = time.perf_counter() - started
    times: list[float] = []
    recall = {}
    for kind in _KINDS:
        held = np.load(directory / f"{kind}.npz")
        queries, exact = held["queries"], held["exact"]
        search(queries[-1])  # the first one maps or reads what the others find in memory
        shares, until = [], time.perf_counter() + _SECONDS
        for query, true in zip(queries, exact, strict=True):
            before = time.perf_counter()
            found = search(query)
            times.append(time.perf_counter() - before)
            shares.append(len(set(found) & set(true.tolist())) / HITS)
            if time.perf_counter() > until:
                break
        recall[kind] = float(np.mean(shares))
    return {
        "seconds": {"open": opened},
        "queries": times,
        "recall": recall,
        "resident_mb": _memory_mb("VmHWM"),
        "own_mb": _memory_mb("RssAnon"),
    }


def _add(side: Side, directory: Path) -> dict[str, Any]:
    vectors = np.load(directory / "vectors.npy", mmap_mode="r")
    new = np.array(vectors[-ADDED:])
    started = time.perf_counter()
    side.add(new, len(vectors) - ADDED, _own(side, directory))
    return {"seconds": {"add": time.perf_counter() - started}}


_STEPS = {"build": _build, "query": _query, "add": _add}


def _own(side: Side, directory: Path) -> Path:
    return directory / side.name.replace(" ", "-")


def _memory_mb(measure: str) -> float:
    """Return a measure of this process's memory by Linux's name for it: VmHWM is the most that it
    has had since it began, where getrusage begins with the parent's, and RssAnon is what it has
    without files. Elsewhere it is the most, whatever the measure.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return next(
            int(line.split()[1]) / 1e3
            for line in status.read_text().splitlines()
            if line.startswith(measure)
        )
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def print_table(size: int, rows: Sequence[Row]) -> None:
    """Print the table, why sides are left out, and sigseek's time as a share of flat fp16's."""
    lines = [HEADER, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADER))]
    print(f"\n{size:,} embeddings of {DIMENSION} dimensions\n")
    for number, line in enumerate(lines):
        cells = [
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        print(f"| {' | '.join(cells)} |")
        if number == 0:
            print(f"|{'|'.join('-' * (width + 2) for width in widths)}|")
    for row in rows:
        if row.missing:
            print(f"{row.name}: {row.missing}")
    ours, flat = (
        next(row for row in rows if row.name == name) for name in ("sigseek", "faiss flat fp16")
    )
    if ours.queries and flat.queries:
        print(
            f"sigseek's p50 is {np.median(ours.queries) / np.median(flat.queries):.2f} of flat "
            f"fp16's",
            flush=True,
        )


if __name__ == "__main__":
    main()
