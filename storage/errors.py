"""What can go wrong with a library."""

from sigseek.errors import SigseekError


class LibraryError(SigseekError):
    """A library that cannot be opened, read or written."""


class NoLibraryError(LibraryError):
    """A database that could hold a library, and that holds nothing."""
