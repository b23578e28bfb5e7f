"""Which engine keeps the vector indexes of a library."""

from contextlib import nullcontext

from sigseek.errors import Option, Remedy
from sigseek.operations.location import LibraryLocation
from sigseek.progress import Listener, Stop
from sigseek.storage import LibraryError
from sigseek.storage.index.milvus_store import collection_name

FAISS = "faiss"
"""The name of the files of FAISS, which a library uses unless it is told otherwise."""


def check_vectors(vectors: str) -> None:
    """Raise LibraryError unless `vectors` is "faiss" or the address of a server that answers."""
    if not isinstance(vectors, str):
        raise LibraryError(
            f"{vectors!r} is not a text", Remedy("{} must be a text", (Option("vectors"),))
        )
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
    library: LibraryLocation,
    vectors: str,
    listener: Listener,
    stop: Stop | None = None,
    *,
    shared: bool = False,
) -> None:
    """Have the library keep its vector indexes there from now on. The next run, or the next search,
    makes them from the catalog.

    What a server that kept them before has is removed there. Where it does not answer, the listener
    is told what is left.

    Raises LibraryError, with the library as it was, while another process changes it, unless the
    processes index together (`shared`): each of them may have been told.
    """
    catalog, wanted = library.catalog(create=True), None if vectors == FAISS else vectors
    before = catalog.vectors()
    if before == wanted:
        return
    with nullcontext() if shared else library.writing(stop), catalog.transaction() as transaction:
        transaction.put_vectors(wanted)
    if before is not None and not _is_same_server(before, vectors):
        _remove_from(library, before, listener)


def _is_same_server(before: str, vectors: str) -> bool:
    """Return whether the library goes on with the indexes that it has, under another spelling of
    their server's address.
    """
    from sigseek.storage.index.milvus_store import read_server_address

    return vectors != FAISS and read_server_address(before) == read_server_address(vectors)


def _remove_from(library: LibraryLocation, address: str, listener: Listener) -> None:
    """Remove the library's vector indexes from a server that it no longer uses."""
    tokens = [record.token for record in library.catalog().checkpoints()]
    try:
        for token in tokens:
            library.server(address).remove(token)
    except LibraryError as error:
        named = " and ".join(collection_name(token) for token in tokens)
        listener.said(f"the library no longer uses {named} of {address}; drop them there ({error})")
