"""Our own interface, with all that is known of a translation, and what looks after the service."""

from __future__ import annotations

import time
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from nmt.search.demands import Demand
from nmt.serve.asked import DetailRequest, check_key, parsed
from nmt.serve.described import described, page_of
from nmt.serve.models import Detailed, DetailWork
from nmt.serve.page import PAGE
from nmt.serve.service import Service
from nmt.serve.text import joined


class Own:
    """Its routes."""

    def __init__(self, service: Service) -> None:
        self.service = service

    async def translate_in_detail(self, request: Request) -> Response:
        """POST /v1/translate"""
        service = self.service
        started = time.perf_counter()
        asked = parsed(DetailRequest, await service.fields_of(request))
        check_key(service.keys, asked.api_key)
        texts = [asked.q] if isinstance(asked.q, str) else asked.q
        service.check_length([*texts, asked.prefix, *asked.must, *asked.never])
        model, sure = service.model(asked.source, asked.target, texts, asked.model)
        cut = service.cut(texts, False, model)
        sentences = [part.text for parts in cut for part in parts if part.sentence]
        demand = Demand(asked.prefix, tuple(asked.must), tuple(asked.never))
        work = DetailWork(model.work(min(asked.nbest - 1, service.config.alternatives), demand))
        found = iter(await service.answers(request, sentences, work))
        translations = []
        for parts in cut:
            several = [next(found)[: asked.nbest] for part in parts if part.sentence]
            text = joined(parts, [ranked[0].translation.text for ranked in several])
            texts_in = [part.text for part in parts if part.sentence]
            detail = [
                {"source": source, "translations": [_as_json(one, asked.attention) for one in ranked]}
                for source, ranked in zip(texts_in, several, strict=True)
            ]
            translations.append({"text": text, "sentences": detail})
        took = round(time.perf_counter() - started, 4)
        head = {"model": model.name, "version": model.version, "source": model.source, "target": model.target}
        return JSONResponse({**head, "confidence": sure, "seconds": took, "translations": translations})

    async def models(self, request: Request) -> Response:
        """GET /v1/models"""
        service = self.service
        return JSONResponse(
            [
                {"name": one.name, "version": one.version, "source": one.source, "target": one.target}
                for one in service.shelf.models
            ]
        )

    async def metrics(self, request: Request) -> Response:
        """GET /metrics"""
        service = self.service
        return Response(service.counts.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def openapi(self, request: Request) -> Response:
        """GET /openapi.json"""
        return JSONResponse(described(request.app.routes))

    async def docs(self, request: Request) -> Response:
        """GET /docs"""
        return HTMLResponse(page_of(described(request.app.routes)))

    async def page(self, request: Request) -> Response:
        """GET /"""
        return HTMLResponse(PAGE, headers={"content-security-policy": "default-src 'self' 'unsafe-inline' data:"})


def _as_json(one: Detailed, attention: bool) -> dict[str, Any]:
    found = one.translation
    record: dict[str, Any] = {
        "text": found.text,
        "score": found.score,
        "log_prob": found.log_prob,
        "pieces": found.pieces_tgt,
        "source_pieces": found.pieces_src,
        "piece_log_probs": [round(float(value), 4) for value in one.log_prob_T],
    }
    if attention and found.weight_TS is not None:
        record["attention"] = [[round(float(weight), 4) for weight in row] for row in found.weight_TS]
    return record
