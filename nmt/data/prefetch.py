"""The next batches are made ready while a step runs."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from types import TracebackType
from typing import TypeVar

T = TypeVar("T")


class Prefetcher(Iterator[T]):
    """An iterator over `items`, which a thread of its own draws up to `ahead` items early.

    An exception of `items` reaches the consumer in its place, after the items that came before it. `close` (or the
    end of a `with` block) ends the thread, however much is left; after it there are no further items. Items are
    drawn, and a generator is closed, in the thread only. `waited_s` is how long the consumer has waited so far.
    """

    def __init__(self, items: Iterable[T], ahead: int = 8) -> None:
        assert ahead >= 1, "something has to be ready early"
        self.waited_s = 0.0
        self._ahead = ahead
        self._ready: deque[T] = deque()
        self._drawn_all, self._closed = False, False
        self._error: BaseException | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._draw, args=(items,), name="prefetch", daemon=True)
        self._thread.start()

    def __next__(self) -> T:
        asked = time.perf_counter()
        with self._changed:
            self._changed.wait_for(lambda: self._ready or self._drawn_all or self._closed)
            self.waited_s += time.perf_counter() - asked
            if self._ready and not self._closed:
                self._changed.notify_all()
                return self._ready.popleft()
            error, self._error = self._error, None  # told once; after that the iterator is merely at its end
        if error is not None and not self._closed:
            raise error
        raise StopIteration

    def close(self) -> None:
        """End the thread and drop what is ready. May be called more than once."""
        with self._changed:
            self._closed = True
            self._ready.clear()
            self._changed.notify_all()
        self._thread.join()

    def __enter__(self) -> Prefetcher[T]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _draw(self, items: Iterable[T]) -> None:
        source: Iterator[T] | None = None
        try:
            source = iter(items)
            for item in source:
                if not self._hand_over(item):
                    break
        except BaseException as error:  # of any kind: the consumer decides what it means
            self._error = error
        finally:
            try:
                if isinstance(source, Generator):
                    source.close()
            except BaseException as error:
                self._error = self._error or error
            with self._changed:
                self._drawn_all = True
                self._changed.notify_all()

    def _hand_over(self, item: T) -> bool:
        """Wait for room and put `item` there; False once closed."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._ready) < self._ahead or self._closed)
            if self._closed:
                return False
            self._ready.append(item)
            self._changed.notify_all()
            return True
