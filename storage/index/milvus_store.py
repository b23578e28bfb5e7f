"""The store of indexes in a Milvus server. Milvus' client is imported when an index is opened."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sigseek.errors import ErrorKind, Option, Remedy
from sigseek.storage.errors import LibraryError
from sigseek.storage.index.contract import Embeddings, IndexCheck

if TYPE_CHECKING:
    from pymilvus import MilvusClient

    from sigseek.storage.index.contract import Float16s, Ids
    from sigseek.storage.index.milvus import MilvusIndex
    from sigseek.storage.index.milvus_collection import MilvusCollection

SCHEME = "milvus"
TOKEN_VARIABLE = "SIGSEEK_MILVUS_TOKEN"
"""The environment variable of the server's token, or of its user and password as USER:PASSWORD."""
_PORT = 19530
_MOST_LATER = 1_000
"""The most embeddings that searches read from the catalog because the server has not them yet."""
_MOST_REMOVED = 0.1
"""The largest share of the server's rows that may be of removed photos."""
_TOGETHER = 2_000
_KNOWN_SECONDS = 60.0
_BUILDING_SECONDS = 3_600.0
"""How long a server may take to build an index. It never says that it could not, and tries for
ever.
"""
_SECONDS = 10.0
"""How long a server may take to answer the first call."""


@dataclass(frozen=True)
class _Reached:
    """How far a server was when it was asked, by the monotonic clock in seconds."""

    generation: int
    rows: int
    asked: float


class MilvusStore:
    """The indexes of a library in the Milvus server at `address`, one collection a checkpoint.

    Several libraries may share a server. A store removes collections of its own checkpoints only.
    """

    def __init__(self, address: str) -> None:
        """Take an address such as milvus://HOST:PORT. Raises LibraryError for another one."""
        self.address = address
        """The address that was given."""
        self._host, self._port = read_server_address(address)
        self._client: MilvusClient | None = None
        self._connecting = threading.Lock()
        self._synchronising = threading.Lock()
        self._known: dict[str, _Reached] = {}
        """What the server had of each checkpoint when it was last asked."""

    def check_server(self) -> None:
        """Raise LibraryError where the server cannot be used."""
        self._named("0" * 16).exists()

    def close(self) -> None:
        """Close the connection. The next call opens it again."""
        with self._connecting:
            if self._client is not None:
                self._client.close()
                self._client = None

    def open(self, embeddings: Embeddings) -> MilvusIndex:
        """See `IndexStore.open`. Raises LibraryError where the server cannot be used."""
        from sigseek.storage.index.milvus import MilvusIndex
        from sigseek.storage.index.sampling import collected

        collection = self._collection(embeddings)
        reached = self._reached(collection, embeddings)
        if reached is None:
            reached = self._synchronise(collection, embeddings)
        later = collected(embeddings.chunks_after(reached.generation), embeddings.dimension)
        return MilvusIndex(collection, embeddings, later, reached.rows)

    def is_current(self, embeddings: Embeddings) -> bool:
        """See `IndexStore.is_current`. It asks the server."""
        collection = self._collection(embeddings)
        return self._reached(collection, embeddings) is not None

    def catch_up(self, embeddings: Embeddings) -> None:
        """See `IndexStore.catch_up`. It brings the server up to the newest generation."""
        self._synchronise(self._collection(embeddings), embeddings)

    def remove(self, token: str) -> None:
        """See `IndexStore.remove`."""
        self._known.pop(token, None)
        self._named(token).drop()

    def tidy(self, generations: Mapping[str, int]) -> None:
        """Remove the collections that are newer than their checkpoint's generation.

        What belongs to no checkpoint of this library stays. It may be another library's.
        """
        for token, generation in generations.items():
            collection = self._named(token)
            if collection.exists():
                collection.load()
                if (collection.generation() or 0) > generation:
                    collection.drop()

    def bytes(self) -> int:
        """Return 0: nothing is kept on this machine."""
        return 0

    def check(self, embeddings: Embeddings) -> IndexCheck:
        """See `IndexStore.check`. It reads the ids of all rows, and waits while the server builds
        its index, which it does again whenever it joins segments.
        """
        import numpy as np

        collection = self._collection(embeddings)
        reached = collection.generation() if collection.exists() else None
        if reached is None:
            return IndexCheck((), ())
        held = np.concatenate([np.zeros(0, np.int64), *collection.ids()])
        lacking = tuple(np.setdiff1d(embeddings.ids(reached), held).tolist())
        self._wait_for_index(collection, embeddings)
        return IndexCheck((), lacking)

    def _reached(self, collection: MilvusCollection, embeddings: Embeddings) -> _Reached | None:
        """Return how far the server is; None where it is too far behind, or has nothing of the
        checkpoint.

        What is known of it serves for a minute. The server can only be further than that.
        """
        known = self._known.get(embeddings.token)
        if known is None or time.monotonic() > known.asked + _KNOWN_SECONDS:
            known = self._ask(collection)
        if known is None or known.generation > embeddings.generation:
            return None
        later = embeddings.count_after(known.generation, _MOST_LATER + 1)
        removed = known.rows + later - embeddings.count
        if later > _MOST_LATER or removed > max(_MOST_REMOVED * embeddings.count, _MOST_LATER):
            return None
        self._known[embeddings.token] = known
        return known

    @staticmethod
    def _ask(collection: MilvusCollection) -> _Reached | None:
        asked = time.monotonic()
        if not collection.exists():
            return None
        collection.make()
        generation = collection.generation()
        return None if generation is None else _Reached(generation, collection.count(), asked)

    def _synchronise(self, collection: MilvusCollection, embeddings: Embeddings) -> _Reached:
        """Bring the server's rows up to the embeddings, and return how far it is then.

        Every step may be done twice, by two processes at once, or be left in the middle. The
        generation is noted last. Threads of this process take turns.
        """
        with self._synchronising:
            reached = self._ask(collection)
            if reached is None or reached.generation != embeddings.generation:
                self._write(collection, embeddings, reached)
                reached = self._ask(collection)
            if reached is None:  # another process removed it meanwhile
                raise LibraryError(
                    f"Milvus at {self._where} has lost {collection.name} while it was made",
                    "try again",
                    ErrorKind.BUSY,
                )
            self._known[embeddings.token] = reached
            return reached

    def _write(
        self, collection: MilvusCollection, embeddings: Embeddings, reached: _Reached | None
    ) -> None:
        if reached and reached.generation > embeddings.generation:
            collection.drop()  # it is of a time that the catalog lost
            reached = None
        collection.make()
        # The generation of embeddings that come while these are read is not noted.
        generation = embeddings.generation
        new = embeddings.chunks_after(reached.generation) if reached else embeddings.chunks()
        for ids, vectors in batches(new):
            embeddings.check_stop()
            collection.upsert(ids, vectors, generation)
        self._delete_removed(collection, embeddings, reached.generation if reached else 0)
        self._wait_for_index(collection, embeddings)
        collection.put_generation(generation)

    def _wait_for_index(self, collection: MilvusCollection, embeddings: Embeddings) -> None:
        """Wait until the server's index has all rows.

        Until then the server looks for the others through an index of its own that looks into some
        clusters only, and would lose two fifths of a text's neighbours.
        """
        collection.flush()
        ends = time.monotonic() + _BUILDING_SECONDS
        while not collection.is_indexed():
            embeddings.check_stop()
            if time.monotonic() > ends:
                raise LibraryError(
                    f"Milvus at {self._where} did not finish the index of {collection.name} "
                    "within an hour",
                    "look into the log of the server's index node",
                    ErrorKind.UNAVAILABLE,
                )
            time.sleep(0.2)

    @staticmethod
    def _delete_removed(
        collection: MilvusCollection, embeddings: Embeddings, after_generation: int
    ) -> None:
        """Delete the rows of photos whose embeddings were removed after the generation. Where that
        leaves too many, removals were forgotten, and all ids are compared.
        """
        import numpy as np

        removed = embeddings.removed_after(after_generation)
        again = [ids for ids, _ in embeddings.chunks(removed)]
        collection.delete(np.setdiff1d(removed, np.concatenate([np.zeros(0, np.int64), *again])))
        if collection.count() > embeddings.count:
            held = np.concatenate([np.zeros(0, np.int64), *collection.ids()])
            # The catalog is asked after the server: another process may have added photos to both,
            # and they are in the catalog first.
            collection.delete(np.setdiff1d(held, embeddings.ids()))

    def _collection(self, embeddings: Embeddings) -> MilvusCollection:
        return self._named(embeddings.token, embeddings.dimension)

    def _named(self, token: str, dimension: int | None = None) -> MilvusCollection:
        from sigseek.storage.index.milvus_collection import MilvusCollection

        return MilvusCollection(self._connected(), self._where, token, dimension)

    @property
    def _where(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host  # as IPv6 is written
        return f"{host}:{self._port}"

    def _connected(self) -> MilvusClient:
        with self._connecting:
            if self._client is None:
                self._client = _connect(self._where)
            return self._client


def collection_name(token: str) -> str:
    """Return the name of the collection of the checkpoint with this token."""
    return f"sigseek_{token}"


def batches(chunks: Iterable[tuple[Ids, Float16s]]) -> Iterator[tuple[Ids, Float16s]]:
    """Yield the same embeddings in requests of 2,000."""
    import numpy as np

    held: list[tuple[Ids, Float16s]] = []
    for chunk in chunks:
        held.append(chunk)
        if sum(len(ids) for ids, _ in held) >= _TOGETHER:
            yield np.concatenate([ids for ids, _ in held]), np.concatenate([v for _, v in held])
            held = []
    if held:
        yield np.concatenate([ids for ids, _ in held]), np.concatenate([v for _, v in held])


def read_server_address(address: str) -> tuple[str, int]:
    """Return host and port of an address such as milvus://HOST:PORT. Raises LibraryError for
    another one, and for one with a password.
    """
    parts = urlsplit(address)
    try:
        port = parts.port or _PORT
    except ValueError:
        port = 0
    if parts.username or parts.password:
        raise LibraryError(
            "the address of a Milvus server holds no user and no password, because the library "
            "keeps it",
            f"put them into the environment as {TOKEN_VARIABLE}=USER:PASSWORD",
        )
    if parts.scheme != SCHEME or not parts.hostname or not port or parts.path.strip("/"):
        raise LibraryError(
            f"{address} is not the address of a Milvus server",
            Remedy(f"give {{}} one like {SCHEME}://HOST:{_PORT}", (Option("vectors"),)),
        )
    return parts.hostname, port


def _connect(where: str) -> MilvusClient:
    try:
        from pymilvus import MilvusClient
    except ImportError as error:
        raise LibraryError(
            f"vectors in Milvus need its client pymilvus ({error})",
            "install it with: pip install 'sigseek[milvus]'",
            ErrorKind.UNSUPPORTED,
        ) from error
    from sigseek.storage.index.milvus_collection import milvus_errors

    # The client logs each refused call with a traceback. The error that is raised says it.
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
    with milvus_errors(where):
        token = os.environ.get(TOKEN_VARIABLE, "")
        return MilvusClient(f"http://{where}", token=token, timeout=_SECONDS)
