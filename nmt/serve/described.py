"""The OpenAPI description and its page: bodies by the types that requests are read by, answers as they are written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from starlette.routing import BaseRoute, Route

from nmt.report.pages import render
from nmt.serve.asked import DetailRequest, DetectRequest, TranslateRequest

TEMPLATES = Path(__file__).parent / "templates"
SUMMARIES = {
    "/translate": "A text or a list of texts, as LibreTranslate does it. JSON, forms and queries say the same.",
    "/detect": "The language of a text, among those that are read.",
    "/languages": "Which languages are translated into which.",
    "/health": "Whether the service is alive.",
    "/frontend/settings": "Limits, and whether a key is needed.",
    "/translate_file": "A file of text (.txt), whose translation is fetched from the address in the answer.",
    "/download_file/{name}": "The translation of a file, for ten minutes.",
    "/v1/translate": "With scores, pieces and their probabilities, several translations, and where the model looked.",
    "/v1/models": "What is loaded.",
    "/metrics": "Counters, for Prometheus.",
    "/openapi.json": "This description, for programs.",
    "/docs": "This description, to read.",
    "/": "A page to type into.",
}
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
        "summary": SUMMARIES[path],
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
    if path in ("/", "/docs"):
        return {"text/html": {"schema": {"type": "string"}}}
    if path in ("/metrics", "/download_file/{name}"):
        return {"text/plain": {"schema": {"type": "string"}}}
    return {"application/json": {"schema": {}}}


def page_of(description: Mapping[str, Any]) -> str:
    """The document as a page."""
    operations = []
    for path, methods in description["paths"].items():
        for method, one in methods.items():
            fields: list[dict[str, str]] = []
            for content in one.get("requestBody", {}).get("content", {}).values():
                schema = content["schema"]
                if "$ref" in schema:
                    schema = description["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
                fields += [_field(name, said, schema) for name, said in schema["properties"].items()]
            answers = ", ".join(f"{status} ({said['description']})" for status, said in one["responses"].items())
            title, summary = f"{method.upper()} {path}", one["summary"]
            operations.append({"title": title, "summary": summary, "fields": fields, "answers": answers})
    return render("docs.html", {"title": "The interface of this service", "operations": operations}, TEMPLATES)


def _field(name: str, said: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, str]:
    default = "refused" if name in schema.get("required", []) else json.dumps(said.get("default", ""))
    return {"name": name, "holds": _holds(said), "meaning": said.get("description", ""), "default": default}


def _holds(said: Mapping[str, Any]) -> str:
    """The type of a field, in words."""
    if "anyOf" in said:
        return " or ".join(map(_holds, said["anyOf"]))
    if "enum" in said:
        return " or ".join(said["enum"])
    return f"list of {_holds(said['items'])}s" if said["type"] == "array" else str(said["type"])
