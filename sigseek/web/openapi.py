"""The description of the API in OpenAPI. `make openapi` writes it to docs/openapi.json."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from sigseek.web.models import Problem
from sigseek.web.named import LARGEST_ID
from sigseek.web.security import CHANGES, LOGIN

_MEDIA_TYPE = "application/problem+json"
_PROBLEMS = {
    400: "The query or another argument makes no sense; `column` says where a query is wrong.",
    401: "The token is missing or wrong.",
    403: "The request comes from another site's page, lacks X-Sigseek, or the server is read-only.",
    404: "Something that was named does not exist.",
    405: "The address does not answer this method; Allow names those that it answers.",
    408: "The body of the request took too long to arrive.",
    409: "Another process is using it.",
    413: "What was sent is too large.",
    415: "What was sent is of a kind that cannot be used.",
    421: "The request is for another host.",
    422: "A parameter or the body is not as described, or it cannot be done here.",
    429: "Too many wrong tokens, or too much to do; Retry-After tells when to come back.",
    431: "The head of the request is larger than 32 KB.",
    500: "A file of the library is damaged.",
    503: "A disk, drive or model cannot be used now.",
}


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the description of the app's API, which is made once."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            description=_DESCRIPTION,
            routes=app.routes,
        )
        _add_problems(schema)
        _add_access(schema)
        # FastAPI tells limits as floats, and the next one to the largest id is too large.
        app.openapi_schema = json.loads(
            json.dumps(schema), parse_float=lambda number: min(float(number), LARGEST_ID)
        )
    return app.openapi_schema


_DESCRIPTION = """\
Requests that change anything, and all others that are sent by POST or DELETE, need the header
`X-Sigseek: 1`. Only `POST login` needs none. A server with a token needs
`Authorization: Bearer TOKEN`, or the cookie of a login.
Photos are named by their numbers (`id`), which stay the same for as long as the library lasts.
Callers on other machines see paths from the name of the indexed folder on."""


_SCHEMES = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "The token that the server was started with.",
    },
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "sigseek-XXXXXXXX",
        "description": "What a login sets. The last eight letters of its name depend on the token.",
    },
}
_HEADER = {
    "name": "X-Sigseek",
    "in": "header",
    "required": True,
    "description": "It shows that no page of another site asks.",
    "schema": {"type": "string", "enum": ["1"]},
}


def _add_access(schema: dict[str, Any]) -> None:
    """Document what a server with a token needs, and the header of changes."""
    schema["components"]["securitySchemes"] = _SCHEMES
    schema["security"] = [{}, *({name: []} for name in _SCHEMES)]  # {}: a server without a token
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            if method.upper() in CHANGES and path != LOGIN:
                operation.setdefault("parameters", []).append(_HEADER)


def _add_problems(schema: dict[str, Any]) -> None:
    """Document the problems that every request may be answered with, in the place of FastAPI's."""
    components = schema.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        components.pop(name, None)
    model = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    components |= model.pop("$defs", {})
    components["Problem"] = model
    content = {_MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    schema["components"]["responses"] = {
        f"Problem{status}": {"description": text, "content": content}
        for status, text in _PROBLEMS.items()
    }
    for path in schema["paths"].values():
        for operation in path.values():
            for status in _PROBLEMS:
                operation["responses"][str(status)] = {
                    "$ref": f"#/components/responses/Problem{status}"
                }
    schema["components"]["schemas"] = dict(sorted(components.items()))


def written(schema: dict[str, Any]) -> str:
    """Return the description as the committed file has it."""
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the description to the file that is named, or to docs/openapi.json."""
    import sigseek
    from sigseek.web.app import make_app
    from sigseek.web.settings import Settings

    target = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/openapi.json")
    with sigseek.open("no library") as library:
        target.write_text(written(describe(make_app(library, Settings()))), encoding="utf-8")


if __name__ == "__main__":
    main()
