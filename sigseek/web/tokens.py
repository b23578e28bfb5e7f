"""The token that lets callers in, their logins, and a limit to wrong tries."""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

LOGIN_SECONDS = 30 * 24 * 3600
"""How long a login lasts."""
_MOST_LOGINS = 1_000
_MOST_WRONG = 10
"""Wrong tokens that an address may present within a minute."""
_MINUTE = 60.0
_MOST_ADDRESSES = 10_000


class Tokens:
    """Knows the token and who has logged in. Several threads may use it."""

    def __init__(
        self, token: str | None, port: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._token = token
        self.cookie = f"sigseek-{port}"
        """The name of the cookie that a login sets. Browsers send a cookie to all ports of a host,
        so a name without the port would end the login at another server there.
        """
        self._clock = clock
        self._lock = threading.Lock()
        self._logins: OrderedDict[str, float] = OrderedDict()
        self._wrong: OrderedDict[str, list[float]] = OrderedDict()

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
        login = secrets.token_urlsafe(32)
        with self._lock:
            self._logins[login] = self._clock() + LOGIN_SECONDS
            while len(self._logins) > _MOST_LOGINS:
                self._logins.popitem(last=False)
        return login

    def log_out(self, login: str) -> None:
        """Forget a login."""
        with self._lock:
            self._logins.pop(login, None)

    def knows(self, login: str) -> bool:
        """Return whether the cookie is that of a login that still lasts."""
        with self._lock:
            until = self._logins.get(login)
        return until is not None and until > self._clock()
