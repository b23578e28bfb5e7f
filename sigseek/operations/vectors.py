"""Which engine keeps the vector indexes of a library."""

from contextlib import nullcontext

from sigseek.errors import Option, Remedy
from sigseek.operations.location import LibraryLocation
from sigseek.progress import Stop
from sigseek.storage import LibraryError

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


def use_vectors(
    library: LibraryLocation, vectors: str, stop: Stop | None = None, *, shared: bool = False
) -> None:
    """Have the library keep its vector indexes there from now on. The next run, or the next search,
    makes them from the catalog.

    Raises LibraryError, with the library as it was, while another process changes it, unless the
    processes index together (`shared`): each of them may have been told.
    """
    catalog, wanted = library.catalog(create=True), None if vectors == FAISS else vectors
    if catalog.vectors() == wanted:
        return
    with nullcontext() if shared else library.writing(stop), catalog.transaction() as transaction:
        transaction.put_vectors(wanted)
