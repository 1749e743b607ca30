"""What a request asks for, whichever way it says so: JSON, a form, or the query of its address."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import parse_qs

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from starlette.requests import ClientDisconnect, Request

BODY_BYTES_A_CHARACTER = 24  # JSON may write a character as two escapes of six letters
LEFT = 499  # nobody reads it but the counters
READ_IN_VAIN = 1 << 25  # bytes of a body that is too long
SLOWEST_S = 30.0  # for a body to come


class RefusedError(Exception):
    """An answer that is no translation: its status, one sentence, and when to come again."""

    def __init__(self, status: int, sentence: str, retry_s: int | None = None) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.retry_s = status, sentence, retry_s


def _clean(text: object) -> object:
    """Text that UTF-8 can say: a lone half of a surrogate pair is none."""
    for part in text if isinstance(text, list) else [text]:
        if isinstance(part, str):
            try:
                part.encode()
            except UnicodeEncodeError:
                raise ValueError("holds half a surrogate pair, which is no character") from None
    return text


Text = Annotated[str, BeforeValidator(_clean)]
Texts = Annotated[str | list[str], BeforeValidator(_clean)]


MOST_PHRASES = 20  # of a kind: each costs every sentence of the request time


class TranslateRequest(BaseModel):
    """LibreTranslate's request."""

    model_config = ConfigDict(strict=False, extra="ignore")

    q: Texts = Field(description="a text, or a list of texts")
    source: Text = Field(description="language code, or auto")
    target: Text = Field(description="language code")
    format: Literal["text", "html"] = "text"
    alternatives: int = Field(default=0, ge=0, description="translations beside the best")
    api_key: Text = ""


class DetailRequest(BaseModel):
    """Our own request: scores, pieces and attention."""

    model_config = ConfigDict(extra="forbid")

    q: Texts
    source: Text
    target: Text
    model: Text | None = Field(default=None, description="name of a model, where several have this pair of languages")
    nbest: int = Field(default=1, ge=1)
    attention: bool = Field(default=False, description="where each target piece looked, a row a piece")
    prefix: Text = Field(default="", description="what the translation of each sentence begins with")
    must: Annotated[list[str], BeforeValidator(_clean)] = Field(
        default=[], max_length=MOST_PHRASES, description="words or phrases that the translation of each sentence has"
    )
    never: Annotated[list[str], BeforeValidator(_clean)] = Field(
        default=[], max_length=MOST_PHRASES, description="words or phrases that no translation has"
    )
    api_key: Text = ""


class DetectRequest(BaseModel):
    """LibreTranslate's request for a language."""

    q: Text
    api_key: Text = ""


Asked = TypeVar("Asked", bound=BaseModel)


async def read_fields(request: Request, max_characters: int) -> dict[str, Any]:
    """Fields of a request; a form's and a query's are text, or a list where a name comes several times.

    Raises RefusedError: 413 for a body that is longer than any allowed text, 408 for one that does not come, 400 for
    one that cannot be read.
    """
    query = request.scope["query_string"].decode("latin-1")
    fields: dict[str, Any] = _unlisted(parse_qs(query, keep_blank_values=True, errors="replace")) if query else {}
    body = await read_body(request, most_bytes(max_characters))
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not body:
        return fields
    try:
        if kind == "application/x-www-form-urlencoded":
            return fields | _unlisted(parse_qs(body.decode(), keep_blank_values=True, errors="strict"))
        said = json.loads(body)
    except (ValueError, RecursionError):
        raise RefusedError(400, "The body of the request is neither JSON nor a form.") from None
    if not isinstance(said, dict):
        raise RefusedError(400, "The body of the request is JSON, but no object.")
    return fields | said


def parsed(kind: type[Asked], fields: dict[str, Any]) -> Asked:
    """The typed request. Raises RefusedError with the first mistake."""
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = "".join(f"{part}: " for part in first["loc"][:1])  # none where a field's name is no text
        raise RefusedError(400, f"Invalid request: {place}{first['msg'].rstrip('.')}.") from None


def check_key(keys: Sequence[bytes], offered: str) -> None:
    """Raises RefusedError (403) unless no key is asked for or one is offered. Takes as long whichever it is."""
    given = offered.encode()
    equal = [hmac.compare_digest(key, given) for key in keys]
    if keys and not any(equal):
        raise RefusedError(403, "Invalid API key.")


def most_bytes(max_characters: int) -> int:
    """Of a body with a text of so many characters."""
    return BODY_BYTES_A_CHARACTER * max_characters + 10_000


async def read_body(request: Request, most: int) -> bytes:
    """All of a body. Raises RefusedError: 413 where it is longer than `most`, 408 where it does not come.

    What is too long is read to its end all the same, up to a bound: who is still sending would not read the answer.
    """
    try:
        return await asyncio.wait_for(_read(request, most), SLOWEST_S)
    except TimeoutError:
        raise RefusedError(408, "The body of the request did not come in time.") from None
    except ClientDisconnect:
        raise RefusedError(LEFT, "The client has left.") from None


async def _read(request: Request, most: int) -> bytes:
    found, length = bytearray(), 0
    async for chunk in request.stream():
        length += len(chunk)
        if length <= most:
            found += chunk
        elif length > READ_IN_VAIN:
            break
    if length > most:
        raise RefusedError(413, "The request is too long.")
    return bytes(found)


def _unlisted(fields: dict[str, list[str]]) -> dict[str, Any]:
    return {name: values[0] if len(values) == 1 else values for name, values in fields.items()}
