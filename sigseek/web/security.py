"""What every request must fulfil before a route sees it, and headers of every answer.

A web page of somebody else, open in the same browser, can send requests to this server. It must not
be able to read an answer or to change anything:

- Its name for this machine is not among the known hosts (DNS rebinding).
- It cannot send the header X-Sigseek with a change, because the browser would have to ask first.
- The browser tells with Sec-Fetch-Site and Origin that the request is of another page.
"""

from __future__ import annotations

import ipaddress
import json
import logging
import socket
from typing import Any
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sigseek.web.bodies import FORM_SECONDS, MOST_BYTES, SECONDS, BoundedBody, too_large
from sigseek.web.methods import WITHOUT_HEAD
from sigseek.web.problems import RequestError
from sigseek.web.settings import Settings
from sigseek.web.tokens import Tokens

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
CHANGES = ("POST", "PUT", "PATCH", "DELETE")
"""Methods of requests that need the header X-Sigseek, but for the login."""
LOGIN = "/api/v1/login"
_OPEN = ("/login", LOGIN, "/api/v1/health/live", "/api/v1/health/ready")
"""What is answered without a token. Whoever has none is told little by the last one."""
_TAKE_FILES = ("/api/v1/uploads", "/api/v1/classify", "/api/v1/embed", "/api/v1/similar")
"""What takes forms with files."""
_OF_PAGE = ("/", "/login")
"""Addresses that a link on another site may lead to."""
_OF_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")
_EVERY_ADDRESS = ("0.0.0.0", "::", "")
MOST_HEAD_BYTES = 32 * 1024
"""The most bytes that the headers and the query of a request may have."""
_FROM_HERE = "ask from this server's own page, or from a program that is no browser"
_LOG = logging.getLogger("sigseek.web.access")
_MISTAKES = logging.getLogger("sigseek.web")


class Guard:
    """Refuses requests that may not be answered, and adds the headers of security to answers."""

    def __init__(self, app: ASGIApp, settings: Settings, tokens: Tokens) -> None:
        self._app = app
        self._settings = settings
        self._tokens = tokens
        own = socket.gethostname().lower()
        self._own_names = (*_OF_THIS_MACHINE, own, f"{own}.local")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return

        has_begun = False

        async def send_safely(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                headers = MutableHeaders(raw=message["headers"])
                message["headers"] = headers.raw
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-cache")
                if self._settings.access_log:
                    _log(scope, message["status"])
            await send(message)

        try:
            self._check(scope, Headers(scope=scope))
        except RequestError as error:
            await _refuse(error, send_safely)
        else:
            if scope["method"] == "HEAD" and not scope["path"].startswith(WITHOUT_HEAD):
                # The server sends no body to a HEAD, whatever the app gives it.
                scope = {**scope, "method": "GET"}
            try:
                await self._app(scope, self._bounded(scope, receive), send_safely)
            except Exception:
                if has_begun:
                    raise
                _MISTAKES.exception("a request failed")
                await _refuse(_mistake(), send_safely)

    def _check(self, scope: Scope, headers: Headers) -> None:
        """Raise RequestError for a request that may not be answered."""
        _check_size(scope)
        self._check_host(headers)
        _check_page(scope, headers)
        if scope["method"] in CHANGES:
            _check_change(scope, headers)
        if self._tokens.needed:
            self._check_token(scope, headers)
        length = headers.get("content-length", "")
        most = self._most_bytes(scope)
        if length.isdecimal() and int(length) > most:
            raise too_large(most)

    def _bounded(self, scope: Scope, receive: Receive) -> Receive:
        """Return what receives a request, and no more of its body than it may have."""
        if scope["method"] not in CHANGES:  # no route reads a body then
            return receive
        seconds = FORM_SECONDS if _has_files(scope) else SECONDS
        return BoundedBody(receive, self._most_bytes(scope), seconds).receive

    def _most_bytes(self, scope: Scope) -> int:
        return self._settings.max_upload_bytes if _has_files(scope) else MOST_BYTES

    def _check_host(self, headers: Headers) -> None:
        """Refuse names for this machine that nobody gave it, which is how DNS rebinding shows."""
        names = headers.getlist("host")
        if len(names) == 1 and self._is_known(names[0]):
            return
        named = f"'{names[0][:100]}'" if names else "no host"
        raise RequestError(
            421,
            f"the request is for {named}, which is not this server",
            (
                "use the name or an address of the server's machine"
                if self._settings.host in _EVERY_ADDRESS
                else f"use the address that the server was started with: {self._settings.host}"
            )
            + "; for the name of a proxy, start the server with --allowed-host",
        )

    def _is_known(self, host: str) -> bool:
        try:
            name, port = urlsplit(f"//{host}").hostname, urlsplit(f"//{host}").port
        except ValueError:
            return False
        if name is None or "@" in host or "/" in host:
            return False
        if name in self._settings.names_of_proxies:  # whatever the port: it is the proxy's
            return True
        given = self._settings.host.strip("[]").lower()
        if (
            given in _EVERY_ADDRESS
        ):  # this machine's name and addresses, but no name of a DNS server
            is_own = name in self._own_names or _is_address(name)
            return is_own and port in (None, self._settings.port)
        return name in (*_OF_THIS_MACHINE, given) and port in (None, 80, self._settings.port)

    def _check_token(self, scope: Scope, headers: Headers) -> None:
        """Let in who has logged in or presents the token."""
        path: str = scope["path"]
        if path in _OPEN or path.startswith("/page/"):
            return
        if is_let_in(self._tokens, scope, headers):
            return
        if path == "/" and not _bearer(headers):
            raise RequestError(
                303,
                "the token is missing",
                "log in at /login",
                headers={"Location": _login_for(scope)},
            )
        raise RequestError(
            401,
            "the token is missing or wrong",
            "send it as Authorization: Bearer TOKEN, or log in at /login",
            headers={"WWW-Authenticate": "Bearer"},
        )


def is_let_in(tokens: Tokens, scope: Scope, headers: Headers) -> bool:
    """Return whether the caller has logged in, presents the token, or needs none. Raises
    RequestError for an address that has presented too many wrong ones.
    """
    if not tokens.needed or tokens.knows(login_of(headers, tokens)):
        return True
    presented = _bearer(headers)
    if presented is None:
        return False
    check_tries(tokens, address_of(scope))
    return tokens.fits(presented, address_of(scope))


def _bearer(headers: Headers) -> str | None:
    """Return the token that the caller presents in a header; None where there is none."""
    scheme, _, presented = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return None
    return presented.strip().encode("latin-1").decode("utf-8", "replace")


def _login_for(scope: Scope) -> str:
    """Return the address of the login form, which leads back to what a link told."""
    query = scope["query_string"].decode("latin-1")
    return f"/login?{query}" if query else "/login"


def address_of(scope: Scope) -> str:
    """Return the address of whoever asks. All addresses of an IPv6 network of 64 bits count as
    one.
    """
    client = scope.get("client")
    host = client[0] if client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(address), 64), strict=False))


def check_tries(tokens: Tokens, address: str) -> None:
    """Raise RequestError for an address that has presented too many wrong tokens."""
    seconds = tokens.seconds_to_wait(address)
    if seconds:
        raise RequestError(
            429,
            "too many wrong tokens came from this address",
            f"wait for {seconds} seconds",
            headers={"Retry-After": str(seconds)},
        )


def login_of(headers: Headers, tokens: Tokens) -> str:
    """Return the value of the cookie that a login set; "" without one."""
    # Cookies of other programs on this machine come along, whatever is in them.
    return cookie_parser(headers.get("cookie", "")).get(tokens.cookie, "")


def _check_size(scope: Scope) -> None:
    """Refuse a head that is too large. The HTTP parser limits only heads that come in parts."""
    size = len(scope["query_string"]) + sum(
        len(name) + len(value) for name, value in scope["headers"]
    )
    if size > MOST_HEAD_BYTES:
        raise RequestError(
            431, "the request's head is too large", f"send at most {MOST_HEAD_BYTES:,} bytes"
        )


def _check_page(scope: Scope, headers: Headers) -> None:
    """Refuse what a page of another site asks for, unless it is a link to our page."""
    site = headers.get("sec-fetch-site", "none")
    if site in ("none", "same-origin"):
        return
    is_link = headers.get("sec-fetch-mode") == "navigate" and scope["path"] in _OF_PAGE
    if not is_link or scope["method"] != "GET":
        raise RequestError(403, "another site's page may not ask this server", _FROM_HERE)


def _check_change(scope: Scope, headers: Headers) -> None:
    """Refuse a change unless it is of our page, or of a program."""
    origin = headers.get("origin")
    if origin is not None:
        scheme, _, host = origin.partition("://")
        if scheme not in ("http", "https") or host != headers.get("host"):
            raise RequestError(403, "another site's page may not change anything here", _FROM_HERE)
    if scope["path"] != LOGIN and headers.get("x-sigseek") != "1":
        raise RequestError(
            403, "changes need a header that other pages cannot send", "send X-Sigseek: 1"
        )


def _has_files(scope: Scope) -> bool:
    kind = Headers(scope=scope).get("content-type", "").lower()
    return scope["path"] in _TAKE_FILES and kind.startswith("multipart/")


def _mistake() -> RequestError:
    """Return what a caller is told of an exception that nobody expected."""
    return RequestError(
        500, "the request failed", "it is a mistake in sigseek; its log has the details"
    )


async def _refuse(error: RequestError, send: Any) -> None:
    body = json.dumps(error.fields()).encode()
    headers = {
        "Content-Type": "application/problem+json",
        "Content-Length": str(len(body)),
        "Cache-Control": "no-store",
        # What is left of the request's body would be taken for the next request.
        "Connection": "close",
        **(error.headers or {}),
    }
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": error.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


def _is_address(name: str) -> bool:
    return ":" in name or name.replace(".", "").isdigit()


def _log(scope: Scope, status: int) -> None:
    query = scope["query_string"].decode("ascii", "replace")
    path = quote(scope["path"])  # a line break in it would look like another request
    target = f"{path}?{query}" if query else path
    _LOG.info("%s %s %s %d", (scope.get("client") or ("-",))[0], scope["method"], target, status)
