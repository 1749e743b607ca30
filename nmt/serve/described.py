"""The OpenAPI description: bodies from the types that requests are read by, answers as they are written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from starlette.routing import BaseRoute, Route

from nmt.serve.asked import DetailRequest, DetectRequest, TranslateRequest

FORMS: dict[str, type[BaseModel]] = {
    "/translate": TranslateRequest,
    "/detect": DetectRequest,
    "/v1/translate": DetailRequest,
}
ERROR = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
REFUSALS = {
    "400": "what cannot be read, or a pair of languages that no model has",
    "403": "no key, or one that is not known",
    "408": "a body that does not come",
    "413": "too long",
    "429": "no room; Retry-After says when to come again",
    "503": "closing",
}


def described(routes: Sequence[BaseRoute]) -> dict[str, Any]:
    """The document at /openapi.json."""
    paths: dict[str, Any] = {}
    for route in routes:
        assert isinstance(route, Route), "all of them have a path and methods"
        for method in sorted((route.methods or set()) - {"HEAD"}):
            paths.setdefault(route.path, {})[method.lower()] = _operation(route.path)
    schemas = {kind.__name__: kind.model_json_schema() for kind in FORMS.values()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "nmt", "version": "1", "description": "Translation by trained checkpoints."},
        "paths": paths,
        "components": {"schemas": {**schemas, "Error": ERROR}},
    }


def _operation(path: str) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": path.strip("/").replace("/", "_").replace("{", "").replace("}", "") or "page",
        "responses": {"200": {"description": "the answer", "content": _content(path)}},
    }
    refused = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    if path in FORMS or path == "/translate_file":
        for status, reason in REFUSALS.items():
            operation["responses"][status] = {"description": reason, "content": refused}
    if path in FORMS:
        schema = {"schema": {"$ref": f"#/components/schemas/{FORMS[path].__name__}"}}
        operation["requestBody"] = {"required": True, "content": {"application/json": schema}}
    if path == "/translate_file":
        operation["responses"]["411"] = {"description": "no length", "content": refused}
        properties: dict[str, dict[str, str]] = {
            "file": {"type": "string", "format": "binary"},
            "source": {"type": "string"},
            "target": {"type": "string"},
            "api_key": {"type": "string"},
        }
        form = {"schema": {"type": "object", "required": ["file", "source", "target"], "properties": properties}}
        operation["requestBody"] = {"required": True, "content": {"multipart/form-data": form}}
    if "{name}" in path:
        operation["parameters"] = [{"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}]
        operation["responses"]["404"] = {"description": "no such file", "content": refused}
    return operation


def _content(path: str) -> dict[str, Any]:
    if path == "/":
        return {"text/html": {"schema": {"type": "string"}}}
    if path in ("/metrics", "/download_file/{name}"):
        return {"text/plain": {"schema": {"type": "string"}}}
    return {"application/json": {"schema": {}}}
