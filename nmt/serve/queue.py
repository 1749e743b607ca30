"""Sentences of all requests in one queue, translated in batches by one thread or several.

The oldest sentence waits for company, at least `wait_s` (`begins`). A batch is for one model and one number of
alternatives; within it the translator sorts by length. Threads take equal shares of what there is. What nobody waits
for any more leaves the queue untranslated. Recent translations are remembered.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any, Protocol

from nmt.errors import DataError

log = logging.getLogger(__name__)


class Work(Protocol):
    """What a batch is handed to: one answer for each sentence."""

    @property
    def key(self) -> Hashable:
        """Work with an equal key gives equal answers and shares batches."""

    def __call__(self, sentences: Sequence[str]) -> Sequence[Any]: ...


def begins(wait_s: float, oldest: float, came: float, ended: float, last_s: float, away: int) -> float:
    """When a batch begins, on the clock that says when its oldest sentence and the last one came, and when the batch
    before it ended, which took `last_s`; `away` more sentences were answered then than have come since.

    Each sentence waits `wait_s`. Clients that were just answered come back one after the other, and one large batch is
    done sooner than two small ones: so there is more to wait for, up to a fifth of what the last batch took, until
    as many have come as were answered, or nobody for a part of it.
    """
    if not away:
        return oldest + wait_s
    gap = max(wait_s, last_s / 32) if wait_s else 0.0
    more = min(max(came, ended) + gap, ended + last_s / 5)
    return max(oldest + wait_s, more)


class QueueFullError(Exception):
    """There is no room; `retry_s` says when there may be."""

    def __init__(self, retry_s: int) -> None:
        super().__init__()
        self.retry_s = retry_s


class ClosingError(Exception):
    """The service takes nothing new."""


@dataclass(eq=False)
class Sentence:
    """One place in the queue."""

    text: str
    work: Work
    answer: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    arrived: float = field(default_factory=time.monotonic)
    dropped: bool = False


class BatchQueue:
    """See above. `close` ends it after what it holds."""

    def __init__(self, wait_s: float, batch: int, room: int, remembered: int, threads: int = 1) -> None:
        self.wait_s, self.batch, self.room, self.remembered = wait_s, batch, room, remembered
        self.num_batches = self.num_translated = self.num_remembered = self.num_dropped = 0
        self._waiting: deque[Sentence] = deque()
        self._change = threading.Condition()
        self._closing = False
        self._known: OrderedDict[tuple[Hashable, str], Any] = OrderedDict()
        self._pace_s = 0.05  # a sentence, of the last batches
        self._last_s = 0.0  # that the last batch took,
        self._ended = 0.0  # and when it was answered
        self._came = 0.0  # when the last sentence came
        self._under_way = 0  # sentences in batches that are being translated
        self._away = 0  # sentences that were answered, less those that have come since
        self._threads = [threading.Thread(target=self._run, name="translate", daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def __len__(self) -> int:
        return len(self._waiting)

    async def translate(self, sentences: Sequence[str], work: Work) -> list[Any]:
        """One answer for each sentence. Cancelled, it leaves the queue. Raises QueueFullError, ClosingError."""
        places = self._enter(sentences, work)
        try:
            return [await place if isinstance(place, asyncio.Future) else place for place in places]
        except BaseException:
            self._leave([place for place in places if isinstance(place, asyncio.Future)])
            raise

    def close(self) -> None:
        """Take nothing new, and return once all that was taken is translated."""
        with self._change:
            self._closing = True
            self._change.notify_all()
        for thread in self._threads:
            thread.join()

    def _enter(self, sentences: Sequence[str], work: Work) -> list[Any]:
        """For each sentence its answer, where that is known, or the future of it."""
        loop = asyncio.get_running_loop()
        with self._change:
            if self._closing:
                raise ClosingError
            known = {text: self._recall(work, text) for text in sentences}
            new = [text for text, answer in known.items() if answer is None]
            if len(self._waiting) + len(new) > self.room:
                raise QueueFullError(max(1, round(len(self._waiting) * self._pace_s)))
            entered = {text: Sentence(text, work, loop.create_future(), loop) for text in new}
            first = not self._waiting
            self._waiting.extend(entered.values())
            self._came = time.monotonic()
            self._away = max(0, self._away - len(new))
            self.num_remembered += len(known) - len(new)
            if first or not self._away or len(self._waiting) >= self.batch:  # else nothing begins sooner for these
                self._change.notify_all()
        return [entered[text].answer if text in entered else known[text] for text in sentences]

    def _leave(self, futures: Sequence[asyncio.Future[Any]]) -> None:
        for one in futures:
            if not one.cancel() and not one.cancelled():
                one.exception()  # asked for, so that asyncio does not report it: the first failure was told
        gone = set(map(id, futures))
        with self._change:
            for sentence in self._waiting:
                sentence.dropped |= id(sentence.answer) in gone

    def _recall(self, work: Work, text: str) -> Any:
        answer = self._known.get((work.key, text))
        if answer is not None:
            self._known.move_to_end((work.key, text))
        return answer

    def _run(self) -> None:
        while batch := self._take():
            self._answer(batch)
            batch.clear()  # it holds the model, which may be replaced before the next batch comes

    def _answer(self, batch: Sequence[Sentence]) -> None:
        texts = list(dict.fromkeys(sentence.text for sentence in batch))
        started = time.monotonic()
        try:
            answers = dict(zip(texts, batch[0].work(texts), strict=True))
        except DataError as mistake:
            self._refuse(batch, mistake)
            return
        except Exception as error:  # told to whoever waits; the thread goes on
            log.exception("a batch of %d sentences failed", len(texts))
            self._tell(batch, lambda _, error=error: error)  # type: ignore[misc]
            return
        finally:
            self._note(len(batch), started)
        self._remember(batch[0].work, answers)
        self._tell(batch, lambda sentence: answers[sentence.text])

    def _note(self, num_sentences: int, started: float) -> None:
        """That a batch has ended."""
        with self._change:
            self._ended = time.monotonic()
            self._last_s = self._ended - started
            self._pace_s = 0.8 * self._pace_s + 0.2 * self._last_s / num_sentences / len(self._threads)
            self._under_way -= num_sentences
            self._away += num_sentences

    def _refuse(self, batch: Sequence[Sentence], mistake: DataError) -> None:
        """A demand cannot be met: of several sentences each is translated alone, since it may be another's."""
        for sentence in batch:
            answer: Any = mistake
            if len(batch) > 1:
                if sentence.answer.cancelled():
                    continue
                try:
                    (answer,) = sentence.work([sentence.text])
                except DataError as its:
                    answer = its
                except Exception as error:  # as for a batch
                    log.exception("a sentence failed")
                    answer = error
            self._tell([sentence], lambda _, answer=answer: answer)  # type: ignore[misc]

    def _take(self) -> list[Sentence]:
        """The next batch; none once the queue is closed and empty."""
        with self._change:
            while True:
                while self._waiting and self._waiting[0].dropped:
                    self._waiting.popleft()
                    self.num_dropped += 1
                if not self._waiting:
                    if self._closing:
                        return []
                    self._change.wait()
                    continue
                oldest = self._waiting[0].arrived
                due = begins(self.wait_s, oldest, self._came, self._ended, self._last_s, self._away)
                rest_s = due - time.monotonic()
                if rest_s <= 0 or len(self._waiting) >= self.batch or self._closing:
                    return self._cut()
                self._change.wait(rest_s)

    def _cut(self) -> list[Sentence]:
        """Up to `batch` sentences of the kind of the oldest, in order: a share of all there are and may come back."""
        key, taken, others = self._waiting[0].work.key, list[Sentence](), deque[Sentence]()
        expected = self._away if time.monotonic() < self._ended + self._last_s / 5 else 0
        sentences = len(self._waiting) + self._under_way + expected
        most = min(self.batch, ceil(sentences / len(self._threads)))
        while self._waiting and len(taken) < most:
            sentence = self._waiting.popleft()
            if sentence.dropped:
                self.num_dropped += 1
            elif sentence.work.key == key:
                taken.append(sentence)
            else:
                others.append(sentence)
        self._waiting.extendleft(reversed(others))
        self._under_way += len(taken)
        self._away = 0  # nobody is waited for twice
        self.num_batches += 1
        self.num_translated += len(taken)
        return taken

    def _remember(self, work: Work, answers: dict[str, Any]) -> None:
        with self._change:
            for text, answer in answers.items():
                self._known[work.key, text] = answer
            while len(self._known) > self.remembered:
                self._known.popitem(last=False)

    def _tell(self, batch: Sequence[Sentence], answer_of: Callable[[Sentence], Any]) -> None:
        """All of them at once: waking an event loop for each would have this thread wait for it as often."""
        answers: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any]]] = {}
        for sentence in batch:
            answers.setdefault(sentence.loop, []).append((sentence.answer, answer_of(sentence)))
        for loop, its in answers.items():
            try:
                loop.call_soon_threadsafe(_settle, its)
            except RuntimeError:  # it has ended, and with it whoever asked
                continue


def _settle(answers: Sequence[tuple[asyncio.Future[Any], Any]]) -> None:
    for future, answer in answers:
        if future.done():
            continue
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)
