"""What can be wrong with folders and photos."""

from sigseek.errors import SigseekError


class DecodeError(SigseekError):
    """A file that gives no picture. The message is the reason, as a person reads it."""


class UndecidedError(DecodeError):
    """A file that gave no picture this time: it may be fine, or pass with other limits. The next
    run tries it again.
    """


class ChangedError(UndecidedError):
    """A file that is not what it was a moment before."""


class LargePhotoError(Exception):
    """A photo of more pixels than the caller wants to decode now."""


class FolderError(SigseekError):
    """A folder that cannot be indexed. The message says what was found and what to do, in one
    line.
    """
