"""sigseek finds photos by what is in them.

import sigseek

library = sigseek.open("~/Pictures/.sigseek", model="google/siglip-base-patch16-224")
library.index("~/Pictures")
for hit in library.search("two cats on a sofa", limit=5):
    print(hit.score, hit.path)
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# `search`, `storage` and the other rooms are links in this folder. Where git may not make links, as
# on Windows by default, it writes text files: then the rooms are found at the top of the repository.
if (Path(__path__[0]) / "storage").is_file():
    __path__.append(str(Path(__path__[0]).parent))

if TYPE_CHECKING:
    from sigseek.errors import ErrorKind as ErrorKind
    from sigseek.errors import SigseekError as SigseekError
    from sigseek.evaluation.captions import CaptionsError as CaptionsError
    from sigseek.indexer import IndexReport as IndexReport
    from sigseek.indexer.errors import DecodeError as DecodeError
    from sigseek.indexer.errors import FolderError as FolderError
    from sigseek.library import Library as Library
    from sigseek.library import open_library as open  # noqa: A004, F401 - as in `sigseek.open`
    from sigseek.operations.status import Status as Status
    from sigseek.operations.tags import TagCount as TagCount
    from sigseek.operations.watch import WatchEvent as WatchEvent
    from sigseek.progress import Listener as Listener
    from sigseek.progress import Phase as Phase
    from sigseek.progress import Problem as Problem
    from sigseek.progress import Progress as Progress
    from sigseek.progress import Stop as Stop
    from sigseek.search.calibration import Calibration as Calibration
    from sigseek.search.classify import Classification as Classification
    from sigseek.search.errors import CalibrationError as CalibrationError
    from sigseek.search.errors import QueryError as QueryError
    from sigseek.search.errors import QuerySyntaxError as QuerySyntaxError
    from sigseek.search.labels import Label as Label
    from sigseek.search.results import Hit as Hit
    from sigseek.search.results import SearchResults as SearchResults
    from sigseek.search.results import SimilarHit as SimilarHit
    from sigseek.siglip.errors import CheckpointError as CheckpointError
    from sigseek.storage.errors import LibraryError as LibraryError

# Loaded when first asked for: `import sigseek` alone, as the command line does, stays fast.
_HOMES = {
    "open": ("sigseek.library", "open_library"),
    "Library": ("sigseek.library", "Library"),
    "Status": ("sigseek.operations.status", "Status"),
    "Hit": ("sigseek.search.results", "Hit"),
    "SearchResults": ("sigseek.search.results", "SearchResults"),
    "SimilarHit": ("sigseek.search.results", "SimilarHit"),
    "Classification": ("sigseek.search.classify", "Classification"),
    "Calibration": ("sigseek.search.calibration", "Calibration"),
    "TagCount": ("sigseek.operations.tags", "TagCount"),
    "WatchEvent": ("sigseek.operations.watch", "WatchEvent"),
    "Label": ("sigseek.search.labels", "Label"),
    "IndexReport": ("sigseek.indexer", "IndexReport"),
    "Listener": ("sigseek.progress", "Listener"),
    "Phase": ("sigseek.progress", "Phase"),
    "Problem": ("sigseek.progress", "Problem"),
    "Progress": ("sigseek.progress", "Progress"),
    "Stop": ("sigseek.progress", "Stop"),
    "CalibrationError": ("sigseek.search.errors", "CalibrationError"),
    "QueryError": ("sigseek.search.errors", "QueryError"),
    "QuerySyntaxError": ("sigseek.search.errors", "QuerySyntaxError"),
    "CaptionsError": ("sigseek.evaluation.captions", "CaptionsError"),
    "CheckpointError": ("sigseek.siglip.errors", "CheckpointError"),
    "DecodeError": ("sigseek.indexer.errors", "DecodeError"),
    "FolderError": ("sigseek.indexer.errors", "FolderError"),
    "LibraryError": ("sigseek.storage.errors", "LibraryError"),
    "UnknownTagError": ("sigseek.search.errors", "UnknownTagError"),
    "SigseekError": ("sigseek.errors", "SigseekError"),
    "ErrorKind": ("sigseek.errors", "ErrorKind"),
}
__all__ = [*_HOMES, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'sigseek' has no attribute '{name}'")
    module, attribute = _HOMES[name]
    return getattr(import_module(module), attribute)
