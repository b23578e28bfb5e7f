"""Addresses of catalogs that are PostgreSQL databases, such as postgresql://me@server/photos."""

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from sigseek.errors import ErrorKind
from sigseek.storage.errors import LibraryError

_SECRETS = ("password", "sslpassword")
"""Parameters of an address that nobody but the server may see."""


def read_address(address: str) -> URL:
    """Return the parts of an address. What it leaves out is taken from libpq's environment
    variables and files when a connection is made.

    Raises LibraryError for an address that cannot be read. The error does not repeat it, because
    there may be a password in it.
    """
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        raise _unreadable("write it as postgresql://USER@HOST:PORT/DATABASE") from None
    if "@" in (url.host or ""):  # what is before it is the end of the password
        raise _unreadable("write each @ of a password as %40, or put the password into ~/.pgpass")
    return url.set(drivername="postgresql")  # "postgres" is another name of the same


def _unreadable(remedy: str) -> LibraryError:
    found = "the address of the PostgreSQL database cannot be read"
    return LibraryError(found, remedy, ErrorKind.INVALID)


def without_secrets(url: URL) -> str:
    """Return the address as messages show it."""
    others = {name: value for name, value in url.query.items() if name not in _SECRETS}
    hidden = [f"{name}=***" for name in url.query if name in _SECRETS]
    shown = url.set(query=others).render_as_string(hide_password=True)
    return shown + ("&" if others else "?") + "&".join(hidden) if hidden else shown
