"""What an index in Milvus finds, and how long it takes: python -m benchmarks.milvus.

The embeddings are synthetic, of the geometry of a base checkpoint. The server is the real one of
version 2.3.5 that the tests start, or another one whose address is given. Each answer includes the
exact cosines from the catalog. FAISS answers the same queries in the same run.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.geometry import Floats, Geometry
from benchmarks.libraries import fill
from sigseek.search.retrieval import Retriever
from sigseek.storage import Catalog
from sigseek.storage.embeddings import CheckpointEmbeddings
from sigseek.storage.index.contract import IndexStore
from sigseek.storage.index.exact import ExactIndex, ExactStore
from sigseek.storage.index.file_store import FileStore
from sigseek.storage.index.milvus_store import MilvusStore
from tests.milvus import milvus_server

_DIMENSION = 768
_QUERIES = 200
_HITS = 10
_SHARES = (1.0, 0.2, 0.05)


def main() -> None:
    """Fill a catalog, make both indexes, and compare what they find with the exact ten."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=100_000)
    parser.add_argument("--server", help="such as milvus://HOST:19530")
    asked = parser.parse_args()
    geometry = Geometry(_DIMENSION)
    with tempfile.TemporaryDirectory() as place:
        fill(Path(place), geometry.images(asked.photos))
        catalog = Catalog(Path(place))
        right = ExactStore().open(CheckpointEmbeddings(catalog, catalog.checkpoints()[0]))
        images = catalog.embeddings(1, range(1, _QUERIES + 1))[1]
        kinds = {"text": geometry.captions(images), "near": geometry.near(images)}
        started = nullcontext(asked.server) if asked.server else milvus_server()
        with started as address:
            for name, store in (("faiss", FileStore(Path(place, "index"))),
                                ("milvus", MilvusStore(address))):  # fmt: skip
                _measure(name, store, catalog, right, kinds)
        catalog.close()


def _measure(
    name: str, store: IndexStore, catalog: Catalog, right: ExactIndex, kinds: dict[str, Floats]
) -> None:
    record = catalog.checkpoints()[0]
    embeddings = CheckpointEmbeddings(catalog, record)
    began = time.perf_counter()
    store.catch_up(embeddings)
    copied = time.perf_counter()
    problems = store.check(embeddings)  # for a server this waits until its index is built
    ready = time.perf_counter()
    print(
        f"{name}: copied in {copied - began:.1f} s, ready after {ready - copied:.1f} s more; "
        f"damaged: {len(problems.damaged)}, lacking: {len(problems.lacking)}",
        flush=True,
    )
    retriever = Retriever(catalog, record, store.open(embeddings))
    ids = catalog.embedded_ids(record.id)
    rng = np.random.default_rng(4)
    for share in _SHARES:
        within = None
        if share < 1:
            within = np.sort(rng.choice(ids, round(share * len(ids)), replace=False))
        for kind, queries in kinds.items():
            _print_answers(f"{name}, {share:.0%} of the photos, {kind}", retriever, right, queries,
                           within)  # fmt: skip
    store.remove(record.token)


def _print_answers(
    what: str,
    retriever: Retriever,
    right: ExactIndex,
    queries: Sequence[Floats] | Floats,
    within: npt.NDArray[np.int64] | None,
) -> None:
    found, seconds = [], []
    for query in queries:
        started = time.perf_counter()
        ids, cosines, _ = retriever.nearest(query, _HITS, within)
        seconds.append(time.perf_counter() - started)
        best = ids[np.argsort(-cosines, kind="stable")[:_HITS]]
        found.append(np.isin(right.nearest(query, _HITS, within).ids, best).mean())
    half, most = np.percentile(seconds, (50, 99)) * 1000
    print(f"{what}: recall@{_HITS} {np.mean(found):.4f}, p50 {half:.1f} ms, p99 {most:.1f} ms",
          flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
