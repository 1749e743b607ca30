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

    def make(wait_s: float = 0.02, batch: int = 4, room: int = 20, remembered: int = 0, threads: int = 1) -> BatchQueue:
        made.append(BatchQueue(wait_s, batch, room, remembered, threads))
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
    "oldest, came, ended, last_s, away, due",
    [
        (10.0, 10.0, 0.0, 0.0, 0, 11.0),  # the first of all waits a second
        (10.0, 10.5, 0.0, 0.0, 0, 11.0),  # and no longer, before anything is known of batches
        (10.0, 13.0, 15.0, 40.0, 1, 16.25),  # it has waited, but those who were just answered may come back
        (10.0, 17.0, 15.0, 40.0, 1, 18.25),  # and do
        (10.0, 17.0, 15.0, 40.0, 0, 11.0),  # until all of them have
        (10.0, 22.5, 15.0, 40.0, 1, 23.0),  # up to a fifth of the last batch
        (10.0, 15.5, 15.0, 0.8, 1, 15.16),  # which is little where batches are quick
        (30.0, 30.0, 15.0, 40.0, 1, 31.0),  # who comes late to an idle service waits a second
    ],
)
def test_a_batch_begins_when_its_oldest_has_waited_and_nobody_comes_any_more(oldest, came, ended, last_s, away, due):
    assert begins(1.0, oldest, came, ended, last_s, away) == pytest.approx(due)


def test_nobody_is_waited_for_where_that_is_asked():
    assert begins(0.0, oldest=10.0, came=10.0, ended=10.0, last_s=80.0, away=1) == 10.0


def test_a_batch_waits_for_as_many_as_were_answered_and_not_for_one_more(queue):
    """A fifth of the first batch is more than this test has time for."""
    waiting, work = queue(wait_s=0.001, batch=9), Shout()
    waiting._last_s, waiting._ended, waiting._away = 1e6, time.monotonic(), 3

    async def scene():
        asked = [asyncio.create_task(waiting.translate([text], work)) for text in "ab"]
        await asyncio.sleep(0.1)
        assert work.batches == []
        assert await waiting.translate(["c"], work) == ["C"]
        return await asyncio.gather(*asked)

    assert asyncio.run(scene()) == [["A"], ["B"]]
    assert work.batches == [["a", "b", "c"]]


def test_a_full_batch_waits_for_nobody(queue):
    """A fifth of the batch before is more than this test has time for."""
    waiting, work = queue(wait_s=0.001, batch=2), Shout()
    waiting._last_s, waiting._ended, waiting._away = 1e6, time.monotonic(), 9

    async def both():
        return await asyncio.gather(*(waiting.translate([text], work) for text in "ab"))

    assert asyncio.run(both()) == [["A"], ["B"]]
    assert work.batches == [["a", "b"]]


def test_threads_translate_at_once_an_equal_share_each(queue):
    """Each batch ends only once both have begun."""
    both = threading.Barrier(2)

    class Together(Shout):
        def __call__(self, sentences):
            both.wait(60)
            return super().__call__(sentences)

    waiting, work = queue(batch=9, threads=2), Together()
    assert asyncio.run(waiting.translate(list("abcde"), work)) == list("ABCDE")
    assert sorted(work.batches) == [["a", "b", "c"], ["d", "e"]]


@pytest.mark.parametrize("last_s, taken", [(1e6, 4), (0.0, 2)])
def test_a_share_counts_those_who_may_come_back_for_as_long_as_they_are_waited_for(queue, last_s, taken):
    waiting = queue(wait_s=1000, batch=9, threads=2)

    async def scene():
        asked = asyncio.create_task(waiting.translate(list("abcd"), Shout()))
        await asyncio.sleep(0)
        with waiting._change:
            waiting._away, waiting._ended, waiting._last_s = 4, time.monotonic(), last_s
            batch = waiting._cut()
        asked.cancel()
        return len(batch)

    assert asyncio.run(scene()) == taken


def test_no_answer_is_another_s_however_many_ask_at_once(queue):
    waiting, work = queue(wait_s=0.001, batch=7, room=64, threads=3), Shout()

    async def client(name: str):
        for number in range(30):
            texts = [f"{name} {number} {part}" for part in "ab"]
            assert await waiting.translate(texts, work) == [text.upper() for text in texts]

    async def everyone():
        await asyncio.gather(*(client(name) for name in "abcdefgh"))

    asyncio.run(everyone())
    assert sum(map(len, work.batches)) == 8 * 30 * 2


def test_an_event_loop_that_has_ended_keeps_no_other_from_its_answers(queue):
    """Both are in one batch, the ended one first."""
    waiting, work, ended = queue(wait_s=60, batch=2), Shout(), asyncio.new_event_loop()

    async def enter():
        waiting._enter(["a"], work)

    ended.run_until_complete(enter())
    ended.close()
    assert asyncio.run(waiting.translate(["b"], work)) == ["B"]
    assert work.batches == [["a", "b"]]


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


@pytest.mark.slow
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


@pytest.mark.slow
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
