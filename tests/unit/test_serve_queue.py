"""Who waits for whom: batches, limits, sentences that nobody waits for any more, and the end."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref

import pytest

from nmt.errors import DataError
from nmt.serve.queue import BatchQueue, ClosingError, QueueFullError, begins


class Shout:
    """Work that notes its batches, and does not begin before it may."""

    def __init__(self, key: str = "model") -> None:
        self.key, self.batches, self.may = key, [], threading.Event()
        self.may.set()

    def __call__(self, sentences):
        assert self.may.wait(60)
        self.batches.append(list(sentences))
        return [text.upper() for text in sentences]


@pytest.fixture
def queue():
    made = []

    def make(wait_s: float = 0.02, batch: int = 4, room: int = 20, remembered: int = 0) -> BatchQueue:
        made.append(BatchQueue(wait_s, batch, room, remembered))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_sentences_of_several_requests_share_a_batch_and_come_back_to_theirs(queue):
    waiting, work = queue(wait_s=5, batch=5), Shout()

    async def both():
        return await asyncio.gather(waiting.translate(["a", "b"], work), waiting.translate(["c", "b", "d"], work))

    assert asyncio.run(both()) == [["A", "B"], ["C", "B", "D"]]
    assert work.batches == [["a", "b", "c", "d"]]


def test_the_oldest_waits_no_longer_than_it_must(queue):
    assert asyncio.run(queue(wait_s=0.01).translate(["a"], Shout())) == ["A"]


def test_a_batch_is_for_one_kind_of_work(queue):
    waiting, one, other = queue(wait_s=60), Shout("one"), Shout("other")

    async def both():
        asked = [waiting.translate([text], work) for text, work in zip("abc", (one, other, one), strict=True)]
        *answers, _ = await asyncio.gather(*asked, asyncio.to_thread(waiting.close))
        return answers

    assert asyncio.run(both()) == [["A"], ["B"], ["C"]]
    assert (one.batches, other.batches) == ([["a", "c"]], [["b"]])


@pytest.mark.parametrize(
    "oldest, came, ended, last_s, due",
    [
        (10.0, 10.0, 0.0, 0.0, 11.0),  # the first of all waits a second
        (10.0, 10.5, 0.0, 0.0, 11.0),  # and no longer, before anything is known of batches
        (10.0, 13.0, 15.0, 40.0, 16.25),  # it has waited, but those who were just answered may come back
        (10.0, 17.0, 15.0, 40.0, 18.25),  # and do
        (10.0, 22.5, 15.0, 40.0, 23.0),  # up to a fifth of the last batch
        (10.0, 15.5, 15.0, 0.8, 15.16),  # which is little where batches are quick
        (30.0, 30.0, 15.0, 40.0, 31.0),  # who comes late to an idle service waits a second
    ],
)
def test_a_batch_begins_when_its_oldest_has_waited_and_nobody_comes_any_more(oldest, came, ended, last_s, due):
    assert begins(1.0, oldest, came, ended, last_s) == pytest.approx(due)


def test_nobody_is_waited_for_where_that_is_asked():
    assert begins(0.0, oldest=10.0, came=10.0, ended=10.0, last_s=80.0) == 10.0


def test_what_there_is_no_room_for_is_refused_whole(queue):
    waiting, work = queue(wait_s=60, batch=4, room=3), Shout()

    async def scene():
        first = asyncio.create_task(waiting.translate(list("abc"), work))
        await asyncio.sleep(0)
        with pytest.raises(QueueFullError) as refused:
            await waiting.translate(["d"], work)
        assert refused.value.retry_s >= 1
        await asyncio.to_thread(waiting.close)
        assert await first == ["A", "B", "C"]

    asyncio.run(scene())


def test_what_nobody_waits_for_is_not_translated(queue):
    waiting, work = queue(batch=1), Shout()
    work.may.clear()

    async def scene():
        first, second, third = (asyncio.create_task(waiting.translate([text], work)) for text in "abc")
        await asyncio.sleep(0.1)
        second.cancel()
        await asyncio.sleep(0)
        work.may.set()
        assert await first == ["A"]
        assert await third == ["C"]

    asyncio.run(scene())
    assert work.batches == [["a"], ["c"]]
    assert waiting.num_dropped == 1


def test_recent_answers_are_remembered_up_to_a_bound(queue):
    waiting, work = queue(wait_s=0, remembered=2), Shout()

    async def scene():
        for text in "abacb":
            await waiting.translate([text], work)

    asyncio.run(scene())
    assert work.batches == [["a"], ["b"], ["c"], ["b"]]  # c put b out: a had been asked for since
    assert waiting.num_remembered == 1


def test_work_that_fails_tells_those_who_wait_and_the_next_ones_go_on(queue):
    waiting = queue()

    class Broken(Shout):
        def __call__(self, sentences):
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        asyncio.run(waiting.translate(["a"], Broken("broken")))
    assert asyncio.run(waiting.translate(["a"], Shout())) == ["A"]


def test_a_sentence_that_fails_alone_is_that_one_s_failure_and_nothing_is_left_over(queue, caplog):
    """After a demand that the batch could not meet; asyncio reports failures that nobody has asked for."""
    waiting = queue(wait_s=5, batch=4)

    class Demanding(Shout):
        def __call__(self, sentences):
            if len(sentences) > 1 or sentences == ["never"]:
                raise DataError("line 1", found="a", expected="b", next_step="c")
            if sentences == ["broken"]:
                raise ValueError("no")
            return super().__call__(sentences)

    async def scene():
        work = Demanding()
        asked = [["a"], ["broken", "never"], ["b"]]
        return await asyncio.gather(*(waiting.translate(texts, work) for texts in asked), return_exceptions=True)

    first, failed, last = asyncio.run(scene())
    assert (first, last) == (["A"], ["B"])
    assert isinstance(failed, ValueError)
    gc.collect()
    assert [record.message for record in caplog.records] == ["a sentence failed"]
    assert asyncio.run(queue().translate(["a"], Shout())) == ["A"]


def test_an_idle_queue_holds_no_model(queue):
    waiting, work = queue(), Shout()
    held = weakref.ref(work)
    assert asyncio.run(waiting.translate(["a"], work)) == ["A"]
    del work
    for _ in range(600):
        gc.collect()
        if held() is None:
            break
        time.sleep(0.05)
    assert held() is None


def test_the_end_loses_nothing_that_was_taken():
    waiting, work = BatchQueue(0.5, 2, 20, 0), Shout()

    async def scene():
        asked = asyncio.create_task(waiting.translate(list("abcde"), work))
        await asyncio.sleep(0)
        await asyncio.to_thread(waiting.close)
        with pytest.raises(ClosingError):
            await waiting.translate(["f"], work)
        return await asked

    assert asyncio.run(scene()) == list("ABCDE")
