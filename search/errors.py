"""What can be wrong with a query."""


class QueryError(Exception):
    """A query that cannot be answered. The message says what was found and what to do, in one line."""
