"""The interface: LibreTranslate's, so that its clients work unchanged, and one of our own with all that is known.

    POST /translate /detect /translate_file    GET /languages /health /frontend/settings /download_file/NAME
    POST /v1/translate                         GET /v1/models /metrics /openapi.json /docs /

A refusal is {"error": one sentence}: 400 what cannot be read, 403 no key, 404 and 405 no such thing, 408 too slow, 413
too long, 429 no room (Retry-After says when), 503 closing.
"""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from nmt.serve.asked import RefusedError
from nmt.serve.libre import Libre
from nmt.serve.own import Own
from nmt.serve.service import Service


def make_app(service: Service) -> Starlette:
    """All routes."""
    libre, own = Libre(service), Own(service)
    routes = [
        Route("/translate", libre.translate, methods=["POST"]),
        Route("/detect", libre.detect, methods=["POST"]),
        Route("/languages", libre.languages),
        Route("/health", libre.health),
        Route("/frontend/settings", libre.settings),
        Route("/translate_file", libre.translate_file, methods=["POST"]),
        Route("/download_file/{name}", libre.download_file, name="download_file"),
        Route("/v1/translate", own.translate_in_detail, methods=["POST"]),
        Route("/v1/models", own.models),
        Route("/metrics", own.metrics),
        Route("/openapi.json", own.openapi),
        Route("/docs", own.docs),
        Route("/", own.page),
    ]
    app = Starlette(
        routes=routes, exception_handlers={RefusedError: _refused, HTTPException: _other, Exception: _broken}
    )
    app.add_middleware(service.counts.middleware)
    return app


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError), "what it is registered for"
    headers = {} if error.retry_s is None else {"retry-after": str(error.retry_s)}
    return JSONResponse({"error": error.sentence}, error.status, headers)


async def _other(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException), "what it is registered for"
    return JSONResponse({"error": f"{error.detail}."}, error.status_code, error.headers)


async def _broken(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": "The translation failed; the service's log says why."}, 500)
