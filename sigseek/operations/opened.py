"""What the operations on one opened library share."""

from sigseek.operations.checkpoint import LibraryCheckpoint
from sigseek.operations.directory import LibraryDirectory
from sigseek.operations.model import ModelInUse
from sigseek.operations.photo_files import PhotoFiles
from sigseek.operations.searcher import SearcherInUse
from sigseek.progress import Listener


class OpenedLibrary:
    """A library's directory, and what was loaded to use it. Several threads may use it.

    Nothing is loaded before it is needed. `listener` is told of whatever takes long by the calls
    that have no listener of their own.
    """

    def __init__(
        self,
        directory: LibraryDirectory,
        model: str | None,
        device: str,
        precision: str,
        listener: Listener,
    ) -> None:
        self.directory = directory
        self.listener = listener
        self.model = ModelInUse(directory, model, device, precision, listener)
        self.checkpoint = LibraryCheckpoint(directory, self.model)
        self.photo_files = PhotoFiles(directory, self.model, self.checkpoint)
        self.searcher = SearcherInUse(directory, self.model, self.checkpoint)

    def go_on_with_last_named(self) -> None:
        """Use the checkpoint that an indexing run goes on with, unless one was asked for."""
        if self.model.go_on_with_last_named():
            self.photo_files.close()  # its processes resize photos for the checkpoint of before

    def close(self) -> None:
        """Release the catalog's file and end the processes that decode photos of queries."""
        self.directory.close()
        self.searcher.close()
        self.photo_files.close()
