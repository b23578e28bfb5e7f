"""The terms of a query that select what a facet counts."""

from __future__ import annotations

from collections.abc import Collection

from sigseek.operations.facets import Facet
from sigseek.search.query import quoted

_UNKNOWN = {"year": "is:undated", "month": "is:undated", "tag": "is:untagged"}


def term_of(facet: Facet, directly: Collection[str] = ()) -> str | None:
    """Return the term that selects the photos that the facet counts; None where no term does.

    `directly` has the folders that count only the photos directly in them: `in:` would also find
    those below.
    """
    if facet.value is None:
        return _UNKNOWN.get(facet.by)
    value = str(facet.value)
    match facet.by:
        case "year":
            return f"date:{value}"
        case "month":  # a photo that is only dated to a year would be found with all of that year
            return f"date:{value}" if "-" in value else None
        case "rating":
            return f"rating:={value}"
        case "folder":
            return None if value in directly else f"in:{quoted(value)}"
        case "tag":
            return f"tag:{quoted(value)}"
        case "format":
            return f"format:{quoted(value)}"
    return f"{facet.by}:{quoted(f'={value}')}"
