"""What whoever starts the server decides about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sigseek.errors import Step

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 7333


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What whoever starts the server decides about it."""

    host: str = DEFAULT_HOST
    """The address that is listened on."""
    port: int = DEFAULT_PORT
    token: str | None = None
    """What a caller must present, by header or by a login. None lets everybody in who reaches the
    address.
    """
    allowed_hosts: tuple[str, ...] = ()
    """Further names that requests may be for: those that a proxy passes on."""
    proxies: tuple[str, ...] = ()
    """Addresses and networks of proxies, which are believed when they tell where a request comes
    from.
    """
    read_only: bool = False
    """Whether requests that change the library are refused."""
    browse: tuple[Path, ...] = ()
    """The directories below which a caller may choose folders to add."""
    show_paths: bool = False
    """Whether callers on other machines are told absolute paths, too."""
    preload: bool = False
    """Whether the model is loaded when the server starts; without it the first search does."""
    access_log: bool = False
    """Whether each request is logged, with its query."""
    max_upload_bytes: int = 100_000_000
    """The largest file that may be uploaded."""
    max_uploads: int = 32
    """How many uploaded pictures are kept for searches by them."""
    upload_seconds: float = 900.0
    """How long an uploaded picture is kept."""
    spell: Callable[[Step], str] = str
    """How a way out of an error is written for people: as a call in Python, or as a command."""

    @cached_property
    def names_of_proxies(self) -> frozenset[str]:
        """The allowed hosts as they are compared with the host of a request."""
        return frozenset(name.strip("[]").lower() for name in self.allowed_hosts)
