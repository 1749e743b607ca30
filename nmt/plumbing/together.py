"""Work that goes on in several threads, handed over in its order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

Job = TypeVar("Job")
Done = TypeVar("Done")


@contextmanager
def in_order(work: Callable[[Job], Done], jobs: Sequence[Job], threads: int) -> Iterator[Iterator[Done]]:
    """What `work` makes of each job, in their order, with so many at a time.

    Whoever leaves early, or where one fails, waits for those that have begun; the others are not begun.
    """
    if min(threads, len(jobs)) < 2:
        yield map(work, jobs)
        return
    pool = ThreadPoolExecutor(threads)
    try:
        yield pool.map(work, jobs)
    finally:
        pool.shutdown(cancel_futures=True)
