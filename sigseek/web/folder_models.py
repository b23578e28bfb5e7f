"""The JSON answers about folders and indexing as models, for the API's description in OpenAPI."""

from __future__ import annotations

from typing import Any

from sigseek.operations.forgetting import Forgotten
from sigseek.operations.status import FolderStatus
from sigseek.progress import Progress
from sigseek.web.models import Answer, model_of

Folder = model_of(FolderStatus, "Folder")
ForgottenAnswer = model_of(Forgotten, "ForgottenAnswer")
RunProgress = model_of(Progress, "RunProgress")


class Folders(Answer):
    """The folders of the library."""

    folders: list[Folder]  # type: ignore[valid-type]
    """The folders, by path."""


class Directory(Answer):
    """A directory of the server's machine."""

    name: str
    """Its name; of one that the server was started with, the whole path."""
    path: str
    """Its absolute path."""


class Directories(Answer):
    """Directories that may become folders of the library."""

    path: str | None
    """The directory that holds them; null for those that the server was started with."""
    parent: str | None
    """What to ask for to go up: empty for those that the server was started with; null there."""
    directories: list[Directory]
    """The directories, by name."""


class AddedFolder(Answer):
    """A folder that the next indexing run adds."""

    path: str
    """Its path behind all links."""


class RunState(Answer):
    """Whether the server indexes, and how far it is."""

    running: bool
    """Whether a run goes on."""
    folders: list[str]
    """The folders of the run; empty where it takes all of the library's, and without a run."""
    progress: RunProgress | None  # type: ignore[valid-type]
    """How far the run is; null without a run, and at its beginning."""
    added: list[str]
    """Folders that the next run adds."""
    last: dict[str, Any] | None
    """How the server's last run ended, as the event `finished` tells; null before one has."""
