"""How a catalog's connections are closed."""

from sqlalchemy import Engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry


def close_connections(engine: Engine) -> None:
    """Close the engine's connections: those in use, by other threads or by answers that nobody has
    read to the end, when they are given back.
    """
    if not event.contains(engine, "checkin", _close):
        event.listen(engine, "checkin", _close)
    engine.dispose()


def _close(connection: DBAPIConnection | None, entry: ConnectionPoolEntry) -> None:
    """Close a connection. Its pool, which is no longer the engine's, would keep it."""
    if connection is not None:
        entry.invalidate()
