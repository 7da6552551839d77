"""What /openapi.json says beyond what the framework finds: how one comes in, and what a refusal looks like."""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

SCHEMES: Final = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "Authorization: Bearer rcl_…"},
    "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
}
PROBLEM: Final = {
    "type": "object",
    "description": "RFC 9457, with a code for programs that never changes.",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string", "description": "A sentence for people."},
    },
}
REFUSED: Final = {
    "description": "It was refused, and nothing was done.",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def describe(app: FastAPI, open_to_all: frozenset[tuple[str, str]]) -> None:
    described: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not described:
            found = get_openapi(
                title=app.title, version=app.version, description=app.description, routes=app.routes
            )
            described.update(_completed(found, open_to_all))
        return described

    app.openapi = openapi  # type: ignore[method-assign]


def _completed(found: dict[str, Any], open_to_all: frozenset[tuple[str, str]]) -> dict[str, Any]:
    components = found.setdefault("components", {})
    components["securitySchemes"] = SCHEMES
    schemas = components.setdefault("schemas", {})
    for framework in ("HTTPValidationError", "ValidationError"):
        schemas.pop(framework, None)
    schemas["Problem"] = PROBLEM
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            operation["responses"].pop("422", None)
            operation["responses"]["default"] = REFUSED
            stranger = (method.upper(), path) in open_to_all
            operation["security"] = [] if stranger else [{name: []} for name in SCHEMES]
    return found
