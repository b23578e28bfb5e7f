"""All hits of a search as one block of bytes, with which a page places a million photos."""

from __future__ import annotations

import hashlib

import numpy as np
from fastapi import APIRouter, Request, Response
from starlette.datastructures import Headers

from sigseek.operations.layout import Layout
from sigseek.web.conditions import is_known
from sigseek.web.context import LibraryInUse, named_photos, stop_of
from sigseek.web.routes.search import AskedFor

router = APIRouter(tags=["search"])

MAGIC = 0x53474C31
"""The first number of a layout, "1LGS" in memory."""


@router.get(
    "/search/layout",
    summary="All hits, without their facts",
    response_class=Response,
    responses={
        200: {"content": {"application/octet-stream": {}}},
        304: {"description": "The caller has it already."},
    },
)
def layout(request: Request, library: LibraryInUse, asked: AskedFor) -> Response:
    """Answer all hits in the order of `search`, as columns of little-endian numbers.

    uint32 0x53474c31 and uint32 n; then float64 id[n]; uint16 ratio[n], 1,000 times width over
    height, 50 to 20,000; uint16 probability[n], 65,535 times the probability; int32 minutes[n],
    local time since 1970, -2147483648 where it is unknown; uint8 color[3n], the mean red, green
    and blue, all 0 where they are unknown. Each column begins at a multiple of 8.
    `closer` makes no difference here.
    """
    found = library.layout(
        asked.q,
        min_probability=asked.min_probability,
        include_all=asked.include_all,
        include_self=asked.include_self,
        sort=asked.sort,
        named_photos=named_photos(request),
        stop=stop_of(request),
    )
    body = packed(found)
    tag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if is_known(request, Headers(headers)):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/octet-stream", headers=headers)


def packed(found: Layout) -> bytes:
    """Return the bytes of a layout."""
    head = np.array([MAGIC, len(found)], "<u4")
    columns = [
        found.ids.astype("<f8"),
        found.ratios.astype("<u2"),
        found.probabilities.astype("<u2"),
        found.minutes.astype("<i4"),
        found.colors,
    ]
    return b"".join(
        part
        for column in (head, *columns)
        for part in (column.tobytes(), b"\0" * (-column.nbytes % 8))
    )
