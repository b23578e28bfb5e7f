"""Which engine keeps the vector indexes of a library."""

from sigseek.errors import Option, Remedy
from sigseek.storage import Catalog, LibraryError

FAISS = "faiss"
"""The name of the files of FAISS, which a library uses unless it is told otherwise."""


def check_vectors(vectors: str) -> None:
    """Raise LibraryError unless `vectors` is "faiss" or the address of a server that answers."""
    if vectors == FAISS:
        return
    from sigseek.storage.index.milvus_store import SCHEME, MilvusStore

    if not vectors.startswith(f"{SCHEME}://"):
        raise LibraryError(
            f"no engine for vectors is called {vectors!r}",
            Remedy(
                f"give {{}} the word {FAISS}, or the address of a Milvus server such as "
                f"{SCHEME}://HOST:19530",
                (Option("vectors"),),
            ),
        )
    MilvusStore(vectors).check_server()


def use_vectors(catalog: Catalog, vectors: str) -> None:
    """Have the library keep its vector indexes there from now on. The next run, or the next search,
    makes them from the catalog.
    """
    with catalog.transaction() as transaction:
        transaction.put_vectors(None if vectors == FAISS else vectors)
