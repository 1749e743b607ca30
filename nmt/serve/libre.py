"""LibreTranslate's interface, so that its clients work unchanged."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from nmt.serve.asked import DetectRequest, RefusedError, TranslateRequest, check_key, parsed
from nmt.serve.files import read_upload
from nmt.serve.languages import name_of
from nmt.serve.service import Service


class Libre:
    """Its routes."""

    def __init__(self, service: Service) -> None:
        self.service = service

    async def translate(self, request: Request) -> Response:
        """POST /translate"""
        service = self.service
        asked = parsed(TranslateRequest, await service.fields_of(request))
        check_key(service.keys, asked.api_key)
        texts = [asked.q] if isinstance(asked.q, str) else asked.q
        service.check_length(texts)
        alternatives = min(asked.alternatives, service.config.alternatives)
        answer: dict[str, Any] = {}
        if asked.source == asked.target:
            found = [[text] for text in texts]
        else:
            model, sure = service.model(asked.source, asked.target, texts)
            found = await service.translate(request, texts, asked.format == "html", model, alternatives)
            if sure is not None:
                sign = {"confidence": round(100 * sure), "language": model.source}
                answer["detectedLanguage"] = sign if isinstance(asked.q, str) else [sign] * len(texts)
        one = isinstance(asked.q, str)
        best, others = [ranked[0] for ranked in found], [ranked[1:] for ranked in found]
        answer["translatedText"] = best[0] if one else best
        if asked.alternatives:
            answer["alternatives"] = others[0] if one else others
        return JSONResponse(answer)

    async def detect(self, request: Request) -> Response:
        """POST /detect"""
        service = self.service
        asked = parsed(DetectRequest, await service.fields_of(request))
        check_key(service.keys, asked.api_key)
        service.check_length([asked.q])
        found = service.shelf.detect(asked.q)
        return JSONResponse([{"confidence": round(100 * share, 1), "language": code} for code, share in found])

    async def languages(self, request: Request) -> Response:
        """GET /languages"""
        service = self.service
        targets: dict[str, list[str]] = {}
        for model in service.shelf.models:
            targets.setdefault(model.source, []).append(model.target)
            targets.setdefault(model.target, [])
        return JSONResponse(
            [{"code": code, "name": name_of(code), "targets": sorted(set(its))} for code, its in targets.items()]
        )

    async def health(self, request: Request) -> Response:
        """GET /health"""
        return JSONResponse({"status": "ok"})

    async def settings(self, request: Request) -> Response:
        """GET /frontend/settings"""
        service = self.service
        first = service.shelf.models[0]
        sides = {"source": first.source, "target": first.target}
        return JSONResponse(
            {
                "apiKeys": bool(service.keys),
                "keyRequired": bool(service.keys),
                "charLimit": service.config.max_characters,
                "frontendTimeout": 500,
                "suggestions": False,
                "supportedFilesFormat": [".txt"],
                "language": {side: {"code": code, "name": name_of(code)} for side, code in sides.items()},
            }
        )

    async def translate_file(self, request: Request) -> Response:
        """POST /translate_file"""
        service = self.service
        name, text, form = await read_upload(request, service.config.max_characters)
        asked = parsed(TranslateRequest, {**form, "q": text})
        check_key(service.keys, asked.api_key)
        service.check_length([text])
        model, _ = service.model(asked.source, asked.target, [text])
        found = await service.translate(request, [text], False, model, 0)
        kept = service.files.keep(name, found[0][0].encode())
        return JSONResponse({"translatedFileUrl": str(request.url_for("download_file", name=kept))})

    async def download_file(self, request: Request) -> Response:
        """GET /download_file/NAME"""
        service = self.service
        content = service.files.take(request.path_params["name"])
        if content is None:
            raise RefusedError(404, "There is no such file, or it has been there too long.")
        headers = {"content-disposition": 'attachment; filename="translation.txt"', "x-content-type-options": "nosniff"}
        return Response(content, media_type="text/plain; charset=utf-8", headers=headers)
