"""All that sigseek raises on purpose, each with one line that says what was found and what to do.

    Exception
    ├── CheckpointError     a checkpoint that cannot be found, read or used
    ├── LibraryError        a library that cannot be opened, read or written
    ├── FolderError         a folder that cannot be indexed
    ├── DecodeError         a photo, named by the caller, that gives no picture
    ├── QueryError          a query that cannot be answered
    │   ├── QuerySyntaxError    one that cannot be read: it knows the column
    │   └── UnknownTagError     a tag that no photo has
    ├── CaptionsError       captions, to measure with, that cannot be used
    └── CalibrationError    captions or constants that no calibration can be had from

`ERRORS` holds them all, for one `except`.
"""

from sigseek.evaluation.captions import CaptionsError
from sigseek.indexer import DecodeError, FolderError
from sigseek.search.errors import CalibrationError, QueryError, QuerySyntaxError, UnknownTagError
from sigseek.siglip import CheckpointError
from sigseek.storage import LibraryError

ERRORS = (
    CheckpointError,
    LibraryError,
    FolderError,
    DecodeError,
    QueryError,
    CaptionsError,
    CalibrationError,
)

__all__ = [
    "ERRORS",
    "CalibrationError",
    "CaptionsError",
    "CheckpointError",
    "DecodeError",
    "FolderError",
    "LibraryError",
    "QueryError",
    "QuerySyntaxError",
    "UnknownTagError",
]
