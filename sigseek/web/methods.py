"""Which methods an address answers."""

from __future__ import annotations

from fastapi import Request
from starlette.routing import Match, Mount

WITHOUT_HEAD = ("/api/v1/events", "/api/v1/zip/")
"""HEAD is not answered at addresses that begin so: events never end, and a link to an archive can
be used only once.
"""


def methods_at(request: Request) -> list[str]:
    """Return the methods that the address of a request answers."""
    path = request.scope["path"]
    answered = []
    for method in ("GET", "POST", "DELETE"):
        asked = {"type": "http", "method": method, "path": path, "app": request.app}
        for route in request.app.routes:
            # A mounted directory takes any method, but then its files answer no other than GET.
            if route.matches(asked)[0] is Match.FULL and not (
                isinstance(route, Mount) and method != "GET"
            ):
                answered.append(method)
                break
    if "GET" in answered and not path.startswith(WITHOUT_HEAD):
        answered.insert(1, "HEAD")
    return answered
