"""Counts what is asked of a database."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import event
from sqlalchemy.engine import Engine


@dataclass
class Asked:
    """What was asked of databases."""

    sessions: int = 0
    """How often a connection was taken from the pool."""
    statements: list[str] = field(default_factory=list)
    """The statements that give rows."""


@contextmanager
def listening() -> Iterator[Asked]:
    """Count what this process asks of all databases in a `with` statement."""
    asked = Asked()

    def count_session(*_: object) -> None:
        asked.sessions += 1

    def count_statement(_: object, __: object, statement: str, *others: object) -> None:
        if statement.startswith("SELECT"):
            asked.statements.append(statement)

    event.listen(Engine, "checkout", count_session)
    event.listen(Engine, "before_cursor_execute", count_statement)
    try:
        yield asked
    finally:
        event.remove(Engine, "checkout", count_session)
        event.remove(Engine, "before_cursor_execute", count_statement)
