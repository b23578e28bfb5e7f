"""What the operations on one opened library share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from sigseek.errors import ErrorKind, StoppedError
from sigseek.operations.checkpoint import LibraryCheckpoint
from sigseek.operations.lazy import Lazy
from sigseek.operations.location import LibraryLocation
from sigseek.operations.model import ModelInUse
from sigseek.operations.photo_files import PhotoFiles
from sigseek.operations.questions import Questions
from sigseek.operations.searcher import SearcherInUse
from sigseek.progress import Listener
from sigseek.storage.errors import LibraryError

if TYPE_CHECKING:
    from sigseek.operations.completion_values import CompletionValues
    from sigseek.operations.thumbnails import Thumbnails

_Answer = TypeVar("_Answer")


class OpenedLibrary:
    """A library's directory, and what was loaded to use it. Several threads may use it.

    Nothing is loaded before it is needed. `listener` is told of whatever takes long by the calls
    that have no listener of their own.
    """

    def __init__(
        self,
        directory: LibraryLocation,
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
        self.questions = Questions()
        self._thumbnails: Lazy[Thumbnails] = Lazy()
        self._completion_values: Lazy[CompletionValues] = Lazy()

    @property
    def thumbnails(self) -> Thumbnails:
        """Return what gives the thumbnails of the library's photos. Few searches need any."""
        return self._thumbnails.get(self._open_thumbnails)

    def _open_thumbnails(self) -> Thumbnails:
        from sigseek.operations.thumbnails import Thumbnails

        return Thumbnails(self.directory, self.photo_files)

    @property
    def completion_values(self) -> CompletionValues:
        """Return what keeps the values that queries are completed with. Few programs need any."""
        return self._completion_values.get(self._keep_completion_values)

    def _keep_completion_values(self) -> CompletionValues:
        from sigseek.operations.completion_values import CompletionValues

        return CompletionValues(self.directory)

    def go_on_with_last_named(self) -> None:
        """Use the checkpoint that an indexing run goes on with, unless one was asked for."""
        self._follow(self.model.go_on_with_last_named())

    def answer(self, question: Callable[[], _Answer]) -> _Answer:
        """Return what `question` gets, all of it by one checkpoint: the one that is asked for, or
        the library's default as it is now.

        When another thread goes over to another checkpoint in the middle, the question is asked
        again.
        """
        with self.questions.one_more():
            return self._answer(question)

    def _answer(self, question: Callable[[], _Answer]) -> _Answer:
        self._follow_default()
        repeated = False
        while True:
            changes = self.model.changes()
            try:
                answer = question()
            except StoppedError:
                raise
            except Exception as error:
                # The checkpoint may have been removed just now, and may even be back already.
                changed = self._follow_default() or self.model.changes() != changes
                if not changed and (repeated or not _tells_of_absence(error)):
                    raise
                repeated = repeated or not changed
            else:
                if self.model.changes() == changes:
                    return answer

    def _follow_default(self) -> bool:
        """Use the library's default checkpoint, unless one was asked for, and return whether
        another one was in use.
        """
        return self._follow(self.model.go_on_with_default())

    def _follow(self, changed: bool) -> bool:
        """End the processes that resize photos for the checkpoint of before, if it `changed`, and
        return whether it did.
        """
        if changed:
            self.photo_files.close()
        return changed

    def close(self) -> None:
        """Release the catalog's file and end the processes that decode photos."""
        for values in self._completion_values.clear():
            values.close()
        self.directory.close()
        self.searcher.close()
        self.photo_files.close()
        for thumbnails in self._thumbnails.clear():
            thumbnails.close()


def _tells_of_absence(error: Exception) -> bool:
    """Return whether the error says that the library lacks what was asked for."""
    return isinstance(error, LibraryError) and error.kind is ErrorKind.NOT_FOUND
