"""What can be wrong with folders and photos.

Imports nothing of ours but the ground: the processes that decode import this, and do without
SQLAlchemy. `sigseek.indexer.failures` tells which kind of failure each of these is in the catalog.
"""

from sigseek.errors import ErrorKind, SigseekError


class DecodeError(SigseekError):
    """A file that gives no picture. The message is the reason, in words for people."""

    kind = ErrorKind.DAMAGED


class UnsupportedError(DecodeError):
    """A file of a format that is not read."""

    kind = ErrorKind.UNSUPPORTED


class UndecidedError(DecodeError):
    """A file that gave no picture this time, though it may be fine: decoding was ended from
    outside, could not start, or was refused by a limit. The subclasses tell these apart.
    """

    kind = ErrorKind.UNAVAILABLE


class ChangedError(UndecidedError):
    """A file that was written to while it was read."""


class SlowError(DecodeError):
    """A file that takes too long to read or to decode. The disk or the network may be why."""

    kind = ErrorKind.UNAVAILABLE


class SilentDiskError(SlowError):
    """A disk that does not answer, as that of a network mount whose server is gone."""


class TooLargeError(UndecidedError):
    """A picture, or a file, that is larger than a limit."""

    kind = ErrorKind.UNSUPPORTED

    def __init__(self, found: str, pixels: int | None = None) -> None:
        """`pixels` is the picture's size where the limit is one of pixels, else None."""
        super().__init__(found)
        self.args = (found, pixels)  # from which pickle makes the error again
        self.pixels = pixels


class DecoderError(SigseekError):
    """No process that decodes photos can be started, so none of them says anything."""

    kind = ErrorKind.UNAVAILABLE


class LargePhotoError(Exception):
    """A photo of more pixels than the caller wants to decode now."""


class FolderError(SigseekError):
    """A folder that cannot be indexed."""


class PatternError(SigseekError):
    """A pattern that does not say which files are left out, or that is not kept."""
