"""Column types that mean the same on every database."""

import os
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, LargeBinary, String, TypeDecorator
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine


class PlainBytes(LargeBinary):
    """Bytes that the driver gets as they are. SQLAlchemy would put each value into an object of the
    driver's, for which the driver takes twice as long.
    """

    def bind_processor(self, dialect: Dialect) -> None:
        """Return nothing, as there is nothing to do."""


class PathText(TypeDecorator[str]):
    """A path, which on Linux need not be UTF-8.

    SQLite keeps it as text, and as bytes where text is impossible. PostgreSQL has no such columns
    and would turn the bytes into other text without an error, so there every path is bytes.
    """

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Keep bytes on PostgreSQL and text elsewhere."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(PlainBytes())
        return dialect.type_descriptor(String())

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | bytes | None:
        """Return the path as the database keeps it."""
        if value is None:
            return None
        if dialect.name == "postgresql":
            return os.fsencode(value)
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            return os.fsencode(value)
        return value

    def process_result_value(self, value: str | bytes | None, dialect: Dialect) -> str | None:
        """Return the path as Python has it."""
        return os.fsdecode(value) if isinstance(value, bytes) else value


class PlainText(TypeDecorator[str]):
    """Text that any database takes: NUL characters are left out, lone surrogates become "?".

    Both occur in the metadata of damaged and hostile files. PostgreSQL refuses the first, and no
    database takes the second. The order is that of the UTF-8 bytes, on PostgreSQL too, whatever
    language the database is for.
    """

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Name the order on PostgreSQL. SQLite's own is bytewise."""
        order = "C" if dialect.name == "postgresql" else None
        return dialect.type_descriptor(String(collation=order))

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Return the text as it is kept."""
        return None if value is None else storable(value)


class UtcTime(TypeDecorator[datetime]):
    """A moment. Python has it with its time zone, and databases keep it in UTC without one, because
    SQLite has no type for time zones.
    """

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the moment as the database keeps it."""
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the moment as Python has it."""
        return None if value is None else value.replace(tzinfo=UTC)


def storable(text: str) -> str:
    """Return the text without NUL characters, and with "?" for lone surrogates."""
    text = text.replace("\0", "")
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
