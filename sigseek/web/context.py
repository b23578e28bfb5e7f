"""What every route needs: the library, the settings, and who is asking."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from typing import Annotated, TypeAlias

from fastapi import Depends, Request

from sigseek.library import Library
from sigseek.progress import Stop
from sigseek.web.settings import Settings

StrPath: TypeAlias = "str | os.PathLike[str]"

_FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
"""Headers that a proxy adds, behind which the caller may be anywhere."""


def library_of(request: Request) -> Library:
    """Return the library that the server answers from."""
    library: Library = request.app.state.library
    return library


def settings_of(request: Request) -> Settings:
    """Return the settings of the server."""
    settings: Settings = request.app.state.settings
    return settings


def sees_paths(request: Request) -> bool:
    """Return whether the caller may see absolute paths: everybody with --show-paths, else callers
    on this machine.
    """
    settings = settings_of(request)
    if settings.show_paths:
        return True
    if request.client is None or any(name in request.headers for name in _FORWARDED):
        return False
    # Some proxies on this machine add no header, but they pass on the name that people type.
    return (
        is_loopback(request.client.host) and request.url.hostname not in settings.names_of_proxies
    )


def is_loopback(host: str) -> bool:
    """Return whether an address can only be reached from this machine."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def named_photos(request: Request) -> Mapping[str, StrPath]:
    """Return the pictures that queries may name: those that were uploaded."""
    named: Mapping[str, StrPath] = request.app.state.named_photos
    return named


def stop_of(request: Request) -> Stop:
    """Return the token that is set when the server ends, or when the caller of a request that took
    a turn goes away.
    """
    stop: Stop = getattr(request.state, "stop", request.app.state.stop)
    return stop


# FastAPI has a thread run every dependency that is not a coroutine. That would take longer than
# these do.
async def _library(request: Request) -> Library:
    return library_of(request)


async def _settings(request: Request) -> Settings:
    return settings_of(request)


LibraryInUse = Annotated[Library, Depends(_library)]
SettingsInUse = Annotated[Settings, Depends(_settings)]
