"""What can go wrong with a library."""

from sigseek.errors import SigseekError


class LibraryError(SigseekError):
    """A library that cannot be opened, read or written. The message says what was found and what to
    do, in one line.
    """
