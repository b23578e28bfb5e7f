"""The token that lets callers in, their logins, and a limit to wrong tries.

A login is a cookie that the server has signed with a key made of the token. So it holds for all
servers with this token, and for one that was started again.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import cached_property

LOGIN_SECONDS = 30 * 24 * 3600
"""How long a login lasts."""
_MOST_ENDED = 10_000
"""Logins that are known to have ended by a logout."""
_SALT = b"sigseek login"
_MOST_WRONG = 10
"""Wrong tokens that an address may present within a minute."""
_MINUTE = 60.0
_MOST_ADDRESSES = 10_000


class Tokens:
    """Knows the token and who has logged in. Several threads may use it."""

    def __init__(
        self,
        token: str | None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._token = token
        self._clock = clock
        self._now = now
        self._lock = threading.Lock()
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._wrong: OrderedDict[str, list[float]] = OrderedDict()

    @cached_property
    def cookie(self) -> str:
        """The name of the cookie that a login sets.

        Browsers send a cookie to all ports of a host. So servers with another token have another
        name, and a login at one of them does not end the login at another.
        """
        return f"sigseek-{self._signature('name')[:8]}"

    @property
    def needed(self) -> bool:
        """Whether callers need a token at all."""
        return self._token is not None

    def fits(self, presented: str, address: str) -> bool:
        """Return whether it is the token. The comparison takes as long for any text of a length.

        A wrong one counts as a try of the address.
        """
        if self._token is None:
            return True
        fits = hmac.compare_digest(presented.encode(), self._token.encode())
        if not fits:
            with self._lock:
                self._wrong.setdefault(address, []).append(self._clock())
                self._wrong.move_to_end(address)
                while len(self._wrong) > _MOST_ADDRESSES:
                    self._wrong.popitem(last=False)
        return fits

    def seconds_to_wait(self, address: str) -> int:
        """Return for how long an address may not present a token, after too many wrong ones; 0 if
        it may.
        """
        now = self._clock()
        with self._lock:
            recent = [at for at in self._wrong.get(address, []) if at > now - _MINUTE]
            if not recent:
                self._wrong.pop(address, None)
                return 0
            self._wrong[address] = recent
        if len(recent) < _MOST_WRONG:
            return 0
        return max(1, round(recent[-_MOST_WRONG] + _MINUTE - now))

    def log_in(self) -> str:
        """Return the value of the cookie of a new login."""
        said = f"{int(self._now()) + LOGIN_SECONDS}.{secrets.token_urlsafe(16)}"
        return f"{said}.{self._signature(said)}"

    def log_out(self, login: str) -> None:
        """End a login at this server. Its browser forgets the cookie, which other servers with the
        same token would still take.
        """
        if self.knows(login):
            with self._lock:
                self._ended[login] = None
                while len(self._ended) > _MOST_ENDED:
                    self._ended.popitem(last=False)

    def knows(self, login: str) -> bool:
        """Return whether the cookie is that of a login that still lasts, at any server with this
        token.
        """
        said, _, signature = login.rpartition(".")
        until = said.partition(".")[0]
        return (
            self.needed
            and hmac.compare_digest(signature.encode(), self._signature(said).encode())
            and float(until) > self._now()
            and login not in self._ended
        )

    def _signature(self, said: str) -> str:
        digest = hmac.digest(self._key, said.encode(), "sha256")
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    @cached_property
    def _key(self) -> bytes:
        """The key of signatures. It takes long to make, so that whoever sees a cookie cannot try
        many tokens.
        """
        return hashlib.scrypt((self._token or "").encode(), salt=_SALT, n=2**14, r=8, p=1)
