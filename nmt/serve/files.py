"""Files that people send, and their translations, which wait in memory until they are fetched."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import OrderedDict
from pathlib import PurePath

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from nmt.serve.asked import LEFT, SLOWEST_S, RefusedError, most_bytes, read_body

KEPT = 100  # translations at a time
KEPT_S = 600.0


class KeptFiles:
    """Translations by names that nobody can guess; the oldest goes where there are too many."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, tuple[float, bytes]] = OrderedDict()

    def keep(self, name: str, content: bytes) -> str:
        """-> the name to fetch it by."""
        kept = f"{secrets.token_urlsafe(16)}{PurePath(name).suffix}"
        self._files[kept] = (time.monotonic(), content)
        while len(self._files) > KEPT:
            self._files.popitem(last=False)
        return kept

    def take(self, name: str) -> bytes | None:
        """None where there is none, or where it has been there too long."""
        since, content = self._files.get(name, (0.0, b""))
        return content if name in self._files and time.monotonic() - since < KEPT_S else None


async def read_upload(request: Request, max_characters: int) -> tuple[str, str, dict[str, str]]:
    """-> name, text and the other fields of a form with a file. Raises RefusedError where there is none of text."""
    length = request.headers.get("content-length", "")
    most = most_bytes(max_characters)
    if not length.isdigit():
        raise RefusedError(411, "The request does not say how long it is.")
    if int(length) > most:
        await read_body(request, most)
    try:
        form_of = request.form(max_files=1, max_fields=10, max_part_size=most)
        async with asyncio.timeout(SLOWEST_S), form_of as form:
            fields = {key: value for key, value in form.items() if isinstance(value, str)}
            file = form.get("file")
            name, content = (file.filename or "", await file.read()) if isinstance(file, UploadFile) else ("", None)
    except TimeoutError:
        raise RefusedError(408, "The file did not come in time.") from None
    except ClientDisconnect:
        raise RefusedError(LEFT, "The client has left.") from None
    except (HTTPException, AssertionError, ValueError):
        raise RefusedError(400, "The body of the request is no form with a file.") from None
    if content is None:
        raise RefusedError(400, "Invalid request: file: missing.")
    if PurePath(name).suffix.lower() != ".txt":
        raise RefusedError(400, "Invalid request: file: only .txt is translated.")
    try:
        return name, content.decode("utf-8-sig"), fields
    except UnicodeDecodeError:
        raise RefusedError(400, "Invalid request: file: it is not UTF-8.") from None
