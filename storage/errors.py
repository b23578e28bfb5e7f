"""What can go wrong with a library."""

from sigseek.errors import SigseekError


class LibraryError(SigseekError):
    """A library that cannot be opened, read or written."""
