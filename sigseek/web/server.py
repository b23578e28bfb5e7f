"""The server: it listens on one address and answers until it is told to stop."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import ipaddress
import logging
import re
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from sigseek.errors import ErrorKind, Option, Remedy, SigseekError
from sigseek.library import Library
from sigseek.web.app import make_app
from sigseek.web.context import is_loopback
from sigseek.web.security import MOST_HEAD_BYTES
from sigseek.web.settings import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI

_HOST_NAME = re.compile(r"[\w.-]+", re.ASCII)
_HEAD_SECONDS = 15.0
"""How long the head of a request may take to arrive."""
_MOST_CONNECTIONS = 2_000
"""Connections beyond these are answered with 503 at once."""
_FILES_ON_MACOS = 10_240
"""OPEN_MAX of macOS, the most files that a process may have open there."""
_MOST_ARENAS = -8
"""The number of the option of glibc's `mallopt` that limits arenas."""
_END_SECONDS = 2
"""How long answers that are under way may take when the server ends."""


def serve(library: Library, settings: Settings, ready: Callable[[str], None]) -> None:
    """Answer requests about the library until SIGINT or SIGTERM comes.

    `ready` is called with the address of the page once the server listens. Raises SigseekError when
    it cannot listen, or when it would let everybody on the network in.
    """
    _check(settings)
    listening = _listen(settings)
    with listening:
        settings_in_use = _with_port(settings, listening)
        app = make_app(library, settings_in_use)
        ready(address(settings_in_use))
        _allow_files()
        _share_memory()
        _Server(_config(app, settings.proxies), app).run(sockets=[listening])


def address(settings: Settings) -> str:
    """Return the address of the page, as a person opens it on this machine."""
    host = settings.host
    if host in ("0.0.0.0", "::", ""):
        host = "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}/"


def _check(settings: Settings) -> None:
    if settings.token is None and not is_loopback(settings.host):
        raise SigseekError(
            f"everybody on the network could see the photos at {settings.host}",
            Remedy("let in only those who know a word: {}", (Option("token", "TOKEN"),)),
        )
    if settings.token is None and settings.allowed_hosts:
        raise SigseekError(
            f"everybody who reaches {settings.allowed_hosts[0]} could see the photos",
            Remedy("let in only those who know a word: {}", (Option("token", "TOKEN"),)),
        )
    if settings.token is not None and not settings.token.strip():
        raise SigseekError(
            "the token is empty", Remedy("give {} a text", (Option("token", "TOKEN"),))
        )
    for name in settings.allowed_hosts:
        if not _is_host(name):
            raise SigseekError(
                f"{name} is not the name of a host",
                Remedy(
                    "give {} a name such as photos.example.org, without a port",
                    (Option("allowed_hosts"),),
                ),
            )
    for proxy in settings.proxies:
        try:
            ipaddress.ip_network(proxy)
        except ValueError as error:
            raise SigseekError(
                f"{proxy} is not the address of a proxy ({error})",
                Remedy(
                    "give {} an address such as 10.0.0.5, or a network such as 10.0.0.0/24",
                    (Option("proxies"),),
                ),
            ) from error


def _is_host(name: str) -> bool:
    """Return whether it is a name or an address, as a request has it without the port."""
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return _HOST_NAME.fullmatch(name) is not None
    return True


def _listen(settings: Settings) -> socket.socket:
    """Return a socket that listens on the address. Raises SigseekError where that is impossible."""
    host, port = settings.host.strip("[]"), settings.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends an answer's body at once only where the socket names its protocol. Otherwise it
    # would wait 40 ms for the other side to acknowledge the head.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # With it, a server that is started again need not wait for old connections. On Windows,
        # which waits for none, it would let two servers listen on one port.
        if sys.platform != "win32":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(2048)
    except (OSError, OverflowError) as error:
        listening.close()
        raise _cannot_listen(host, port, error) from error
    return listening


def _cannot_listen(host: str, port: int, error: Exception) -> SigseekError:
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EADDRINUSE:
        return SigseekError(
            f"port {port} is taken, perhaps by another sigseek serve",
            Remedy("choose another one: {}", (Option("port", port + 1 if port < 65535 else 7334),)),
            ErrorKind.BUSY,
        )
    if number in (errno.EACCES, errno.EPERM):
        return SigseekError(
            f"this user may not listen on port {port}",
            Remedy("choose one above 1023: {}", (Option("port", 7333),)),
        )
    return SigseekError(
        f"{host} is not an address of this machine",
        Remedy("listen on this machine alone: {}", (Option("host", "127.0.0.1"),)),
    )


def _with_port(settings: Settings, listening: socket.socket) -> Settings:
    """Return the settings with the port that the system chose where 0 was asked for."""
    from dataclasses import replace

    return replace(settings, port=listening.getsockname()[1])


def _allow_files() -> None:
    """Let the process open as many connections and files as the system allows it."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):
        # macOS says that there is no limit, and then allows no more than this.
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, _FILES_ON_MACOS), hard))


def _share_memory() -> None:
    """Have all threads take memory from two arenas of glibc. Otherwise up to eight for each
    processor come into being one after the other, and the server grows for thousands of requests.
    """
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (OSError, TypeError, AttributeError):  # another C library
        return
    set_option(_MOST_ARENAS, 2)


def _config(app: FastAPI, proxies: Sequence[str] = ()) -> uvicorn.Config:
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    return uvicorn.Config(
        app,
        http=_Protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        # Anybody could claim to be elsewhere, so only known proxies are believed.
        proxy_headers=bool(proxies),
        forwarded_allow_ips=_addresses_of(proxies),
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=_END_SECONDS,
        limit_concurrency=_MOST_CONNECTIONS,
        h11_max_incomplete_event_size=MOST_HEAD_BYTES,
    )


def _addresses_of(proxies: Sequence[str]) -> list[str]:
    """Return the proxies' addresses and networks in all forms in which connections show them."""
    networks = map(ipaddress.ip_network, proxies)
    # A socket that listens on :: shows 10.0.0.5 as ::ffff:10.0.0.5.
    mapped = [
        f"::ffff:{network.network_address}/{96 + network.prefixlen}"
        for network in networks
        if network.version == 4
    ]
    return [*proxies, *mapped]


class _Protocol(H11Protocol):
    """Closes connections that do not send a whole head in time; uvicorn would wait forever."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._deadline:
            self._deadline.cancel()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Wait for a head while no request is being answered."""
        answering = self.cycle is not None and not self.cycle.response_complete
        if answering and self._deadline:
            self._deadline.cancel()
            self._deadline = None
        elif not answering and not self._deadline:
            self._deadline = self.loop.call_later(_HEAD_SECONDS, self._give_up)

    def _give_up(self) -> None:
        self._deadline = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()


class _Server(uvicorn.Server):
    """Ends at the first signal, and stops what the library is doing for requests."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End, and let nothing that takes long go on."""
        self.should_exit = True
        self._app.state.stop.set()
        # Streams of events would otherwise never end.
        self.force_exit = True

    async def shutdown(self, sockets: Any = None) -> None:
        """End what is left after a moment."""
        await super().shutdown(sockets)
        await self.lifespan.shutdown()
