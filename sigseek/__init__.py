"""Search your photos by text or by example, on your own machine.

    import sigseek

    library = sigseek.open("~/Pictures/.sigseek", model="google/siglip-base-patch16-224")
    library.index("~/Pictures")
    for hit in library.search("two cats on a sofa", limit=5):
        print(hit.probability, hit.path)

What is skipped or given up on the way is logged to the logger "sigseek".
"""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sigseek.deferred import load_from

if TYPE_CHECKING:
    from sigseek.errors import (
        Call,
        Command,
        ErrorKind,
        Option,
        Remedy,
        SigseekError,
        StoppedError,
    )
    from sigseek.evaluation.captions import (
        CaptionedPicture,
        CaptionedPictures,
        CaptionProblem,
        CaptionsError,
    )
    from sigseek.indexer import DecodeError, FolderError, IndexReport
    from sigseek.indexer.errors import DecoderError, PatternError
    from sigseek.indexer.preview import ListedFile
    from sigseek.library import Library
    from sigseek.library import open_library as open  # noqa: A004 - as in `sigseek.open`
    from sigseek.operations.completion import Completion, Suggestion
    from sigseek.operations.facets import Facet, Facets
    from sigseek.operations.forgetting import Forgotten, ForgottenCheckpoint
    from sigseek.operations.layout import Layout
    from sigseek.operations.models import ListedCheckpoint, models
    from sigseek.operations.originals import FileOfPhoto
    from sigseek.operations.relocating import Relocated
    from sigseek.operations.status import CheckpointStatus, FolderStatus, Status
    from sigseek.operations.system_folders import SystemFolderError
    from sigseek.operations.tags import TagCount
    from sigseek.operations.thumbnails import Thumbnail
    from sigseek.operations.verify import VerifyReport
    from sigseek.operations.watch import WatchEvent
    from sigseek.progress import Listener, Phase, Problem, Progress, Stop
    from sigseek.search.calibration import Calibration
    from sigseek.search.classify import Classification, LabelScore
    from sigseek.search.duplicates.results import (
        DuplicateGroup,
        DuplicateKind,
        DuplicatePhoto,
        Duplicates,
    )
    from sigseek.search.errors import (
        CalibrationError,
        FactError,
        QueryError,
        QuerySyntaxError,
        UnknownTagError,
    )
    from sigseek.search.labels import Label
    from sigseek.search.results import (
        Hit,
        JudgedTerm,
        Order,
        PhotoHit,
        SearchResults,
        SimilarHit,
    )
    from sigseek.search.verdicts import JudgedBy, Verdict
    from sigseek.siglip import Checkpoint, CheckpointError
    from sigseek.siglip.yardstick.embeddings import Yardstick
    from sigseek.storage import CheckpointRecord, LibraryError
    from sigseek.storage.facets import FacetKind
    from sigseek.storage.records import (
        DamagedFile,
        FailureKind,
        LibraryFailure,
        PhotoTag,
        PictureRecord,
        SkippedFile,
    )
    from sigseek.storage.verification import VerifyProblem

__version__ = "0.1.0"

# `search`, `storage` and the other rooms are links in this folder. Where git may not make links, as
# on Windows by default, it writes text files. Then the rooms are found at the top of the
# repository.
if (Path(__path__[0]) / "storage").is_file():
    __path__.append(str(Path(__path__[0]).parent))

__all__ = [
    "Calibration",
    "CalibrationError",
    "Call",
    "CaptionProblem",
    "CaptionedPicture",
    "CaptionedPictures",
    "CaptionsError",
    "Checkpoint",
    "CheckpointError",
    "CheckpointRecord",
    "CheckpointStatus",
    "Classification",
    "Command",
    "Completion",
    "DamagedFile",
    "DecodeError",
    "DecoderError",
    "DuplicateGroup",
    "DuplicateKind",
    "DuplicatePhoto",
    "Duplicates",
    "ErrorKind",
    "Facet",
    "FacetKind",
    "Facets",
    "FactError",
    "FailureKind",
    "FileOfPhoto",
    "FolderError",
    "FolderStatus",
    "Forgotten",
    "ForgottenCheckpoint",
    "Hit",
    "IndexReport",
    "JudgedBy",
    "JudgedTerm",
    "Label",
    "LabelScore",
    "Layout",
    "Library",
    "LibraryError",
    "LibraryFailure",
    "ListedCheckpoint",
    "ListedFile",
    "Listener",
    "Option",
    "Order",
    "PatternError",
    "Phase",
    "PhotoHit",
    "PhotoTag",
    "PictureRecord",
    "Problem",
    "Progress",
    "QueryError",
    "QuerySyntaxError",
    "Relocated",
    "Remedy",
    "SearchResults",
    "SigseekError",
    "SimilarHit",
    "SkippedFile",
    "Status",
    "Stop",
    "StoppedError",
    "Suggestion",
    "SystemFolderError",
    "TagCount",
    "Thumbnail",
    "UnknownTagError",
    "Verdict",
    "VerifyProblem",
    "VerifyReport",
    "WatchEvent",
    "Yardstick",
    "__version__",
    "models",
    "open",
]

_MODULES = {
    "sigseek.errors": (
        "Call",
        "Command",
        "ErrorKind",
        "Option",
        "Remedy",
        "SigseekError",
        "StoppedError",
    ),
    "sigseek.evaluation.captions": (
        "CaptionedPicture",
        "CaptionedPictures",
        "CaptionProblem",
        "CaptionsError",
    ),
    "sigseek.indexer": ("DecodeError", "FolderError", "IndexReport"),
    "sigseek.indexer.errors": ("DecoderError", "PatternError"),
    "sigseek.indexer.preview": ("ListedFile",),
    "sigseek.library": ("Library", "open"),
    "sigseek.operations.completion": ("Completion", "Suggestion"),
    "sigseek.operations.facets": ("Facet", "Facets"),
    "sigseek.operations.forgetting": ("Forgotten", "ForgottenCheckpoint"),
    "sigseek.operations.models": ("ListedCheckpoint", "models"),
    "sigseek.operations.layout": ("Layout",),
    "sigseek.operations.originals": ("FileOfPhoto",),
    "sigseek.operations.relocating": ("Relocated",),
    "sigseek.operations.status": ("CheckpointStatus", "FolderStatus", "Status"),
    "sigseek.operations.system_folders": ("SystemFolderError",),
    "sigseek.operations.tags": ("TagCount",),
    "sigseek.operations.thumbnails": ("Thumbnail",),
    "sigseek.operations.verify": ("VerifyReport",),
    "sigseek.operations.watch": ("WatchEvent",),
    "sigseek.progress": ("Listener", "Phase", "Problem", "Progress", "Stop"),
    "sigseek.search.calibration": ("Calibration",),
    "sigseek.search.classify": ("Classification", "LabelScore"),
    "sigseek.search.duplicates.results": (
        "DuplicateGroup",
        "DuplicateKind",
        "DuplicatePhoto",
        "Duplicates",
    ),
    "sigseek.search.errors": (
        "CalibrationError",
        "FactError",
        "QueryError",
        "QuerySyntaxError",
        "UnknownTagError",
    ),
    "sigseek.search.labels": ("Label",),
    "sigseek.search.results": (
        "Hit",
        "JudgedTerm",
        "Order",
        "PhotoHit",
        "SearchResults",
        "SimilarHit",
    ),
    "sigseek.search.verdicts": ("JudgedBy", "Verdict"),
    "sigseek.siglip": ("Checkpoint", "CheckpointError"),
    "sigseek.siglip.yardstick.embeddings": ("Yardstick",),
    "sigseek.storage": ("CheckpointRecord", "LibraryError"),
    "sigseek.storage.facets": ("FacetKind",),
    "sigseek.storage.records": (
        "DamagedFile",
        "FailureKind",
        "LibraryFailure",
        "PhotoTag",
        "PictureRecord",
        "SkippedFile",
    ),
    "sigseek.storage.verification": ("VerifyProblem",),
}
"""Where each public name is defined. A module is loaded when one of its names is first asked for,
so that `import sigseek` alone, as the command line does, stays fast.
"""
_HOMES = {name: module for module, names in _MODULES.items() for name in names}

logging.getLogger("sigseek").addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'sigseek' has no attribute '{name}'")
    value = load_from(_HOMES[name], "open_library" if name == "open" else name)
    globals()[name] = value  # asked for once only
    return value


def __dir__() -> list[str]:
    return __all__
