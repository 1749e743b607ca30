"""What all routes share: from the texts of a request to their translations, as long as somebody waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request

from nmt.config.serve import ServeConfig
from nmt.errors import DataError
from nmt.search.translation import Translation
from nmt.serve.asked import LEFT, RefusedError, read_fields
from nmt.serve.counts import Counts
from nmt.serve.files import KeptFiles
from nmt.serve.models import Model, Shelf
from nmt.serve.queue import BatchQueue, ClosingError, QueueFullError, Work
from nmt.serve.text import Part, joined, parts_of_html, parts_of_text


class Service:
    """Models, queue and limits, and how a request is answered with them."""

    def __init__(self, shelf: Shelf, queue: BatchQueue, config: ServeConfig, keys: Sequence[bytes]) -> None:
        self.shelf, self.queue, self.config, self.keys = shelf, queue, config, keys
        self.counts, self.files = Counts(queue), KeptFiles()

    def cut(self, texts: Sequence[str], html: bool, model: Model) -> list[list[Part]]:
        """The sentences of each text. Raises RefusedError where there are too many."""
        cut = [(parts_of_html if html else parts_of_text)(text, model.fits) for text in texts]
        if sum(part.sentence for parts in cut for part in parts) > self.config.max_sentences:
            raise RefusedError(413, f"More than {self.config.max_sentences} sentences in one request.")
        return cut

    async def fields_of(self, request: Request) -> dict[str, Any]:
        """What a request says. Raises RefusedError."""
        return await read_fields(request, self.config.max_characters)

    def check_length(self, texts: Sequence[str]) -> None:
        """Raises RefusedError where there is too much text."""
        length = sum(map(len, texts))
        if length > self.config.max_characters:
            raise RefusedError(
                413,
                f"The request has {length} characters; at most {self.config.max_characters} are taken at once.",
            )

    def model(
        self, source: str, target: str, texts: Sequence[str], name: str | None = None
    ) -> tuple[Model, float | None]:
        """The model for a request, and with source=auto how sure its language is. Raises RefusedError."""
        sure = None
        if source == "auto":
            for code, share in self.shelf.detect(" ".join(texts)):
                if self.shelf.pick(code, target, name) is not None:
                    source, sure = code, share
                    break
        model = self.shelf.pick(source, target, name)
        if model is None:
            pairs = ", ".join(sorted({f"{one.source}-{one.target}" for one in self.shelf.models}))
            raise RefusedError(400, f"There is no model from {source[:20]} to {target[:20]}; there is {pairs}.")
        return model, sure

    async def answers(self, request: Request, sentences: Sequence[str], work: Work) -> list[Any]:
        """What the queue has for these sentences, as long as the client waits. Raises RefusedError."""
        asked = asyncio.create_task(self.queue.translate(sentences, work))
        gone = asyncio.create_task(_left(request))
        try:
            await asyncio.wait((asked, gone), return_when=asyncio.FIRST_COMPLETED)
            if not asked.done():
                raise RefusedError(LEFT, "The client has left.")
            return asked.result()
        except QueueFullError as full:
            raise RefusedError(429, "Too many sentences are waiting; come again.", full.retry_s) from None
        except DataError as mistake:  # of what was demanded
            raise RefusedError(400, f"{str(mistake)[:1].upper()}{str(mistake)[1:]}") from None
        except ClosingError:
            raise RefusedError(503, "The service is closing.", 5) from None
        finally:
            for task in (asked, gone):
                task.cancel()

    async def translate(
        self, request: Request, texts: Sequence[str], html: bool, model: Model, alternatives: int
    ) -> list[list[str]]:
        """For each text its translation and the alternatives, all sentences of all texts in one go."""
        cut = self.cut(texts, html, model)
        sentences = [part.text for parts in cut for part in parts if part.sentence]
        found = iter(await self.answers(request, sentences, model.work(alternatives)))
        return [_ranked(parts, [next(found) for part in parts if part.sentence], alternatives) for parts in cut]


def _ranked(parts: Sequence[Part], answers: Sequence[Sequence[Translation]], alternatives: int) -> list[str]:
    """The text by the best translation of each sentence, by the second best, and so on; each text once."""
    ranks = range(1 + min(alternatives, max((len(answer) - 1 for answer in answers), default=0)))
    texts = (joined(parts, [answer[min(rank, len(answer) - 1)].text for answer in answers]) for rank in ranks)
    return list(dict.fromkeys(texts))


async def _left(request: Request) -> None:
    """Returns once the client is gone. To be called when the body has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
